using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>A report as JSON: what the page says, for machines. The names of its fields are stable; new ones may be added.</summary>
public static class ReportJson
{
    /// <summary>The number under "version": it changes when a field's name or meaning does.</summary>
    public const int Version = 1;

    /// <summary>Writes a report.</summary>
    /// <param name="report">The report.</param>
    /// <param name="stream">Receives UTF-8.</param>
    public static void Write(RunReport report, Stream stream)
    {
        ArgumentNullException.ThrowIfNull(report);
        ArgumentNullException.ThrowIfNull(stream);
        using Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteString("format", "limbeck-report");
        json.WriteNumber("version", Version);
        Text(json, "title", report.Title);
        Text(json, "story", report.Story);
        Run(json, report.Run);
        Machine(json, report.Machine);
        Scores(json, report.Scores);
        Models(json, report);
        Timing(json, report.Timing);
        Curves(json, report.Curves);
        Layers(json, report.Layers);
        Examples(json, report.Examples);
        if (report.Predictions is ReportPredictions kept)
        {
            json.WriteStartObject("predictions");
            json.WriteString("data_sha256", kept.DataSha256);
            json.WriteString("gold", kept.Gold);
            json.WriteString("model", kept.Model);
            Optional(json, "teacher", kept.Teacher);
            json.WriteEndObject();
        }

        json.WriteStartArray("notes");
        foreach (string note in report.Notes)
        {
            json.WriteStringValue(ReportText.Clean(note));
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        stream.WriteByte((byte)'\n');
    }

    private static void Run(Utf8JsonWriter json, ReportRun run)
    {
        json.WriteStartObject("run");
        json.WriteString("method", run.Method);
        json.WriteString("date", run.Date.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
        Text(json, "model", run.OutputDir);
        Optional(json, "task", run.Task);
        Optional(json, "train_data", run.TrainData);
        json.WriteNumber("train_rows", run.TrainRows);
        Optional(json, "eval_data", run.EvalData);
        json.WriteNumber("eval_rows", run.EvalRows);
        Optional(json, "start_model", run.StartModel);
        Optional(json, "teacher_model", run.TeacherModel);
        json.WriteNumber("seed", run.Seed);
        json.WriteNumber("steps", run.Steps);
        json.WriteNumber("tokens", run.Tokens);
        Number(json, "seconds", Math.Round(run.Seconds, 3));
        ReportPart.Write(json, run.Parts);
        json.WriteNumber("peak_activation_bytes", run.PeakActivationBytes);
        json.WriteNumber("max_seq_length", run.MaxSeqLength);
        Optional(json, "command", run.Command);
        if (run.Recipe is not null)
        {
            using JsonDocument recipe = JsonDocument.Parse(run.Recipe);
            json.WritePropertyName("recipe");
            recipe.RootElement.WriteTo(json);
        }

        json.WriteEndObject();
    }

    private static void Machine(Utf8JsonWriter json, ReportMachine machine)
    {
        json.WriteStartObject("machine");
        Text(json, "cpu", machine.Cpu);
        json.WriteString("cpu_tier", machine.Tier);
        json.WriteNumber("cores", machine.Cores);
        json.WriteNumber("logical_cores", machine.LogicalCores);
        json.WriteNumber("threads", machine.Threads);
        Text(json, "system", machine.System);
        Text(json, "runtime", machine.Runtime);
        json.WriteString("limbeck", machine.Version);
        json.WriteEndObject();
    }

    private static void Scores(Utf8JsonWriter json, ReportScores? scores)
    {
        if (scores is null)
        {
            return;
        }

        json.WriteStartObject("scores");
        json.WriteStartArray("primary_metrics");
        foreach (string name in scores.PrimaryMetrics)
        {
            json.WriteStringValue(name);
        }

        json.WriteEndArray();
        json.WriteStartArray("rows");
        foreach (ReportScore row in scores.Rows)
        {
            json.WriteStartObject();
            Text(json, "name", row.Name);
            json.WriteString("role", Name(row.Role));
            json.WriteStartObject("metrics");
            foreach (ReportMetric metric in scores.Metrics)
            {
                if (row.Values.TryGetValue(metric.Name, out double value))
                {
                    Number(json, metric.Name, value);
                }
            }

            json.WriteEndObject();
            Number(json, "primary", row.Primary);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        Number(json, "retention", scores.Retention);
        json.WriteStartArray("comparisons");
        foreach (ReportComparison comparison in scores.Comparisons)
        {
            json.WriteStartObject();
            Text(json, "against", comparison.Against);
            json.WriteString("role", Name(comparison.Role));
            Number(json, "difference", comparison.Interval.Difference);
            Number(json, "low", comparison.Interval.Low);
            Number(json, "high", comparison.Interval.High);
            json.WriteNumber("confidence", comparison.Interval.Confidence);
            json.WriteNumber("resamples", comparison.Interval.Resamples);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        if (scores.Agreement is ReportAgreement agreement)
        {
            json.WriteStartObject("agreement");
            json.WriteNumber("both_right", agreement.BothRight);
            json.WriteNumber("only_model", agreement.OnlyModel);
            json.WriteNumber("only_teacher", agreement.OnlyTeacher);
            json.WriteNumber("both_wrong", agreement.BothWrong);
            json.WriteNumber("same_answer", agreement.Same);
            json.WriteEndObject();
        }

        Optional(json, "baseline_hint", scores.BaselineHint);
        json.WriteEndObject();
    }

    private static void Models(Utf8JsonWriter json, RunReport report)
    {
        json.WriteStartArray("models");
        foreach (ReportModel model in report.Models)
        {
            json.WriteStartObject();
            Text(json, "name", model.Name);
            json.WriteString("role", Name(model.Role));
            json.WriteNumber("layers", model.Layers);
            json.WriteNumber("hidden", model.Hidden);
            json.WriteNumber("heads", model.Heads);
            json.WriteNumber("intermediate", model.Intermediate);
            json.WriteNumber("vocabulary", model.Vocabulary);
            json.WriteStartObject("parameters");
            json.WriteNumber("embeddings", model.Size.Embeddings);
            json.WriteNumber("encoder", model.Size.Encoder);
            json.WriteNumber("head", model.Size.Head);
            json.WriteNumber("total", model.Size.Total);
            json.WriteEndObject();
            json.WriteNumber("flops_per_token", model.Size.FlopsPerToken);
            json.WriteNumber("bytes", model.Bytes);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        if (report.ModelOf(ReportRole.Model) is ReportModel small && report.ModelOf(ReportRole.Teacher) is ReportModel big)
        {
            json.WriteStartObject("compression");
            Number(json, "parameters", Ratio(big.Size.Total, small.Size.Total));
            Number(json, "encoder", Ratio(big.Size.Encoder, small.Size.Encoder));
            Number(json, "operations", Ratio(big.Size.FlopsPerToken, small.Size.FlopsPerToken));
            Number(json, "bytes", Ratio(big.Bytes, small.Bytes));
            json.WriteEndObject();
        }
    }

    private static void Timing(Utf8JsonWriter json, ReportTiming? timing)
    {
        if (timing is null)
        {
            return;
        }

        json.WriteStartObject("timing");
        json.WriteNumber("latency_texts", timing.LatencyTexts);
        json.WriteNumber("throughput_texts", timing.ThroughputTexts);
        Number(json, "mean_tokens", timing.MeanTokens);
        json.WriteStartArray("models");
        foreach (ReportSpeed speed in timing.Models)
        {
            json.WriteStartObject();
            json.WriteString("role", Name(speed.Role));
            Number(json, "latency_ms", speed.LatencyMilliseconds);
            Number(json, "latency_p90_ms", speed.SlowMilliseconds);
            Number(json, "texts_per_second", speed.TextsPerSecond);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Curves(Utf8JsonWriter json, IReadOnlyList<ReportCurve> curves)
    {
        json.WriteStartArray("curves");
        foreach (ReportCurve curve in curves)
        {
            json.WriteStartObject();
            Text(json, "stage", curve.Stage);
            Text(json, "name", curve.Name);
            json.WriteString("kind", Name(curve.Kind));
            json.WriteStartArray("steps");
            foreach (ReportPoint point in curve.Points)
            {
                json.WriteNumberValue(point.Step);
            }

            json.WriteEndArray();
            json.WriteStartArray("values");
            foreach (ReportPoint point in curve.Points)
            {
                if (double.IsFinite(point.Value))
                {
                    json.WriteNumberValue(point.Value);
                }
                else
                {
                    json.WriteNullValue();
                }
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void Layers(Utf8JsonWriter json, ReportLayers? layers)
    {
        if (layers is null)
        {
            return;
        }

        json.WriteStartObject("layers");
        json.WriteString("hidden_measure", "1 - linear CKA, unbiased (arXiv:1905.00414)");
        json.WriteString("attention_measure", "KL(teacher || student) of attention probabilities, nats");
        Text(json, "data", layers.Data);
        json.WriteNumber("rows", layers.Rows);
        json.WriteNumber("tokens", layers.Tokens);
        json.WriteStartArray("pairs");
        foreach (ReportLayer pair in layers.Pairs)
        {
            json.WriteStartObject();
            json.WriteNumber("student", pair.Student);
            json.WriteNumber("teacher", pair.Teacher);
            Number(json, "hidden_distance", pair.HiddenDistance);
            Number(json, "attention_divergence", pair.AttentionDivergence);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Examples(Utf8JsonWriter json, ReportExamples? examples)
    {
        if (examples is null)
        {
            return;
        }

        json.WriteStartObject("examples");
        json.WriteString("kind", Name(examples.Kind));
        json.WriteNumber("total", examples.Total);
        json.WriteStartArray("rows");
        foreach (ReportExample example in examples.Rows)
        {
            json.WriteStartObject();
            json.WriteNumber("line", example.Line);
            Text(json, "text", example.Text);
            Optional(json, "pair", example.Pair);
            Text(json, "gold", example.Gold);
            Answer(json, "model", example.Model);
            Answer(json, "teacher", example.Teacher);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Answer(Utf8JsonWriter json, string name, ReportAnswer? answer)
    {
        if (answer is not null)
        {
            json.WriteStartObject(name);
            Text(json, "label", answer.Label);
            Number(json, "score", answer.Score);
            if (answer.Right is bool right)
            {
                json.WriteBoolean("right", right);
            }

            json.WriteEndObject();
        }
    }

    /// <summary>LargestError as largest_error.</summary>
    private static string Name<T>(T value)
        where T : struct, Enum => Jobs.SettingsSchema.Snake(value.ToString());

    private static double? Ratio(long big, long small) => small > 0 && big > 0 ? (double)big / small : null;

    private static void Text(Utf8JsonWriter json, string name, string text) => json.WriteString(name, ReportText.Clean(text));

    private static void Optional(Utf8JsonWriter json, string name, string? text)
    {
        if (text is not null)
        {
            Text(json, name, text);
        }
    }

    /// <summary>A number; null where there is none, as JSON has no NaN.</summary>
    private static void Number(Utf8JsonWriter json, string name, double? value)
    {
        if (value is double number && double.IsFinite(number))
        {
            json.WriteNumber(name, number);
        }
        else
        {
            json.WriteNull(name);
        }
    }
}
