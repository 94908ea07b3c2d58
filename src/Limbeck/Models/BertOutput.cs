using Limbeck.Tensors;

namespace Limbeck.Models;

/// <summary>What an encoder computed for a packed batch.</summary>
/// <param name="LastHidden">[T, H]: the last layer's output.</param>
/// <param name="Hidden">The embedding block's output and each layer's, [T, H] each, L+1 in all; empty when not asked for.</param>
/// <param name="Scores">Each layer's raw attention scores q k^T / sqrt(D), packed [sum over sequences of A*len*len]; null where not asked for.</param>
public sealed record BertOutput(Tensor LastHidden, IReadOnlyList<Tensor> Hidden, IReadOnlyList<Tensor?> Scores);
