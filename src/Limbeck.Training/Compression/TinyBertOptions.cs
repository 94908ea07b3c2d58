using Limbeck.Checkpoints;

namespace Limbeck.Training.Compression;

/// <summary>TinyBERT's constants and the switches that go back to the authors' code.</summary>
public sealed record TinyBertOptions
{
    /// <summary>g: which teacher layer each student layer learns from.</summary>
    public required LayerMap LayerMap { get; init; }

    /// <summary>The temperature t of Eq. 10; the authors use 1.</summary>
    public float Temperature { get; init; } = 1f;

    /// <summary>One projection for each layer (as in the released second version of the general students) instead of one for all.</summary>
    public bool ProjectionPerLayer { get; init; }

    /// <summary>Whether to learn attention scores (Eq. 7).</summary>
    public bool AttentionLoss { get; init; } = true;

    /// <summary>Whether to learn hidden states (Eq. 8).</summary>
    public bool HiddenLoss { get; init; } = true;

    /// <summary>Whether to learn the embedding block's output (Eq. 9); needs <see cref="HiddenLoss"/>.</summary>
    public bool EmbeddingLoss { get; init; } = true;

    /// <summary>What the general stage learns of the teacher's sentence vectors, on top of the paper's losses.</summary>
    public SentenceLoss SentenceLoss { get; init; }

    /// <summary>Weight of the sentence loss; those of the paper's losses are 1.</summary>
    public float SentenceWeight { get; init; } = 1f;

    /// <summary>How the teacher makes a sentence vector of its hidden states; the student does as it.</summary>
    public PoolingMode Pooling { get; init; } = PoolingMode.Mean;

    /// <summary>Divide the soft cross entropy by the number of classes too, as the authors' code does.</summary>
    public bool MeanOverClasses { get; init; }

    /// <summary>Let a regression's prediction stage learn the gold scores, as the authors' code does; their published results learned the teacher's.</summary>
    public bool GoldRegression { get; init; }
}
