using System.Runtime.CompilerServices;

namespace Limbeck.Tensors.Kernels;

/// <summary>The instruction VDPBF16PS in other instructions, with the same bits.</summary>
/// <remarks>
/// What it does is established from Intel's documents.
/// <list type="bullet">
/// <item>Order: the pseudo code (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2C, VDPBF16PS; the same in the Architecture Instruction Set
/// Extensions Programming Reference of May 2019) adds the product of the upper halves to the sum first, then that of the lower halves.</item>
/// <item>Rounding: each of the two is an "FP32 FMA with daz in, ftz out and RNE rounding": the product is not rounded, the sum is, to nearest, ties to even,
/// after each of the two ("when doing each accumulation of the FMA"). MXCSR is neither consulted nor updated.</item>
/// <item>Subnormal numbers: operands, the sum among them, count as zero of their sign; a result that is subnormal becomes zero of its sign, after the first of the two
/// as well. The white paper "BFLOAT16: Hardware Numerics Definition" (Intel, November 2018) asks for the same. Neither says when a result counts as subnormal; taken
/// here is what volume 1 of the manual says of all of x86: rounded to 24 bits with unbounded exponent, it is below 2^-126. (Only results between 2^-126 - 2^-150 and
/// 2^-126 - 2^-151 depend on this.)</item>
/// <item>NaN and infinity: as IEEE 754 says. Which of several NaNs comes out (table "NaN propagation priorities" of the manual) is not imitated: a NaN is a NaN.</item>
/// </list>
/// AMD's manual was not consulted, but a Zen 5 CPU gives these bits in every test; should a CPU do otherwise, <see cref="Bf16.Reason"/> says so.
/// </remarks>
internal static class Bf16Dot
{
    // 2^-126 and the next float32.
    private const int SmallestNormal = 0x00800000;

    // 2^64 lifts whatever lies around 2^-126 to where nothing is subnormal; with it goes 2^-62.
    private const float Lift = 18446744073709551616f;
    private const float LiftedSmallestNormal = 1f / 4611686018427387904f;

    /// <summary>sum + x.upper*y.upper, then + x.lower*y.lower.</summary>
    /// <param name="sum">Sums; none is subnormal.</param>
    /// <param name="xUpper">The first factors of the first product as float32; none is subnormal.</param>
    /// <param name="xLower">The first factors of the second product.</param>
    /// <param name="y">The second factors as pairs.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Add<V>(V sum, V xUpper, V xLower, V y)
        where V : struct, ILanes<V>
    {
        V yUpper = V.And(y, V.CreateBits(Bf16Rounding.High));
        V yLower = V.ShiftLeft(y, 16);
        V first = V.FusedMultiplyAdd(xUpper, yUpper, sum);
        V second = V.FusedMultiplyAdd(xLower, yLower, first);
        return V.Any(V.Or(MayBeSubnormal(first), MayBeSubnormal(second))) ? AddFlushing(sum, xUpper, xLower, yUpper, yLower) : second;
    }

    // Up to 2^-126, which a result a little smaller may have been rounded to.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V MayBeSubnormal<V>(V x)
        where V : struct, ILanes<V>
    {
        V size = V.Abs(x);
        return V.And(V.LessThan(V.Zero, size), V.LessThan(size, V.CreateBits(SmallestNormal + 1)));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static V AddFlushing<V>(V sum, V xUpper, V xLower, V yUpper, V yLower)
        where V : struct, ILanes<V> => MultiplyAdd(xLower, yLower, MultiplyAdd(xUpper, yUpper, sum));

    private static V MultiplyAdd<V>(V x, V y, V sum)
        where V : struct, ILanes<V>
    {
        V result = V.FusedMultiplyAdd(x, y, sum);
        V lifted = V.Abs(V.FusedMultiplyAdd(x * V.Create(Lift), y, sum * V.Create(Lift)));
        V subnormal = V.And(V.LessThan(lifted, V.Create(LiftedSmallestNormal)), V.LessThan(V.Abs(result), V.CreateBits(SmallestNormal + 1)));
        return V.Select(subnormal, V.And(result, V.CreateBits(unchecked((int)0x80000000))), result);
    }
}
