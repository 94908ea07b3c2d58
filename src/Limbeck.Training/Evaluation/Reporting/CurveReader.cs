using System.Globalization;
using System.Text.Json;

namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>Reads the curves of a run from its metrics.jsonl.</summary>
public static class CurveReader
{
    /// <summary>Points that a curve keeps at most: what a drawing can show.</summary>
    public const int MostPoints = 240;

    private const string EvaluationPrefix = "eval_";

    /// <summary>What a log line says beside its curves.</summary>
    private static readonly HashSet<string> NoCurves = ["step", "stage", "epoch", "learning_rate", "grad_norm", "tokens"];

    /// <summary>The curves, in the order of their first appearance. Lines that are torn or are no objects are passed over; a missing file has no curves.</summary>
    /// <param name="path">metrics.jsonl.</param>
    public static IReadOnlyList<ReportCurve> Read(string path)
    {
        if (!File.Exists(path))
        {
            return [];
        }

        List<(string Stage, string Key)> order = [];
        Dictionary<(string, string), List<ReportPoint>> points = [];
        foreach (string line in File.ReadLines(path))
        {
            try
            {
                using JsonDocument document = JsonDocument.Parse(line);
                JsonElement entry = document.RootElement;
                if (entry.ValueKind != JsonValueKind.Object || !entry.TryGetProperty("step", out JsonElement at) || !at.TryGetInt64(out long step))
                {
                    continue;
                }

                string stage = entry.TryGetProperty("stage", out JsonElement name) && name.ValueKind == JsonValueKind.String ? name.GetString()! : "training";
                foreach (JsonProperty property in entry.EnumerateObject())
                {
                    if (NoCurves.Contains(property.Name) || Number(property.Value) is not double value)
                    {
                        continue;
                    }

                    (string, string) key = (stage, property.Name);
                    if (!points.TryGetValue(key, out List<ReportPoint>? curve))
                    {
                        order.Add(key);
                        points.Add(key, curve = []);
                    }

                    curve.Add(new ReportPoint(step, value));
                }
            }
            catch (JsonException)
            {
                // A killed run leaves one torn line; the others are good.
            }
        }

        return [.. order.Select(key => Make(key.Stage, key.Key, points[key]))];
    }

    /// <summary>Fewer points with the same look: of each stretch the smallest and the largest value, so that a spike stays.</summary>
    /// <param name="points">By update.</param>
    /// <param name="most">Points to keep, at least 4; the first and the last are among them.</param>
    public static IReadOnlyList<ReportPoint> Thin(IReadOnlyList<ReportPoint> points, int most = MostPoints)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 4);
        if (points.Count <= most)
        {
            return points;
        }

        int stretches = (most - 2) / 2;
        int inner = points.Count - 2;
        List<ReportPoint> kept = [points[0]];
        for (int s = 0; s < stretches; s++)
        {
            int first = 1 + (int)((long)s * inner / stretches);
            int end = 1 + (int)((long)(s + 1) * inner / stretches);
            int low = first;
            int high = first;
            for (int i = first + 1; i < end; i++)
            {
                low = points[i].Value < points[low].Value ? i : low;
                high = points[i].Value > points[high].Value || !double.IsFinite(points[i].Value) ? i : high;
            }

            kept.Add(points[Math.Min(low, high)]);
            if (low != high)
            {
                kept.Add(points[Math.Max(low, high)]);
            }
        }

        kept.Add(points[^1]);
        return kept;
    }

    private static ReportCurve Make(string stage, string key, List<ReportPoint> points)
    {
        bool evaluation = key.StartsWith(EvaluationPrefix, StringComparison.Ordinal);
        ReportCurveKind kind = evaluation ? ReportCurveKind.Evaluation
            : key == "loss" || key.EndsWith("_loss", StringComparison.Ordinal) ? ReportCurveKind.Loss
            : ReportCurveKind.Other;
        return new ReportCurve(stage, evaluation ? key[EvaluationPrefix.Length..] : key, kind, Thin(points));
    }

    /// <summary>A number, or one of the names that stand for what JSON has no number for.</summary>
    private static double? Number(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Number => value.GetDouble(),
        JsonValueKind.String when double.TryParse(value.GetString(), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) => number,
        _ => null,
    };
}
