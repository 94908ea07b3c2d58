using Limbeck.Training.Data;

namespace Limbeck.Training.Jobs;

/// <summary>What every job that learns a task is told besides: its labelled rows, and the classifier.</summary>
public abstract record TaskSettings : TrainingSettings
{
    /// <summary>One of GLUE's tasks, or null for the user's own data.</summary>
    [Setting("A GLUE task, such as MRPC or sst2; none for data of your own.", Alias = "task_name")]
    public string? Task { get; init; }

    /// <summary>GLUE's folder, or the task's.</summary>
    [Setting("GLUE's folder (with SST-2/train.tsv and so on), or the task's own.")]
    public string? DataDir { get; init; }

    /// <summary>The rows to train on.</summary>
    [Setting("File to train on: TSV, CSV or JSONL with sentence1 (or sentence, text), sentence2, label; or GLUE's columns with --task.")]
    public string? TrainFile { get; init; }

    /// <summary>The rows to score.</summary>
    [Setting("File to score the model on.")]
    public string? ValidationFile { get; init; }

    /// <summary>The share of the training file to score instead.</summary>
    [Setting("Share of the training rows to hold back and score on, by seed and label, equal texts kept together; 0 for none.")]
    public double ValidationSplit { get; init; }

    /// <summary>Column of the text.</summary>
    [Setting("Column of the text.")]
    public string? TextColumn { get; init; }

    /// <summary>Column of the second text.</summary>
    [Setting("Column of the second text.")]
    public string? PairColumn { get; init; }

    /// <summary>Column of the label.</summary>
    [Setting("Column of the label or score.")]
    public string? LabelColumn { get; init; }

    /// <summary>Whether labels are numbers to predict.</summary>
    [Setting("Whether labels are numbers to predict; by default when all are numbers and not all are whole.")]
    public bool? Regression { get; init; }

    /// <summary>Longest input.</summary>
    [Setting("Longest input in tokens, special ones included; longer ones are cut (of a pair, the longer text first).")]
    public int? MaxSeqLength { get; init; }

    /// <summary>Train on the first rows only.</summary>
    [Setting("Use only the first so many training rows; 0 for all.")]
    public int MaxTrainSamples { get; init; }

    /// <summary>Score the first rows only.</summary>
    [Setting("Use only the first so many rows to score on; 0 for all.")]
    public int MaxEvalSamples { get; init; }

    /// <summary>Batches of rows of similar length.</summary>
    [Setting("Batches of rows of similar length, which makes every update's time and memory alike; nothing is padded either way.")]
    public bool GroupByLength { get; init; }

    /// <summary>Other runs for the report to compare with.</summary>
    [Setting("Finished runs for the report to compare with, such as the same student trained with --no-teacher: folders or results.json files, separated by commas.")]
    public string? BaselineResults { get; init; }

    /// <summary>The classifier's head.</summary>
    [Setting("Classifier head: tanh (Hugging Face's) or relu (TinyBERT's relu of the tanh); by default the starting model's.", Choices = "tanh|relu")]
    public string? Head { get; init; }

    /// <summary>Columns of the user's tables.</summary>
    internal TableOptions Table => new() { TextColumn = TextColumn, PairColumn = PairColumn, LabelColumn = LabelColumn, Regression = Regression };

    /// <summary>Whether the job trains on rows of a table or of a GLUE task.</summary>
    internal virtual bool NeedsRows => true;

    /// <inheritdoc/>
    public override void Check(List<string> faults, bool complete)
    {
        base.Check(faults, complete);
        void Need(bool good, string name, object? got, string needed)
        {
            if (!good)
            {
                faults.Add($"{SettingInfo.ToFlag(name)} is {got}; needed {needed}");
            }
        }

        if (Task is not null && TaskDefinition.TryFind(Task) is null)
        {
            faults.Add($"--task is '{Task}'.{SettingsSchema.Suggest(Task, TaskDefinition.All.Select(task => task.Name))} The tasks are {string.Join(", ", TaskDefinition.All.Select(task => task.Name))}; for data of your own leave it out");
        }

        Need(ValidationSplit is >= 0 and < 1, "validation_split", ValidationSplit, "0 or more and less than 1");
        Need(MaxSeqLength is null or >= 3, "max_seq_length", MaxSeqLength, "3 or more");
        Need(MaxTrainSamples >= 0, "max_train_samples", MaxTrainSamples, "0 or more");
        Need(MaxEvalSamples >= 0, "max_eval_samples", MaxEvalSamples, "0 or more");
        if (ValidationFile is not null && ValidationSplit > 0)
        {
            faults.Add("--validation-file and --validation-split are both given; give one");
        }

        if (complete && NeedsRows && TrainFile is null && (Task is null || DataDir is null))
        {
            faults.Add("there is nothing to train on: give --task with --data-dir (GLUE's folder), or --train-file");
        }
    }
}
