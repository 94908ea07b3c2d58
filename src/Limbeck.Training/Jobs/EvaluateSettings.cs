using Limbeck.Training.Data;

namespace Limbeck.Training.Jobs;

/// <summary>The settings of <c>limbeck evaluate</c>.</summary>
public sealed record EvaluateSettings : ISettings
{
    /// <summary>The model.</summary>
    public string Model { get; init; } = string.Empty;

    /// <summary>One of GLUE's tasks, or null.</summary>
    [Setting("A GLUE task, such as MRPC or sst2; none for data of your own.", Alias = "task_name")]
    public string? Task { get; init; }

    /// <summary>The labelled file.</summary>
    [Setting("The labelled file: TSV, CSV or JSONL in GLUE's columns or with sentence1 (or sentence, text), sentence2, label.")]
    public string? DataFile { get; init; }

    /// <summary>GLUE's folder.</summary>
    [Setting("GLUE's folder, or the task's own; with --task.")]
    public string? DataDir { get; init; }

    /// <summary>The split of GLUE's folder.</summary>
    [Setting("Which of the folder's files: dev, train, dev_matched, dev_mismatched.")]
    public string Split { get; init; } = "dev";

    /// <summary>Column of the text.</summary>
    [Setting("Column of the text.")]
    public string? TextColumn { get; init; }

    /// <summary>Column of the second text.</summary>
    [Setting("Column of the second text.")]
    public string? PairColumn { get; init; }

    /// <summary>Column of the label.</summary>
    [Setting("Column of the label or score.")]
    public string? LabelColumn { get; init; }

    /// <summary>Longest input.</summary>
    [Setting("Longest input in tokens; by default what the model's files say.")]
    public int? MaxSeqLength { get; init; }

    /// <summary>Score an embedder by its cosines.</summary>
    [Setting("Score a sentence embedder without training: the cosine of each pair's vectors against the file's scores, such as STS-B's.")]
    public bool ZeroShot { get; init; }

    /// <summary>Columns of the user's tables.</summary>
    internal TableOptions Table => new() { TextColumn = TextColumn, PairColumn = PairColumn, LabelColumn = LabelColumn };

    /// <inheritdoc/>
    public void Check(List<string> faults, bool complete)
    {
        ArgumentNullException.ThrowIfNull(faults);
        if (Task is not null && TaskDefinition.TryFind(Task) is null)
        {
            faults.Add($"--task is '{Task}'.{SettingsSchema.Suggest(Task, TaskDefinition.All.Select(task => task.Name))} The tasks are {string.Join(", ", TaskDefinition.All.Select(task => task.Name))}; for data of your own leave it out");
        }

        if (MaxSeqLength is < 3)
        {
            faults.Add($"--max-seq-length is {MaxSeqLength}; needed 3 or more");
        }

        if (ZeroShot && Task is not null && TaskDefinition.TryFind(Task) is { } task && task.Kind != TaskKind.Regression)
        {
            faults.Add($"--zero-shot compares cosines with scores, but {task.Name} has labels: use --task STS-B, or --data-file with pairs and scores of your own");
        }

        if (complete && DataFile is null && DataDir is null)
        {
            faults.Add("there is nothing to score: give --data-file, or --task with --data-dir (GLUE's folder)");
        }
        else if (DataFile is not null && DataDir is not null)
        {
            faults.Add("--data-file and --data-dir are both given; give one");
        }
        else if (DataDir is not null && Task is null)
        {
            faults.Add("--data-dir needs --task: which of GLUE's tasks is it?");
        }
    }
}
