using Limbeck.Tensors;

namespace Limbeck.Training.Loop;

/// <summary>What one forward pass reads.</summary>
/// <param name="Packed">The sequences, end to end.</param>
/// <param name="Rows">Which rows of the data set they are.</param>
public sealed record TrainingBatch(PackedBatch Packed, int[] Rows);
