using System.Runtime.CompilerServices;

namespace Limbeck.Tensors.Kernels;

/// <summary>Rounds operands of a matrix product to bfloat16 and brings them into the order in which the tile reads them.</summary>
/// <remarks>
/// Two steps of the sum share a 32-bit word, the earlier in the upper half (the instruction adds that one first, so a sum is one chain in the order of k); a last
/// step without a partner has a zero beside it. A panel of [k, width] is [(k + 1)/2, width] words. The rows of A are packed by the same means, in groups of
/// <see cref="Group"/> rows: a group is [(k + 1)/2, Group] words.
/// </remarks>
internal static unsafe class Bf16Packing
{
    /// <summary>Rows of A that are packed side by side: two strips, so that a pair of them is a whole number of vectors on every tier.</summary>
    public static int Group { get; } = 2 * GemmTile.Rows;

    /// <summary>Words of 32 bits along k.</summary>
    /// <param name="k">Steps.</param>
    public static int Pairs(int k) => (k / 2) + (k & 1);

    /// <summary>Packs one panel.</summary>
    /// <param name="transposed">Whether the source is stored [n, k], else [k, n].</param>
    /// <param name="columns">Columns that the source has here, 1..width.</param>
    /// <param name="width">Columns of the panel, a whole number of vectors.</param>
    /// <param name="k">Steps.</param>
    /// <param name="source">The first of the panel's elements.</param>
    /// <param name="stride">Distance of the source's stored rows in floats.</param>
    /// <param name="panel">Receives [Pairs(k), width].</param>
    public static void PackPanel(bool transposed, int columns, int width, int k, float* source, nint stride, uint* panel)
    {
        switch (Cpu.Tier)
        {
            case CpuTier.Avx512:
                PackPanel<Lanes16>(transposed, columns, width, k, source, stride, panel);
                break;
            case CpuTier.Avx2:
                PackPanel<Lanes8>(transposed, columns, width, k, source, stride, panel);
                break;
            default:
                PackPanel<Lanes4>(transposed, columns, width, k, source, stride, panel);
                break;
        }
    }

    private static void PackPanel<V>(bool transposed, int columns, int width, int k, float* source, nint stride, uint* panel)
        where V : struct, ILanes<V>
    {
        for (int x = 0; x < width; x += V.Count)
        {
            int lanes = Math.Clamp(columns - x, 0, V.Count);
            if (transposed)
            {
                PackStoredColumns<V>(lanes, width, k, source + (x * stride), stride, panel + x);
            }
            else
            {
                PackStoredRows<V>(lanes, width, k, source + x, stride, panel + x);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackStoredRows<V>(int lanes, int width, int k, float* source, nint stride, uint* panel)
        where V : struct, ILanes<V>
    {
        bool whole = lanes == V.Count;
        for (int p = 0; p < k; p += 2)
        {
            V earlier = whole ? V.Load(source) : V.Load(source, lanes);
            V later = p + 1 == k ? V.Zero : whole ? V.Load(source + stride) : V.Load(source + stride, lanes);
            V.Store(Bf16Rounding.Pair(earlier, later), (float*)panel);
            source += 2 * stride;
            panel += width;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    [SkipLocalsInit]
    private static void PackStoredColumns<V>(int lanes, int width, int k, float* source, nint stride, uint* panel)
        where V : struct, ILanes<V>
    {
        int p = 0;
        if (lanes == V.Count)
        {
            for (; p <= k - 4; p += 4)
            {
                V r0 = V.LoadGroups(source + p, stride);
                V r1 = V.LoadGroups(source + p + stride, stride);
                V r2 = V.LoadGroups(source + p + (2 * stride), stride);
                V r3 = V.LoadGroups(source + p + (3 * stride), stride);
                V.TransposeGroups(ref r0, ref r1, ref r2, ref r3);
                V.Store(Bf16Rounding.Pair(r0, r1), (float*)panel);
                V.Store(Bf16Rounding.Pair(r2, r3), (float*)(panel + width));
                panel += 2 * width;
            }
        }

        float* steps = stackalloc float[32];
        for (; p < k; p += 2)
        {
            for (int i = 0; i < V.Count; i++)
            {
                steps[i] = i < lanes ? source[(i * stride) + p] : 0f;
                steps[V.Count + i] = i < lanes && p + 1 < k ? source[(i * stride) + p + 1] : 0f;
            }

            V.Store(Bf16Rounding.Pair(V.Load(steps), V.Load(steps + V.Count)), (float*)panel);
            panel += width;
        }
    }
}
