using System.Text.Json;
using Limbeck.Checkpoints;
using Limbeck.Tensors.Kernels;
using Limbeck.Training.Evaluation;
using Limbeck.Training.Evaluation.Reporting;
using Limbeck.Training.Metrics;

namespace Limbeck.Training.Jobs;

/// <summary>What came of a job that trains: <c>results.json</c> of its output folder, and what the tool prints.</summary>
public sealed record TrainingReport
{
    /// <summary>finetune, pretrain, tinybert, or none for a student without a teacher.</summary>
    public required string Method { get; init; }

    /// <summary>The folder with the model.</summary>
    public required string OutputDir { get; init; }

    /// <summary>The task's name.</summary>
    public required string Task { get; init; }

    /// <summary>Rows trained on.</summary>
    public required int TrainRows { get; init; }

    /// <summary>Name of the rows that were scored; null when none were.</summary>
    public string? EvalData { get; init; }

    /// <summary>Rows that were scored.</summary>
    public int EvalRows { get; init; }

    /// <summary>The score of the saved model; null when nothing was scored.</summary>
    public MetricSet? Metrics { get; init; }

    /// <summary>The score of MNLI's mismatched rows; null for all other tasks.</summary>
    public MetricSet? Mismatched { get; init; }

    /// <summary>The score of the model before it was trained; null when that was not asked.</summary>
    public MetricSet? Before { get; init; }

    /// <summary>The teacher's score on the same rows; null when there is no teacher.</summary>
    public MetricSet? Teacher { get; init; }

    /// <summary>The score of always giving the commonest answer.</summary>
    public MetricSet? Majority { get; init; }

    /// <summary>The model's size.</summary>
    public required ModelSize Size { get; init; }

    /// <summary>The teacher's size, or null.</summary>
    public ModelSize? TeacherSize { get; init; }

    /// <summary>Updates made.</summary>
    public required long Steps { get; init; }

    /// <summary>Tokens trained on.</summary>
    public required long Tokens { get; init; }

    /// <summary>Seconds spent training, those before a resume included.</summary>
    public required double Seconds { get; init; }

    /// <summary>The most memory that activations and their gradients took.</summary>
    public required long PeakActivationBytes { get; init; }

    /// <summary>The longest input.</summary>
    public required int MaxSeqLength { get; init; }

    /// <summary>What the dense layers multiplied in: what --precision auto meant on the machine.</summary>
    public required Precision Precision { get; init; }

    /// <summary>Each part of a run of several stages, the last one included; empty for a run of one. The counts above are those of the task's stages, which come last.</summary>
    public IReadOnlyList<ReportPart> Parts { get; init; } = [];

    /// <summary>The settings it ran with.</summary>
    public required ISettings Settings { get; init; }

    /// <summary>Writes results.json.</summary>
    public void Write() => AtomicFile.WriteText(Path.Combine(OutputDir, "results.json"), ToJson(indented: true) + "\n");

    /// <summary>The report as one JSON object.</summary>
    /// <param name="indented">On several lines.</param>
    public string ToJson(bool indented)
    {
        return JsonText.OfObject(
            json =>
            {
                json.WriteString("method", Method);
                json.WriteString("model", OutputDir);
                json.WriteString("task", Task);
                json.WriteNumber("train_rows", TrainRows);
                if (EvalData is not null)
                {
                    json.WriteString("eval_data", EvalData);
                    json.WriteNumber("eval_rows", EvalRows);
                }

                WriteMetrics(json, "metrics", Metrics);
                WriteMetrics(json, "metrics_mismatched", Mismatched);
                WriteMetrics(json, "before", Before);
                WriteMetrics(json, "teacher", Teacher);
                WriteMetrics(json, "majority", Majority);
                WriteSize(json, "parameters", Size);
                WriteSize(json, "teacher_parameters", TeacherSize);
                json.WriteNumber("steps", Steps);
                json.WriteNumber("tokens", Tokens);
                json.WriteNumber("seconds", Math.Round(Seconds, 3));
                json.WriteNumber("peak_activation_bytes", PeakActivationBytes);
                json.WriteNumber("max_seq_length", MaxSeqLength);
                json.WriteString("precision", Precision == Precision.Bf16 ? "bf16" : "fp32");
                ReportPart.Write(json, Parts);
                json.WriteStartObject("settings");
                SettingsSchema.Write(Settings, json);
                json.WriteEndObject();
            }, indented);
    }

    private static void WriteMetrics(Utf8JsonWriter json, string name, MetricSet? metrics)
    {
        if (metrics is not null)
        {
            json.WriteStartObject(name);
            foreach (KeyValuePair<string, double> metric in metrics.Values)
            {
                json.WriteNumber(metric.Key, metric.Value);
            }

            json.WriteEndObject();
        }
    }

    /// <summary>Writes a size as a member of an object, unless there is none.</summary>
    internal static void WriteSize(Utf8JsonWriter json, string name, ModelSize? size)
    {
        if (size is not null)
        {
            json.WriteStartObject(name);
            json.WriteNumber("embeddings", size.Embeddings);
            json.WriteNumber("encoder", size.Encoder);
            json.WriteNumber("head", size.Head);
            json.WriteNumber("total", size.Total);
            json.WriteEndObject();
        }
    }
}
