using Limbeck.Training.Loop;

namespace Limbeck.Training.Jobs;

/// <summary>What every job that trains is told: how the loop runs. Names are those of transformers' arguments.</summary>
public abstract record TrainingSettings : ISettings
{
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

    /// <summary>Leave the report's timing out.</summary>
    [Setting("Do not measure latency and throughput for the report, which takes about four seconds.")]
    public bool NoReportTiming { get; init; }

    /// <summary>Dropout of the trained model.</summary>
    [Setting("Dropout of the hidden states and attention while training; by default the starting model's.")]
    public double? Dropout { get; init; }

    /// <summary>What dense layers multiply in.</summary>
    [Setting("What dense layers multiply in while training, the teacher's too; everything else, and scoring, is float32. auto: bf16 where the CPU has AVX512_BF16, else fp32.", Choices = PrecisionChoice.Choices)]
    public string Precision { get; init; } = "fp32";

    /// <summary>Type of the saved weights.</summary>
    [Setting("Type of the saved weights.", Choices = "float32|float16")]
    public string Dtype { get; init; } = "float32";

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
        Precision = PrecisionChoice.Of(Precision),
    };

    /// <summary>Settings that do not decide what a run computes: a resumed run may have others. (The precision does, but by what it means on the machine, which is added apart.)</summary>
    internal static IReadOnlySet<string> WithoutEffect { get; } = new HashSet<string>
    {
        "output_dir", "overwrite_output_dir", "resume", "resume_from_checkpoint", "save_steps", "save_total_limit", "logging_steps", "tensorboard",
        "cache_dir", "train_file", "train_corpus", "validation_file", "data_dir", "unlabelled", "aug_file", "model_name_or_path", "teacher_model", "dtype",
        "baseline_results", "no_report_timing", "precision",
    };

    /// <summary>What models are read from: folders, or presets' names; null where none is named.</summary>
    internal virtual IEnumerable<string?> ModelFolders => [];

    /// <summary>Whether a setting decides what the run computes.</summary>
    /// <param name="name">Its key.</param>
    internal virtual bool HasEffect(string name) => !WithoutEffect.Contains(name);

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

        Need(EvalSteps >= 0, "eval_steps", EvalSteps, "0 or more");
        Need(SaveSteps >= 0, "save_steps", SaveSteps, "0 or more");
        Need(SaveTotalLimit >= 1, "save_total_limit", SaveTotalLimit, "1 or more");
        Need(LoggingSteps >= 1, "logging_steps", LoggingSteps, "1 or more");
        Need(EarlyStoppingPatience >= 0, "early_stopping_patience", EarlyStoppingPatience, "0 or more");
        Need(Dropout is null or (>= 0 and < 1), "dropout", Dropout, "0 or more and less than 1");
        if (Resume && OverwriteOutputDir)
        {
            faults.Add("--resume and --overwrite-output-dir are both given; give one");
        }

        if (ResumeFromCheckpoint is not null && OverwriteOutputDir)
        {
            faults.Add("--resume-from-checkpoint and --overwrite-output-dir are both given; give one");
        }

        if (complete && string.IsNullOrWhiteSpace(OutputDir))
        {
            faults.Add("--output-dir is missing: where shall the model go?");
        }
    }
}
