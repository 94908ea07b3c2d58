using System.Text.Json;
using Limbeck.Training.Data;

namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>Another finished run, as a report compares with it.</summary>
public sealed record BaselineRun
{
    private const string ResultsName = "results.json";
    private const string ReportName = "report.json";

    /// <summary>The folder or file that it was read from.</summary>
    public required string Place { get; init; }

    /// <summary>Its method; none for a student without a teacher.</summary>
    public required string Method { get; init; }

    /// <summary>Its task.</summary>
    public required string Task { get; init; }

    /// <summary>Rows it was scored on.</summary>
    public required int EvalRows { get; init; }

    /// <summary>Its scores by name.</summary>
    public required IReadOnlyDictionary<string, double> Metrics { get; init; }

    /// <summary>Its weights in all; 0 when not told.</summary>
    public long Weights { get; init; }

    /// <summary>Hash of the rows it was scored on, from its report; null when it has none.</summary>
    public string? DataSha256 { get; init; }

    /// <summary>Its answers, from its report; null when it has none.</summary>
    public string? Predictions { get; init; }

    /// <summary>Reads runs.</summary>
    /// <param name="places">Folders of finished runs or results.json files, separated by commas; null for none.</param>
    /// <exception cref="InvalidDataException">One is not there, or is no finished run.</exception>
    public static IReadOnlyList<BaselineRun> ReadAll(string? places) =>
        [.. (places ?? string.Empty).Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Read)];

    /// <summary>Reads a run.</summary>
    /// <param name="place">The folder of a finished run, or its results.json.</param>
    /// <exception cref="InvalidDataException">It is not there, or is no finished run.</exception>
    public static BaselineRun Read(string place)
    {
        ArgumentNullException.ThrowIfNull(place);
        string file = Directory.Exists(place) ? Path.Combine(place, ResultsName) : place;
        if (!File.Exists(file))
        {
            throw new InvalidDataException($"{place}: there is no {(file == place ? "such file" : $"{ResultsName} in it")}; needed the folder of a finished run of limbeck finetune or compress, or its {ResultsName}");
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllText(file));
            JsonElement run = document.RootElement;
            (string? hash, string? predictions) = Answers(Path.Combine(Path.GetDirectoryName(Path.GetFullPath(file))!, ReportName));
            return new BaselineRun
            {
                Place = place,
                Method = run.GetProperty("method").GetString()!,
                Task = run.GetProperty("task").GetString()!,
                EvalRows = run.GetProperty("eval_rows").GetInt32(),
                Metrics = run.GetProperty("metrics").EnumerateObject().ToDictionary(metric => metric.Name, metric => metric.Value.GetDouble()),
                Weights = run.TryGetProperty("parameters", out JsonElement size) ? size.GetProperty("total").GetInt64() : 0,
                DataSha256 = hash,
                Predictions = predictions,
            };
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"{file}: not the results of a run that was scored ({error.Message}); needed a results.json with method, task, eval_rows and metrics", error);
        }
    }

    /// <summary>Says why the run cannot be compared with, or null when it can.</summary>
    /// <param name="task">The task.</param>
    /// <param name="rows">The rows that the new run is scored on.</param>
    public string? Fault(TaskDefinition task, int rows)
    {
        ArgumentNullException.ThrowIfNull(task);
        return Task != task.Name ? $"{Place} is a run of the task {Task}, this one is of {task.Name}: their scores cannot be compared"
            : EvalRows != rows ? $"{Place} was scored on {EvalRows:N0} rows, this run on {rows:N0}: their scores cannot be compared. Score both on the same rows (--max-eval-samples, --validation-file, --validation-split with the same --seed)"
            : task.PrimaryMetrics.FirstOrDefault(name => !Metrics.ContainsKey(name)) is string missing ? $"{Place} has no metric '{missing}'"
            : null;
    }

    private static (string? Hash, string? Predictions) Answers(string report)
    {
        if (!File.Exists(report))
        {
            return (null, null);
        }

        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(report));
        return document.RootElement.TryGetProperty("predictions", out JsonElement kept)
            ? (kept.GetProperty("data_sha256").GetString(), kept.GetProperty("model").GetString())
            : (null, null);
    }
}
