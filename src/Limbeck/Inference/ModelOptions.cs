using Limbeck.Tensors.Kernels;
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

    /// <summary>
    /// What dense layers multiply in. <see cref="Precision.Bf16"/> takes half the memory for packed weights and about half the time where <see cref="Bf16.IsAccelerated"/> says
    /// that the CPU has it, and is slow elsewhere; answers differ in the third digit.
    /// </summary>
    public Precision Precision { get; init; }
}
