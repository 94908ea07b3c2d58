using Limbeck.Tensors.Threading;

namespace Limbeck.Inference;

/// <summary>How a model is run.</summary>
public sealed record ModelOptions
{
    /// <summary>Longest sequence in tokens, special ones included; null takes what the model says.</summary>
    public int? MaxSequenceLength { get; init; }

    /// <summary>The threads to compute on; null takes <see cref="WorkerTeam.Default"/>.</summary>
    public WorkerTeam? Team { get; init; }

    /// <summary>
    /// About how many tokens a thread computes at once. Texts are packed without padding, so this bounds memory and keeps activations in the caches; one text may have more.
    /// </summary>
    public int TokensAtOnce { get; init; } = 512;
}
