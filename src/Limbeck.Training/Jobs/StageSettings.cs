using Limbeck.Training.Loop;
using Limbeck.Training.Optimization;

namespace Limbeck.Training.Jobs;

/// <summary>How one stage trains: for how long, how fast, by which rule. Names are those of transformers' arguments.</summary>
public record StageSettings
{
    /// <summary>Passes over the data; null for the job's own default.</summary>
    [Setting("Passes over the data.", Alias = "epochs")]
    public int? NumTrainEpochs { get; init; }

    /// <summary>Stop after this many updates; 0 for none.</summary>
    [Setting("Stop after this many updates, if that comes first; 0 for no limit.")]
    public long MaxSteps { get; init; }

    /// <summary>The learning rate at its peak.</summary>
    [Setting("Learning rate at its peak.")]
    public double LearningRate { get; init; } = 5e-5;

    /// <summary>Rows of a batch.</summary>
    [Setting("Rows of a batch.", Alias = "train_batch_size")]
    public int PerDeviceTrainBatchSize { get; init; } = 32;

    /// <summary>Batches of an update.</summary>
    [Setting("Batches whose gradients are averaged for one update.")]
    public int GradientAccumulationSteps { get; init; } = 1;

    /// <summary>The learning rate's course.</summary>
    [Setting("Course of the learning rate.", Choices = "linear|constant|constant_with_warmup|warmup_linear|warmup_constant|none")]
    public string LrSchedulerType { get; init; } = "linear";

    /// <summary>The share of updates over which the rate rises.</summary>
    [Setting("Share of the updates over which the learning rate rises.")]
    public double WarmupRatio { get; init; } = 0.1;

    /// <summary>Updates over which the rate rises; wins over the ratio.</summary>
    [Setting("Updates over which the learning rate rises; wins over the ratio.")]
    public long? WarmupSteps { get; init; }

    /// <summary>The update rule.</summary>
    [Setting("Update rule: torch's AdamW, that of transformers 2.4.0, or TinyBERT's BertAdam (no bias correction, each tensor clipped alone).", Choices = "adamw|adamw_transformers|bertadam", Alias = "optim")]
    public string Optimizer { get; init; } = "adamw";

    /// <summary>Decoupled weight decay.</summary>
    [Setting("Decoupled weight decay.")]
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>Whether biases and layer norms decay.</summary>
    [Setting("Let biases and layer norms decay too, as torch's defaults do.")]
    public bool DecayAll { get; init; } = true;

    /// <summary>Added to the root of the second moment.</summary>
    [Setting("Epsilon of the update rule.")]
    public double AdamEpsilon { get; init; } = 1e-8;

    /// <summary>Largest norm of a gradient.</summary>
    [Setting("Largest norm of the gradient; 0 for no clipping.")]
    public double MaxGradNorm { get; init; } = 1.0;

    /// <summary>The schedule.</summary>
    internal LearningRateSchedule Schedule => LearningRateSchedule.Parse(LrSchedulerType, LrSchedulerType is "constant" or "none" ? 0 : WarmupRatio, LrSchedulerType is "constant" or "none" ? null : WarmupSteps);

    /// <summary>The update rule's constants.</summary>
    internal OptimizerSettings Rule => new()
    {
        Kind = Optimizer switch
        {
            "bertadam" => OptimizerKind.BertAdam,
            "adamw_transformers" => OptimizerKind.AdamWTransformers,
            _ => OptimizerKind.AdamW,
        },
        LearningRate = LearningRate,
        Epsilon = AdamEpsilon,
        WeightDecay = WeightDecay,
        DecayAll = DecayAll,
        MaxGradNorm = MaxGradNorm,
    };

    /// <summary>Checks values.</summary>
    /// <param name="prefix">Before a key in messages: "intermediate." or nothing.</param>
    /// <param name="faults">Receives one sentence for each fault.</param>
    internal void CheckStage(string prefix, List<string> faults)
    {
        void Need(bool good, string name, object? got, string needed)
        {
            if (!good)
            {
                faults.Add($"{SettingInfo.ToFlag(prefix + name)} is {got}; needed {needed}");
            }
        }

        bool skippable = prefix is "intermediate." or "prediction.";
        Need(NumTrainEpochs is null or > 0 || (NumTrainEpochs == 0 && skippable), "num_train_epochs", NumTrainEpochs, skippable ? "1 or more, or 0 to leave the stage out" : "1 or more");
        Need(MaxSteps >= 0, "max_steps", MaxSteps, "0 or more");
        Need(LearningRate > 0, "learning_rate", LearningRate, "more than 0");
        Need(PerDeviceTrainBatchSize > 0, "per_device_train_batch_size", PerDeviceTrainBatchSize, "1 or more");
        Need(GradientAccumulationSteps > 0, "gradient_accumulation_steps", GradientAccumulationSteps, "1 or more");
        Need(WarmupRatio is >= 0 and < 1, "warmup_ratio", WarmupRatio, "0 or more and less than 1");
        Need(WarmupSteps is null or >= 0, "warmup_steps", WarmupSteps, "0 or more");
        Need(WeightDecay >= 0, "weight_decay", WeightDecay, "0 or more");
        Need(AdamEpsilon > 0, "adam_epsilon", AdamEpsilon, "more than 0");
        Need(MaxGradNorm >= 0, "max_grad_norm", MaxGradNorm, "0 or more");
    }
}
