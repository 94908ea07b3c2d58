using System.Globalization;
using System.Text.Json;
using Limbeck.Training.Evaluation;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Jobs;

/// <summary>What a job is going to do, told before it begins: its stages with their sizes and times, and the models.</summary>
public sealed record JobPlan
{
    /// <summary>The stages, in order.</summary>
    public required IReadOnlyList<PlannedStage> Stages { get; init; }

    /// <summary>Stages that are left out, with the reason.</summary>
    public IReadOnlyList<string> Skipped { get; init; } = [];

    /// <summary>Bytes that the teacher's outputs take in the cache.</summary>
    public long CacheBytes { get; init; }

    /// <summary>The size of the model that learns, or null when none does.</summary>
    public ModelSize? Size { get; init; }

    /// <summary>The teacher's size, or null.</summary>
    public ModelSize? TeacherSize { get; init; }

    /// <summary>Which teacher layer each student layer learns from, or null.</summary>
    public string? LayerMap { get; init; }

    /// <summary>How the times were estimated.</summary>
    public string How { get; init; } = string.Empty;

    /// <summary>Estimated seconds of what is not finished.</summary>
    public double Seconds => Stages.Where(stage => stage.State != PlannedStage.Finished).Sum(stage => stage.Seconds);

    /// <summary>Writes the plan as a table of plain text.</summary>
    /// <param name="to">Where to.</param>
    public void Write(TextWriter to)
    {
        ArgumentNullException.ThrowIfNull(to);
        CultureInfo invariant = CultureInfo.InvariantCulture;
        to.WriteLine($"{"plan",-14}{"rows",14}{"longest",9}{"passes",8}{"tokens",10}{"updates",12}  time");
        foreach (PlannedStage stage in Stages)
        {
            string about = stage.About ? "~" : string.Empty;
            to.WriteLine(string.Create(
                invariant,
                $"{"  " + stage.Name,-14}{about + stage.Rows.ToString("N0", invariant),14}{stage.MaxLength,9}{stage.Epochs,8}{about + ProgressFormat.Count(stage.Tokens),10}{(stage.Steps == 0 ? "-" : about + stage.Steps.ToString("N0", invariant)),12}  {Time(stage)}"));
        }

        foreach (string skipped in Skipped)
        {
            to.WriteLine($"  skipped: {skipped}");
        }

        if (CacheBytes > 0)
        {
            to.WriteLine(string.Create(invariant, $"  cache of the teacher's outputs: {CacheBytes / 1e6:N1} MB"));
        }

        to.WriteLine($"  {(Stages.Count > 1 ? "in all " : string.Empty)}about {Duration(Seconds)} ({How})");
    }

    /// <summary>The plan as one JSON object.</summary>
    public string ToJson()
    {
        return JsonText.OfObject(
            json =>
            {
                json.WriteStartArray("stages");
                foreach (PlannedStage stage in Stages)
                {
                    json.WriteStartObject();
                    json.WriteString("name", stage.Name);
                    json.WriteNumber("rows", stage.Rows);
                    json.WriteNumber("max_seq_length", stage.MaxLength);
                    json.WriteNumber("epochs", stage.Epochs);
                    json.WriteNumber("tokens", stage.Tokens);
                    json.WriteNumber("steps", stage.Steps);
                    json.WriteNumber("seconds", Math.Round(stage.Seconds, 3));
                    json.WriteBoolean("estimated", stage.About);
                    json.WriteString("state", stage.State);
                    json.WriteEndObject();
                }

                json.WriteEndArray();
                json.WriteStartArray("skipped");
                foreach (string skipped in Skipped)
                {
                    json.WriteStringValue(skipped);
                }

                json.WriteEndArray();
                TrainingReport.WriteSize(json, "parameters", Size);
                TrainingReport.WriteSize(json, "teacher_parameters", TeacherSize);
                if (LayerMap is not null)
                {
                    json.WriteString("layer_map", LayerMap);
                }

                json.WriteNumber("cache_bytes", CacheBytes);
                json.WriteNumber("seconds", Math.Round(Seconds, 3));
                json.WriteString("estimate", How);
            });
    }

    private static string Time(PlannedStage stage) => stage.State switch
    {
        PlannedStage.Finished => "finished; it is checked in its turn",
        PlannedStage.Begun => $"{Duration(stage.Seconds)} more; it goes on where it stopped",
        _ => Duration(stage.Seconds),
    };

    private static string Duration(double seconds) => ProgressFormat.Duration(TimeSpan.FromSeconds(Math.Min(Math.Ceiling(seconds), TimeSpan.FromDays(9999).TotalSeconds)));
}
