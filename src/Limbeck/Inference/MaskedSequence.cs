namespace Limbeck.Inference;

/// <summary>A model's input with one place to fill.</summary>
/// <param name="Ids">Token ids, special ones included; at <paramref name="Position"/> stands the masking token.</param>
/// <param name="TypeIds">Segment ids, as many.</param>
/// <param name="Position">The place to fill, from 0.</param>
public readonly record struct MaskedSequence(int[] Ids, int[] TypeIds, int Position);
