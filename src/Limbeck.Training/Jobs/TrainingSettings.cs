using Limbeck.Training.Data;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Jobs;

/// <summary>What every job that trains is told: its data and how the loop runs. Names are those of transformers' arguments.</summary>
public abstract record TrainingSettings : ISettings
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

    /// <summary>Where everything goes.</summary>
    [Setting("Folder for the model, checkpoints and logs.")]
    public string? OutputDir { get; init; }

    /// <summary>Start anew in a folder that has something.</summary>
    [Setting("Start anew although the output folder has a run in it.")]
    public bool OverwriteOutputDir { get; init; }

    /// <summary>Go on with the run in the output folder.</summary>
    [Setting("Go on with the run in the output folder; it ends with the same bits as if it had never stopped.")]
    public bool Resume { get; init; }

    /// <summary>Go on from this checkpoint.</summary>
    [Setting("Go on from this checkpoint.")]
    public string? ResumeFromCheckpoint { get; init; }

    /// <summary>Seed of everything random.</summary>
    [Setting("Seed of everything random.")]
    public ulong Seed { get; init; } = 42;

    /// <summary>Batches of rows of similar length.</summary>
    [Setting("Batches of rows of similar length, which makes every update's time and memory alike; nothing is padded either way.")]
    public bool GroupByLength { get; init; }

    /// <summary>Score every so many updates.</summary>
    [Setting("Score every so many updates; 0 for the end of each epoch.")]
    public int EvalSteps { get; init; }

    /// <summary>Write a checkpoint every so many updates.</summary>
    [Setting("Write a checkpoint every so many updates; 0 for between stages only.")]
    public int SaveSteps { get; init; } = 500;

    /// <summary>Checkpoints to keep.</summary>
    [Setting("Checkpoints to keep.")]
    public int SaveTotalLimit { get; init; } = 1;

    /// <summary>Log every so many updates.</summary>
    [Setting("Log the losses every so many updates.")]
    public int LoggingSteps { get; init; } = 20;

    /// <summary>Give the best model instead of the last.</summary>
    [Setting("Give the model of the best evaluation instead of the last.")]
    public bool LoadBestModelAtEnd { get; init; }

    /// <summary>What best means.</summary>
    [Setting("Metric that says which is best; by default the task's own.")]
    public string? MetricForBestModel { get; init; }

    /// <summary>Stop after so many evaluations without a better one.</summary>
    [Setting("Stop a stage after so many evaluations without a better one; 0 for never.")]
    public int EarlyStoppingPatience { get; init; }

    /// <summary>Write TensorBoard files.</summary>
    [Setting("Write TensorBoard event files.")]
    public bool Tensorboard { get; init; } = true;

    /// <summary>Other runs for the report to compare with.</summary>
    [Setting("Finished runs for the report to compare with, such as the same student trained with --no-teacher: folders or results.json files, separated by commas.")]
    public string? BaselineResults { get; init; }

    /// <summary>Leave the report's timing out.</summary>
    [Setting("Do not measure latency and throughput for the report, which takes about four seconds.")]
    public bool NoReportTiming { get; init; }

    /// <summary>The classifier's head.</summary>
    [Setting("Classifier head: tanh (Hugging Face's) or relu (TinyBERT's relu of the tanh); by default the starting model's.", Choices = "tanh|relu")]
    public string? Head { get; init; }

    /// <summary>Dropout of the trained model.</summary>
    [Setting("Dropout of the hidden states and attention while training; by default the starting model's.")]
    public double? Dropout { get; init; }

    /// <summary>Type of the saved weights.</summary>
    [Setting("Type of the saved weights.", Choices = "float32|float16")]
    public string Dtype { get; init; } = "float32";

    /// <summary>Columns of the user's tables.</summary>
    internal TableOptions Table => new() { TextColumn = TextColumn, PairColumn = PairColumn, LabelColumn = LabelColumn, Regression = Regression };

    /// <summary>How the loop runs.</summary>
    internal TrainingOptions LoopOptions => new()
    {
        OutputDirectory = OutputDir!,
        Seed = Seed,
        Resume = Resume,
        ResumeFromCheckpoint = ResumeFromCheckpoint,
        EvalSteps = EvalSteps,
        SaveSteps = SaveSteps,
        SaveTotalLimit = SaveTotalLimit,
        LoggingSteps = LoggingSteps,
        LoadBestModelAtEnd = LoadBestModelAtEnd,
        MetricForBestModel = MetricForBestModel,
        EarlyStoppingPatience = EarlyStoppingPatience,
        TensorBoard = Tensorboard,
    };

    /// <summary>Settings that do not decide what a run computes: a resumed run may have others.</summary>
    internal static IReadOnlySet<string> WithoutEffect { get; } = new HashSet<string>
    {
        "output_dir", "overwrite_output_dir", "resume", "resume_from_checkpoint", "save_steps", "save_total_limit", "logging_steps", "tensorboard",
        "cache_dir", "train_file", "validation_file", "data_dir", "unlabelled", "aug_file", "model_name_or_path", "teacher_model", "dtype",
        "baseline_results", "no_report_timing",
    };

    /// <inheritdoc/>
    public virtual void Check(List<string> faults, bool complete)
    {
        ArgumentNullException.ThrowIfNull(faults);
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
        Need(EvalSteps >= 0, "eval_steps", EvalSteps, "0 or more");
        Need(SaveSteps >= 0, "save_steps", SaveSteps, "0 or more");
        Need(SaveTotalLimit >= 1, "save_total_limit", SaveTotalLimit, "1 or more");
        Need(LoggingSteps >= 1, "logging_steps", LoggingSteps, "1 or more");
        Need(EarlyStoppingPatience >= 0, "early_stopping_patience", EarlyStoppingPatience, "0 or more");
        Need(Dropout is null or (>= 0 and < 1), "dropout", Dropout, "0 or more and less than 1");
        if (ValidationFile is not null && ValidationSplit > 0)
        {
            faults.Add("--validation-file and --validation-split are both given; give one");
        }

        if (Resume && OverwriteOutputDir)
        {
            faults.Add("--resume and --overwrite-output-dir are both given; give one");
        }

        if (complete)
        {
            if (OutputDir is null)
            {
                faults.Add("--output-dir is missing: where shall the model go?");
            }

            if (TrainFile is null && (Task is null || DataDir is null))
            {
                faults.Add("there is nothing to train on: give --task with --data-dir (GLUE's folder), or --train-file");
            }
        }
    }
}
