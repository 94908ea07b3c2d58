namespace Limbeck.Tensors.Kernels;

/// <summary>An instruction that multiplies two pairs of 16-bit numbers in each 32-bit lane and adds both products to a sum.</summary>
internal enum PairProduct
{
    /// <summary>VDPBF16PS: bfloat16 into float32. AVX512_BF16.</summary>
    Bf16,

    /// <summary>VPDPWSSD: integers, exact modulo 2^32. AVX512_VNNI, which CPUs have had for longer: the same loop can be run there.</summary>
    Int16,
}
