using Limbeck.Tensors;

namespace Limbeck.Training.Loop;

/// <summary>What one forward pass reads.</summary>
/// <param name="Packed">The sequences, end to end.</param>
/// <param name="Rows">Which rows of the data set they are.</param>
public sealed record TrainingBatch(PackedBatch Packed, int[] Rows)
{
    /// <summary>The places of <see cref="Packed"/> whose token is to be predicted; empty outside masked language modelling.</summary>
    public int[] MaskedRows { get; init; } = [];

    /// <summary>The token that stood at each of <see cref="MaskedRows"/>.</summary>
    public int[] MaskedIds { get; init; } = [];
}
