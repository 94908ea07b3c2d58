using System.Runtime.CompilerServices;

namespace Limbeck.Tensors.Kernels;

/// <summary>Rounds operands of a matrix product to bfloat16 and brings them into the order in which the tile reads them.</summary>
/// <remarks>
/// Two steps of the sum share a 32-bit word, the earlier in the upper half (the instruction adds that one first, so a sum is one chain in the order of k); a last
/// step without a partner has a zero beside it. A panel of [k, width] is [(k + 1)/2, width] words. The rows of A are packed by the same means, in groups of
/// <see cref="Group"/> rows: a group is [(k + 1)/2, Group] words.
/// Generated code, where there is some, does whole panels of a source of stored rows, and whole vectors times <see cref="Bf16PackingCode.Steps"/> steps of one of stored
/// columns; the rest is left to the portable code, whose rounding is the same (<see cref="Bf16Check"/>).
/// </remarks>
internal static unsafe class Bf16Packing
{
    /// <summary>Rows of A that are packed side by side: two strips, so that a pair of them is a whole number of vectors on every tier.</summary>
    public static int Group { get; } = 2 * GemmTile.Rows;

    // By Bf16PackingCode.Number; null where the portable code runs. After Group, which the check of the generated code needs.
    private static readonly delegate* unmanaged<void*, void>[]? Generated = Bf16.PacksAsDefined ? Bf16.Code!.Functions(Bf16.PackingCode, Bf16PackingCode.Kinds) : null;

    /// <summary>Words of 32 bits along k.</summary>
    /// <param name="k">Steps.</param>
    public static int Pairs(int k) => (k / 2) + (k & 1);

    /// <summary>Packs one panel after the other.</summary>
    /// <param name="transposed">Whether the source is stored [n, k], else [k, n].</param>
    /// <param name="columns">Columns to pack, 1 or more; the last panel's others become zero.</param>
    /// <param name="width">Columns of a panel, a whole number of vectors.</param>
    /// <param name="k">Steps.</param>
    /// <param name="source">The first panel's first element.</param>
    /// <param name="stride">Distance of the source's stored rows in floats.</param>
    /// <param name="panels">Receives [Pairs(k), width] for each panel, the panels Pairs(panelSteps) * width words apart.</param>
    /// <param name="panelSteps">Steps that a panel has room for, of which these k are a part; k or more.</param>
    public static void Pack(bool transposed, int columns, int width, int k, float* source, nint stride, uint* panels, int panelSteps)
    {
        switch (Cpu.Tier)
        {
            case CpuTier.Avx512:
                Pack<Lanes16>(transposed, columns, width, k, source, stride, panels, panelSteps);
                break;
            case CpuTier.Avx2:
                Pack<Lanes8>(transposed, columns, width, k, source, stride, panels, panelSteps);
                break;
            default:
                Pack<Lanes4>(transposed, columns, width, k, source, stride, panels, panelSteps);
                break;
        }
    }

    private static void Pack<V>(bool transposed, int columns, int width, int k, float* source, nint stride, uint* panels, int panelSteps)
        where V : struct, ILanes<V>
    {
        nint panelWords = (nint)width * Pairs(panelSteps);
        if (!transposed)
        {
            PackStoredRows<V>(columns, width, k, source, stride, panels, panelWords);
            return;
        }

        for (int first = 0; first < columns; first += width)
        {
            for (int x = 0; x < width; x += V.Count)
            {
                int lanes = Math.Clamp(columns - first - x, 0, V.Count);
                PackStoredColumns<V>(lanes, width, k, source + ((first + x) * stride), stride, panels + (first / width * panelWords) + x);
            }
        }
    }

    // Two stored rows at a time from end to end, so that they are read as they lie.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackStoredRows<V>(int columns, int width, int k, float* source, nint stride, uint* panels, nint panelWords)
        where V : struct, ILanes<V>
    {
        Bf16PackingCall call = Bf16PackingCall.WithShuffle();
        call.Count = Generated is null ? 0 : columns / width;
        call.StrideBytes = stride * sizeof(float);
        call.StepBytes = panelWords * sizeof(uint);
        delegate* unmanaged<void*, void> rowPair = call.Count > 0 ? Generated![Bf16PackingCode.Number(false, width / V.Count)] : null;
        for (int p = 0; p < k; p += 2)
        {
            bool last = p + 1 == k;
            uint* target = panels;
            int begin = 0;
            if (rowPair != null && !last)
            {
                call.Source = source;
                call.Target = panels;
                rowPair(&call);
                begin = (int)call.Count * width;
                target += call.Count * panelWords;
            }

            for (int first = begin; first < columns; first += width)
            {
                for (int x = 0; x < width; x += V.Count)
                {
                    int lanes = columns - first - x;
                    float* from = source + first + x;
                    V earlier, later = V.Zero;
                    if (lanes >= V.Count)
                    {
                        earlier = V.Load(from);
                        later = last ? later : V.Load(from + stride);
                    }
                    else
                    {
                        earlier = V.Load(from, Math.Max(0, lanes));
                        later = last ? later : V.Load(from + stride, Math.Max(0, lanes));
                    }

                    V.Store(Bf16Rounding.Pair(earlier, later), (float*)(target + x));
                }

                target += panelWords;
            }

            source += 2 * stride;
            panels += width;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    [SkipLocalsInit]
    private static void PackStoredColumns<V>(int lanes, int width, int k, float* source, nint stride, uint* panel)
        where V : struct, ILanes<V>
    {
        float* steps = stackalloc float[32];
        int p = 0;
        if (lanes == V.Count && Generated is not null && k >= Bf16PackingCode.Steps)
        {
            Bf16PackingCall call = new() { Source = source, StrideBytes = stride * sizeof(float), Target = panel, Count = k / Bf16PackingCode.Steps };
            Generated[Bf16PackingCode.Number(true, width / V.Count)](&call);
            p = (int)call.Count * Bf16PackingCode.Steps;
            panel += (nint)(p / 2) * width;
        }

        if (lanes == V.Count)
        {
            // 16 steps of one stored row are a cache line: it is read at once, since as many rows as there are lanes may fall into the same few sets of the cache.
            for (; p <= k - 16; p += 16)
            {
                float* from = source + p;
                V a0 = V.LoadGroups(from, stride), b0 = V.LoadGroups(from + 4, stride), c0 = V.LoadGroups(from + 8, stride), d0 = V.LoadGroups(from + 12, stride);
                from += stride;
                V a1 = V.LoadGroups(from, stride), b1 = V.LoadGroups(from + 4, stride), c1 = V.LoadGroups(from + 8, stride), d1 = V.LoadGroups(from + 12, stride);
                from += stride;
                V a2 = V.LoadGroups(from, stride), b2 = V.LoadGroups(from + 4, stride), c2 = V.LoadGroups(from + 8, stride), d2 = V.LoadGroups(from + 12, stride);
                from += stride;
                V a3 = V.LoadGroups(from, stride), b3 = V.LoadGroups(from + 4, stride), c3 = V.LoadGroups(from + 8, stride), d3 = V.LoadGroups(from + 12, stride);
                StoreTransposed(a0, a1, a2, a3, panel, width);
                StoreTransposed(b0, b1, b2, b3, panel + (2 * width), width);
                StoreTransposed(c0, c1, c2, c3, panel + (4 * width), width);
                StoreTransposed(d0, d1, d2, d3, panel + (6 * width), width);
                panel += 8 * width;
            }

            for (; p <= k - 4; p += 4)
            {
                float* from = source + p;
                StoreTransposed(
                    V.LoadGroups(from, stride), V.LoadGroups(from + stride, stride), V.LoadGroups(from + (2 * stride), stride), V.LoadGroups(from + (3 * stride), stride), panel, width);
                panel += 2 * width;
            }
        }

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

    // Four steps of as many columns as there are lanes: two pairs.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreTransposed<V>(V r0, V r1, V r2, V r3, uint* panel, int width)
        where V : struct, ILanes<V>
    {
        V.TransposeGroups(ref r0, ref r1, ref r2, ref r3);
        V.Store(Bf16Rounding.Pair(r0, r1), (float*)panel);
        V.Store(Bf16Rounding.Pair(r2, r3), (float*)(panel + width));
    }
}
