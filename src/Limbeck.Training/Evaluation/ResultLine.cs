using System.Text.Json;

namespace Limbeck.Training.Evaluation;

/// <summary>One measured cell of a table of results: a line of <c>docs/results/*.jsonl</c>.</summary>
/// <remarks>
/// Keys: <c>cell</c>, <c>table</c>, <c>model</c>, <c>method</c>, <c>task</c>, <c>seed</c>, <c>metrics</c> {name: number}, <c>majority</c>
/// {name: number}, <c>steps</c>, <c>seconds</c>, <c>command</c>, and, for intervals, <c>gold</c> and <c>predictions</c> as <see cref="CompactValues"/>.
/// Metrics are shares of 1 (accuracy 0.897), named accuracy, f1, matthews, pearson, spearman.
/// </remarks>
public sealed record ResultLine
{
    /// <summary>What makes the cell itself: a cell is measured once. For instance <c>main/tinybert3-312/tinybert/MRPC/1</c>.</summary>
    public required string Cell { get; init; }

    /// <summary>The table it belongs to.</summary>
    public required string Table { get; init; }

    /// <summary>The model measured, a student's preset for instance.</summary>
    public required string Model { get; init; }

    /// <summary>How it was made: <c>teacher</c>, <c>alone</c> (the student without a teacher), or a method's name.</summary>
    public required string Method { get; init; }

    /// <summary>The task, by GLUE's name: CoLA, SST-2, MRPC, STS-B, RTE, ...</summary>
    public required string Task { get; init; }

    /// <summary>The seed.</summary>
    public required long Seed { get; init; }

    /// <summary>The metrics on the dev rows.</summary>
    public required IReadOnlyDictionary<string, double> Metrics { get; init; }

    /// <summary>The same metrics for always answering with the most frequent label (regression: the mean).</summary>
    public required IReadOnlyDictionary<string, double> Majority { get; init; }

    /// <summary>Updates of the training.</summary>
    public long Steps { get; init; }

    /// <summary>Wall time of the command.</summary>
    public double Seconds { get; init; }

    /// <summary>The command that made the cell.</summary>
    public string Command { get; init; } = "";

    /// <summary>The dev rows' labels, for the paired bootstrap; null when not kept.</summary>
    public string? Gold { get; init; }

    /// <summary>The dev rows' predictions in the same order; null when not kept.</summary>
    public string? Predictions { get; init; }

    /// <summary>The line without a line end.</summary>
    public string ToJson()
    {
        return JsonText.OfObject(
            json =>
            {
                json.WriteString("cell", Cell);
                json.WriteString("table", Table);
                json.WriteString("model", Model);
                json.WriteString("method", Method);
                json.WriteString("task", Task);
                json.WriteNumber("seed", Seed);
                WriteNumbers(json, "metrics", Metrics);
                WriteNumbers(json, "majority", Majority);
                json.WriteNumber("steps", Steps);
                json.WriteNumber("seconds", Math.Round(Seconds, 1));
                json.WriteString("command", Command);
                if (Gold is not null)
                {
                    json.WriteString("gold", Gold);
                }

                if (Predictions is not null)
                {
                    json.WriteString("predictions", Predictions);
                }

            });
    }

    /// <summary>Reads a line.</summary>
    /// <param name="json">The line.</param>
    /// <exception cref="InvalidDataException">It is not JSON, or a key is missing or of another kind.</exception>
    public static ResultLine Parse(string json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            JsonElement line = document.RootElement;
            return new ResultLine
            {
                Cell = Text(line, "cell"),
                Table = Text(line, "table"),
                Model = Text(line, "model"),
                Method = Text(line, "method"),
                Task = Text(line, "task"),
                Seed = line.GetProperty("seed").GetInt64(),
                Metrics = Numbers(line.GetProperty("metrics")),
                Majority = Numbers(line.GetProperty("majority")),
                Steps = line.GetProperty("steps").GetInt64(),
                Seconds = line.GetProperty("seconds").GetDouble(),
                Command = Text(line, "command"),
                Gold = line.TryGetProperty("gold", out JsonElement gold) ? gold.GetString() : null,
                Predictions = line.TryGetProperty("predictions", out JsonElement predictions) ? predictions.GetString() : null,
            };
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"not a line of results: {error.Message}", error);
        }
    }

    private static string Text(JsonElement line, string name) => line.GetProperty(name).GetString()!;

    private static void WriteNumbers(Utf8JsonWriter json, string name, IReadOnlyDictionary<string, double> numbers)
    {
        json.WriteStartObject(name);
        foreach ((string key, double value) in numbers.OrderBy(static pair => pair.Key, StringComparer.Ordinal))
        {
            json.WriteNumber(key, value);
        }

        json.WriteEndObject();
    }

    private static Dictionary<string, double> Numbers(JsonElement element)
    {
        Dictionary<string, double> numbers = new(StringComparer.OrdinalIgnoreCase);
        foreach (JsonProperty property in element.EnumerateObject())
        {
            numbers.Add(property.Name, property.Value.GetDouble());
        }

        return numbers;
    }
}
