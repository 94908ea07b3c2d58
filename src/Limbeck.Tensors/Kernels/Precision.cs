namespace Limbeck.Tensors.Kernels;

/// <summary>What a matrix product does to its operands before it multiplies them. Sums are float32 either way.</summary>
public enum Precision
{
    /// <summary>Nothing.</summary>
    Float32 = 0,

    /// <summary>Rounds them to bfloat16 (8 bits of significand, the exponents of float32), to nearest, ties to even. See <see cref="Kernels.Bf16"/>.</summary>
    Bf16 = 1,
}
