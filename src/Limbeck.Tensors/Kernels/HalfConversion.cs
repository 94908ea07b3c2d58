using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Kernels;

/// <summary>Between float32 and IEEE half precision, for what is stored in half the space. Integer arithmetic, so the same bits on every machine.</summary>
public static unsafe class HalfConversion
{
    private const int Block = 32768;

    /// <summary>y = x rounded to half precision, halves to even; beyond 65520 it becomes infinite, NaN stays NaN.</summary>
    /// <param name="x">[n].</param>
    /// <param name="y">[n], bits of half-precision numbers.</param>
    /// <param name="n">Number of elements.</param>
    /// <param name="team">Threads.</param>
    public static void FromSingle(float* x, ushort* y, long n, WorkerTeam team)
    {
        Call call = new() { Single = x, Half = y, N = n };
        team.Run(checked((int)((n + Block - 1) / Block)), &FromSingleTask, &call);
    }

    /// <summary>y = x, exactly.</summary>
    /// <param name="x">[n], bits of half-precision numbers.</param>
    /// <param name="y">[n].</param>
    /// <param name="n">Number of elements.</param>
    /// <param name="team">Threads.</param>
    public static void ToSingle(ushort* x, float* y, long n, WorkerTeam team)
    {
        Call call = new() { Single = y, Half = x, N = n };
        team.Run(checked((int)((n + Block - 1) / Block)), &ToSingleTask, &call);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FromSingleTask(void* state, int task, int worker)
    {
        Call* call = (Call*)state;
        long i = (long)task * Block;
        long end = Math.Min(i + Block, call->N);
        for (; i <= end - 16; i += 16)
        {
            Vector256<uint> low = Round(Vector256.Load((uint*)call->Single + i));
            Vector256<uint> high = Round(Vector256.Load((uint*)call->Single + i + 8));
            Vector256.Narrow(low, high).Store(call->Half + i);
        }

        for (; i < end; i++)
        {
            call->Half[i] = BitConverter.HalfToUInt16Bits((Half)call->Single[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ToSingleTask(void* state, int task, int worker)
    {
        Call* call = (Call*)state;
        long i = (long)task * Block;
        long end = Math.Min(i + Block, call->N);
        for (; i <= end - 16; i += 16)
        {
            (Vector256<uint> low, Vector256<uint> high) = Vector256.Widen(Vector256.Load(call->Half + i));
            Widen(low).Store(call->Single + i);
            Widen(high).Store(call->Single + i + 8);
        }

        for (; i < end; i++)
        {
            call->Single[i] = (float)BitConverter.UInt16BitsToHalf(call->Half[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Round(Vector256<uint> bits)
    {
        Vector256<uint> sign = bits & Vector256.Create(0x80000000u);
        Vector256<uint> rest = bits ^ sign;

        // Normal results: add half a unit (0xFFF, or one more if the number is odd), move the exponent's bias from 127 to 15 (less 112 << 23). Overflow carries into infinity.
        Vector256<uint> odd = Vector256.ShiftRightLogical(rest, 13) & Vector256<uint>.One;
        Vector256<uint> normal = Vector256.ShiftRightLogical(rest + Vector256.Create(0xC8000FFFu) + odd, 13);

        // Below 2^-14: the unit of 1/2 is half precision's smallest number, so the addition rounds.
        Vector256<uint> small = (rest.AsSingle() + Vector256.Create(0.5f)).AsUInt32() - Vector256.Create(0x3F000000u);

        Vector256<uint> half = Vector256.ConditionalSelect(Vector256.LessThan(rest, Vector256.Create(0x38800000u)), small, normal);
        half = Vector256.ConditionalSelect(Vector256.GreaterThan(rest, Vector256.Create(0x477FFFFFu)), Vector256.Create(0x7C00u), half);

        // A NaN keeps what fits of its payload and becomes quiet.
        Vector256<uint> nan = (Vector256.ShiftRightLogical(rest, 13) & Vector256.Create(0x3FFu)) | Vector256.Create(0x7E00u);
        half = Vector256.ConditionalSelect(Vector256.GreaterThan(rest, Vector256.Create(0x7F800000u)), nan, half);
        return half | Vector256.ShiftRightLogical(sign, 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Widen(Vector256<uint> half)
    {
        Vector256<uint> sign = Vector256.ShiftLeft(half & Vector256.Create(0x8000u), 16);
        Vector256<uint> rest = half & Vector256.Create(0x7FFFu);

        // Scaling by 2^112 moves the bias and normalizes what was subnormal.
        Vector256<uint> finite = (Vector256.ShiftLeft(rest, 13).AsSingle() * Vector256.Create(5.192296858534828e33f)).AsUInt32();
        Vector256<uint> special = Vector256.ShiftLeft(rest, 13) | Vector256.Create(0x7F800000u);
        special |= Vector256.GreaterThan(rest, Vector256.Create(0x7C00u)) & Vector256.Create(0x00400000u);
        return (Vector256.ConditionalSelect(Vector256.GreaterThan(rest, Vector256.Create(0x7BFFu)), special, finite) | sign).AsSingle();
    }

    private struct Call
    {
        public float* Single;
        public ushort* Half;
        public long N;
    }
}
