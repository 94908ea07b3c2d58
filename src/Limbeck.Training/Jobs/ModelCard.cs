using System.Globalization;
using System.Text;
using Limbeck.Checkpoints;
using Limbeck.Training.Metrics;

namespace Limbeck.Training.Jobs;

/// <summary>A model's README.md with the front matter that the Hugging Face hub reads.</summary>
internal sealed record ModelCard
{
    /// <summary>The hub's name of what a sentence embedder does.</summary>
    public const string SentenceSimilarity = "sentence-similarity";

    /// <summary>The card's title.</summary>
    public required string Title { get; init; }

    /// <summary>The folder of the model that this one comes from; its own card gives licence and language.</summary>
    public required string BaseModel { get; init; }

    /// <summary>What was done, in a paragraph.</summary>
    public required string Story { get; init; }

    /// <summary>The hub's name of what the model does; null for a classifier or an encoder.</summary>
    public string? Pipeline { get; init; }

    /// <summary>GLUE's name of the task, or null.</summary>
    public string? Task { get; init; }

    /// <summary>The data's name.</summary>
    public required string Data { get; init; }

    /// <summary>The score, or null when there was none.</summary>
    public MetricSet? Metrics { get; init; }

    /// <summary>Rows that were scored.</summary>
    public int Rows { get; init; }

    /// <summary>A command that uses the model; null for the classifier's.</summary>
    public string? Usage { get; init; }

    /// <summary>The labels; none for a model that does not classify.</summary>
    public required IReadOnlyList<string> Labels { get; init; }

    /// <summary>The licence in the front matter of a folder's card, or null.</summary>
    /// <param name="folder">A model's directory.</param>
    /// <param name="key">license, or language.</param>
    public static string? FromFrontMatter(string folder, string key)
    {
        string path = Path.Combine(folder, "README.md");
        if (!File.Exists(path))
        {
            return null;
        }

        string[] lines = File.ReadAllLines(path);
        if (lines.Length == 0 || lines[0].Trim() != "---")
        {
            return null;
        }

        string[] matter = [.. lines.Skip(1).TakeWhile(line => line.Trim() != "---")];
        int at = Array.FindIndex(matter, line => line.StartsWith(key + ":", StringComparison.Ordinal));
        if (at < 0)
        {
            return null;
        }

        string value = matter[at][(key.Length + 1)..].Trim();
        return value.Length > 0 ? value : at + 1 < matter.Length && matter[at + 1].TrimStart().StartsWith("- ", StringComparison.Ordinal) ? matter[at + 1].TrimStart()[2..].Trim() : null;
    }

    /// <summary>Writes the card.</summary>
    /// <param name="folder">The model's directory.</param>
    public void Write(string folder)
    {
        StringBuilder card = new();
        card.Append("---\n");
        if (FromFrontMatter(BaseModel, "license") is string licence)
        {
            card.Append(CultureInfo.InvariantCulture, $"license: {licence}\n");
        }

        string? language = FromFrontMatter(BaseModel, "language") ?? (Task is null ? null : "en");
        if (language is not null)
        {
            card.Append(CultureInfo.InvariantCulture, $"language: {language}\n");
        }

        card.Append(CultureInfo.InvariantCulture, $"base_model: {Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(BaseModel)))}\n");
        card.Append(CultureInfo.InvariantCulture, $"library_name: {(Pipeline == SentenceSimilarity ? "sentence-transformers" : "transformers")}\npipeline_tag: {Pipeline ?? (Labels.Count > 0 ? "text-classification" : "feature-extraction")}\n");
        card.Append(Task is null ? string.Empty : "datasets:\n- nyu-mll/glue\n");
        if (Metrics is not null)
        {
            card.Append("metrics:\n");
            foreach (KeyValuePair<string, double> metric in Metrics.Values)
            {
                card.Append(CultureInfo.InvariantCulture, $"- {metric.Key}\n");
            }
        }

        card.Append("tags:\n- limbeck\n---\n\n");
        card.Append(CultureInfo.InvariantCulture, $"# {Title}\n\n{Story}\n");
        if (Metrics is not null)
        {
            card.Append(CultureInfo.InvariantCulture, $"\n| metric | {Data} ({Rows} rows) |\n|---|---|\n");
            foreach (KeyValuePair<string, double> metric in Metrics.Values)
            {
                card.Append(CultureInfo.InvariantCulture, $"| {metric.Key} | {metric.Value:0.0000} |\n");
            }
        }

        if (Labels.Count > 0)
        {
            card.Append(CultureInfo.InvariantCulture, $"\nLabels: {string.Join(", ", Labels.Select(label => $"`{label}`"))}.\n");
        }

        card.Append(CultureInfo.InvariantCulture, $"\n```\n{Usage ?? "limbeck predict . \"a text\""}\n```\n");
        AtomicFile.WriteText(Path.Combine(folder, "README.md"), card.ToString());
    }
}
