using System.Runtime.CompilerServices;

namespace Limbeck.Tensors.Kernels;

/// <summary>Float32 rounded to bfloat16, as the CPU's own conversion does it.</summary>
/// <remarks>
/// VCVTNEPS2BF16 (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2C): to nearest, ties to even, whatever MXCSR says; subnormal numbers become
/// zero of their sign; infinities stay; a NaN keeps its upper bits and becomes quiet. A normal number never becomes subnormal, as both formats have the same exponents.
/// </remarks>
internal static class Bf16Rounding
{
    /// <summary>The bits of a float32 that are a bfloat16.</summary>
    public const int High = unchecked((int)0xffff0000);

    /// <summary>Rounds; the result is a float32 whose low 16 bits are zero.</summary>
    /// <param name="x">The numbers.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Round<V>(V x)
        where V : struct, ILanes<V>
    {
        V size = V.And(x, V.CreateBits(0x7fffffff));
        V odd = V.And(V.ShiftRightLogical(x, 16), V.CreateBits(1));
        V rounded = V.AddInt(x, V.AddInt(odd, V.CreateBits(0x7fff)));
        rounded = V.Select(V.LessThanInt(V.CreateBits(0x7f800000), size), V.Or(x, V.CreateBits(0x00400000)), rounded);
        rounded = V.Select(V.LessThanInt(size, V.CreateBits(0x00800000)), V.And(x, V.CreateBits(unchecked((int)0x80000000))), rounded);
        return V.And(rounded, V.CreateBits(High));
    }

    /// <summary>Two steps of a sum as the pair that the product reads: the earlier in the upper half.</summary>
    /// <param name="earlier">The numbers of step p, p even.</param>
    /// <param name="later">The numbers of step p + 1.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Pair<V>(V earlier, V later)
        where V : struct, ILanes<V> => V.Or(Round(earlier), V.ShiftRightLogical(Round(later), 16));
}
