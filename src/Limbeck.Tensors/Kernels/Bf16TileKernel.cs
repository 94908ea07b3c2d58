using System.Numerics;
using System.Runtime.CompilerServices;

namespace Limbeck.Tensors.Kernels;

/// <summary>The tile of a product in bfloat16 on any CPU, with the bits of the generated one. Slow: it is there for tests and for looking at what bf16 does.</summary>
internal static unsafe class Bf16TileKernel
{
    /// <summary>C tile = A strip * B panel (+ C when accumulating, added at the end).</summary>
    /// <param name="rows">1..8.</param>
    /// <param name="vectors">Vectors in a row of the panel, 1..3.</param>
    /// <param name="accumulate">Whether C is added to; else C is only written.</param>
    /// <param name="call">Operands.</param>
    public static void Run(int rows, int vectors, bool accumulate, Bf16TileCall* call)
    {
        switch (Cpu.Tier)
        {
            case CpuTier.Avx512:
                Run<Lanes16>(rows, vectors, accumulate, call);
                break;
            case CpuTier.Avx2:
                Run<Lanes8>(rows, vectors, accumulate, call);
                break;
            default:
                Run<Lanes4>(rows, vectors, accumulate, call);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run<V>(int rows, int vectors, bool accumulate, Bf16TileCall* call)
        where V : struct, ILanes<V>
    {
        int last = BitOperations.PopCount((ulong)call->LastMask);
        for (int i = 0; i < rows; i++)
        {
            V c0 = V.Zero, c1 = V.Zero, c2 = V.Zero;
            uint* a = call->A + i;
            float* b = (float*)call->B;
            for (nint p = call->Pairs; p > 0; p--)
            {
                V x = V.CreateBits((int)*a);
                V upper = V.And(x, V.CreateBits(Bf16Rounding.High));
                V lower = V.ShiftLeft(x, 16);
                c0 = Bf16Dot.Add(c0, upper, lower, V.Load(b));
                if (vectors > 1)
                {
                    c1 = Bf16Dot.Add(c1, upper, lower, V.Load(b + V.Count));
                }

                if (vectors > 2)
                {
                    c2 = Bf16Dot.Add(c2, upper, lower, V.Load(b + (2 * V.Count)));
                }

                a += Bf16Packing.Group;
                b += vectors * V.Count;
            }

            float* c = (float*)((byte*)call->C + (i * call->LdcBytes));
            Store(c, c0, vectors == 1 ? last : V.Count, accumulate);
            if (vectors > 1)
            {
                Store(c + V.Count, c1, vectors == 2 ? last : V.Count, accumulate);
            }

            if (vectors > 2)
            {
                Store(c + (2 * V.Count), c2, last, accumulate);
            }
        }
    }

    private static void Store<V>(float* c, V sum, int lanes, bool accumulate)
        where V : struct, ILanes<V> => V.Store(accumulate ? sum + V.Load(c, lanes) : sum, c, lanes);
}
