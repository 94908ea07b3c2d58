namespace Limbeck.Training.Optimization;

/// <summary>Which update rule.</summary>
public enum OptimizerKind
{
    /// <summary>torch.optim.AdamW: decoupled decay first, bias-corrected moments, eps added after the correction.</summary>
    AdamW,

    /// <summary>AdamW of transformers 2.4.0, which BERT-of-Theseus ran: eps added before the correction, decay last.</summary>
    AdamWTransformers,

    /// <summary>TinyBERT's BertAdam: no bias correction, eps 1e-6, each tensor clipped by itself.</summary>
    BertAdam,
}

/// <summary>An optimizer's constants.</summary>
public sealed record OptimizerSettings
{
    /// <summary>The update rule.</summary>
    public OptimizerKind Kind { get; init; } = OptimizerKind.AdamW;

    /// <summary>The learning rate at the schedule's peak.</summary>
    public double LearningRate { get; init; } = 5e-5;

    /// <summary>Decay of the first moment.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the second moment.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>Added to the root of the second moment.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Decoupled weight decay.</summary>
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>Whether biases and layer norms decay too, as they do under PyTorch's defaults; BERT's own code and TinyBERT's spare them.</summary>
    public bool DecayAll { get; init; } = true;

    /// <summary>The gradient's largest norm; 0 switches clipping off. Over all tensors together, or over each alone for <see cref="OptimizerKind.BertAdam"/>.</summary>
    public double MaxGradNorm { get; init; } = 1.0;

    /// <summary>TinyBERT's settings (optimization.py of the authors' code): BertAdam, eps 1e-6, decay 0.01 but for biases and layer norms, each tensor clipped to 1.</summary>
    public static OptimizerSettings TinyBert(double learningRate) =>
        new() { Kind = OptimizerKind.BertAdam, LearningRate = learningRate, Epsilon = 1e-6, WeightDecay = 0.01, DecayAll = false, MaxGradNorm = 1.0 };
}
