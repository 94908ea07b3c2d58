using Limbeck.Tensors.Kernels;

namespace Limbeck.Training.Loop;

/// <summary>How the loop runs, whatever is trained.</summary>
public sealed record TrainingOptions
{
    /// <summary>Where checkpoints, logs and the model go.</summary>
    public required string OutputDirectory { get; init; }

    /// <summary>Seed of everything random.</summary>
    public ulong Seed { get; init; } = 42;

    /// <summary>Continue the run that is in the output directory, if there is one.</summary>
    public bool Resume { get; init; }

    /// <summary>Continue from this checkpoint instead of the latest.</summary>
    public string? ResumeFromCheckpoint { get; init; }

    /// <summary>Evaluate every so many updates; 0 at the end of each epoch.</summary>
    public int EvalSteps { get; init; }

    /// <summary>Write a checkpoint every so many updates; 0 only between stages and when interrupted.</summary>
    public int SaveSteps { get; init; } = 500;

    /// <summary>Checkpoints to keep.</summary>
    public int SaveTotalLimit { get; init; } = 1;

    /// <summary>Log the losses every so many updates.</summary>
    public int LoggingSteps { get; init; } = 20;

    /// <summary>Give the model of the best evaluation instead of the last.</summary>
    public bool LoadBestModelAtEnd { get; init; }

    /// <summary>The metric that decides which is best; null for the task's own.</summary>
    public string? MetricForBestModel { get; init; }

    /// <summary>Stop a stage after this many evaluations without a better one; 0 never.</summary>
    public int EarlyStoppingPatience { get; init; }

    /// <summary>Write TensorBoard event files.</summary>
    public bool TensorBoard { get; init; } = true;

    /// <summary>What dense layers multiply in. It must be part of the fingerprint that the loop is given.</summary>
    public Precision Precision { get; init; }
}
