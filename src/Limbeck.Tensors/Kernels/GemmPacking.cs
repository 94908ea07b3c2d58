using System.Runtime.CompilerServices;

namespace Limbeck.Tensors.Kernels;

/// <summary>Brings the operands of a matrix product into the order in which the tile reads them. Layout of packed B: see <see cref="GemmTile"/>.</summary>
internal static unsafe class GemmPacking
{
    // Rows of the source copied together: so many streams the hardware prefetchers follow.
    private const int StreamRows = 8;

    /// <summary>Packs rows [first, first+count) of B stored [k, n] into all panels.</summary>
    /// <param name="panels">The cut of n.</param>
    /// <param name="n">Columns of B.</param>
    /// <param name="k">Rows that the packed matrix has in all.</param>
    /// <param name="first">First row to pack.</param>
    /// <param name="count">Rows to pack.</param>
    /// <param name="b">Row 0 of the packed matrix in the source.</param>
    /// <param name="ldb">Distance of the source's rows in floats.</param>
    /// <param name="packed">The packed matrix.</param>
    public static void PackRows(in GemmPanels panels, int n, int k, int first, int count, float* b, nint ldb, float* packed)
    {
        switch (Cpu.Tier)
        {
            case CpuTier.Avx512:
                PackRows<Lanes16>(panels, n, k, first, count, b, ldb, packed);
                break;
            case CpuTier.Avx2:
                PackRows<Lanes8>(panels, n, k, first, count, b, ldb, packed);
                break;
            default:
                PackRows<Lanes4>(panels, n, k, first, count, b, ldb, packed);
                break;
        }
    }

    /// <summary>Packs one panel of B stored [n, k].</summary>
    /// <param name="columns">Columns that B has here (stored rows), 1..width.</param>
    /// <param name="width">Columns of the panel.</param>
    /// <param name="k">Rows of B.</param>
    /// <param name="b">The first of the panel's columns, contiguous along k.</param>
    /// <param name="ldb">Distance of B's columns in floats.</param>
    /// <param name="panel">Receives [k, width].</param>
    public static void PackColumns(int columns, int width, int k, float* b, nint ldb, float* panel)
    {
        switch (Cpu.Tier)
        {
            case CpuTier.Avx512:
                PackColumns<Lanes16>(columns, width, k, b, ldb, panel);
                break;
            case CpuTier.Avx2:
                PackColumns<Lanes8>(columns, width, k, b, ldb, panel);
                break;
            default:
                PackColumns<Lanes4>(columns, width, k, b, ldb, panel);
                break;
        }
    }

    /// <summary>
    /// Packs steps [first, first+count) of A stored [k, m] into strips: the strip of rows i.. lies at packed + i*k and holds
    /// <see cref="GemmTile.Rows"/> floats a step; what it has beyond m is not written.
    /// </summary>
    /// <param name="m">Rows of A (stored columns).</param>
    /// <param name="k">Steps that the packed matrix has in all.</param>
    /// <param name="first">First step to pack.</param>
    /// <param name="count">Steps to pack.</param>
    /// <param name="a">Step 0 of the packed matrix in the source.</param>
    /// <param name="lda">Distance of the source's stored rows in floats.</param>
    /// <param name="packed">The packed matrix.</param>
    public static void PackStrips(int m, int k, int first, int count, float* a, nint lda, float* packed)
    {
        if (GemmTile.Rows == 8)
        {
            if (Cpu.Tier == CpuTier.Avx512)
            {
                PackStrips<Lanes8>(m, k, first, count, a, lda, packed, 1);
            }
            else
            {
                PackStrips<Lanes4>(m, k, first, count, a, lda, packed, 2);
            }
        }
        else
        {
            PackStrips<Lanes4>(m, k, first, count, a, lda, packed, 1);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackRows<V>(in GemmPanels panels, int n, int k, int first, int count, float* b, nint ldb, float* packed)
        where V : struct, ILanes<V>
    {
        for (int block = first; block < first + count; block += StreamRows)
        {
            int rows = Math.Min(StreamRows, first + count - block);
            for (int j = 0; j < panels.Count; j++)
            {
                int column = panels.Start(j);
                int width = panels.Width(j);
                int whole = Math.Min(width, n - column) / V.Count * V.Count;
                float* source = b + (block * ldb) + column;
                float* target = packed + ((nint)column * k) + ((nint)block * width);
                for (int p = 0; p < rows; p++)
                {
                    int x = 0;
                    for (; x < whole; x += V.Count)
                    {
                        V.Store(V.Load(source + x), target + x);
                    }

                    if (x < width)
                    {
                        V.Store(V.Load(source + x, n - column - x), target + x);
                    }

                    source += ldb;
                    target += width;
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackColumns<V>(int columns, int width, int k, float* b, nint ldb, float* panel)
        where V : struct, ILanes<V>
    {
        for (int x = 0; x < width; x += V.Count)
        {
            float* source = b + (x * ldb);
            float* target = panel + x;
            int lanes = Math.Min(V.Count, columns - x);
            int p = 0;
            if (lanes == V.Count)
            {
                for (; p <= k - 4; p += 4)
                {
                    V r0 = V.LoadGroups(source + p, ldb);
                    V r1 = V.LoadGroups(source + p + ldb, ldb);
                    V r2 = V.LoadGroups(source + p + (2 * ldb), ldb);
                    V r3 = V.LoadGroups(source + p + (3 * ldb), ldb);
                    V.TransposeGroups(ref r0, ref r1, ref r2, ref r3);
                    V.Store(r0, target);
                    V.Store(r1, target + width);
                    V.Store(r2, target + (2 * width));
                    V.Store(r3, target + (3 * width));
                    target += 4 * width;
                }
            }

            for (; p < k; p++)
            {
                for (int i = 0; i < V.Count; i++)
                {
                    target[i] = i < lanes ? source[(i * ldb) + p] : 0f;
                }

                target += width;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackStrips<V>(int m, int k, int first, int count, float* a, nint lda, float* packed, int vectors)
        where V : struct, ILanes<V>
    {
        int width = V.Count * vectors;
        for (int block = first; block < first + count; block += StreamRows)
        {
            int rows = Math.Min(StreamRows, first + count - block);
            for (int i = 0; i < m; i += width)
            {
                float* source = a + (block * lda) + i;
                float* target = packed + ((nint)i * k) + ((nint)block * width);
                bool whole = i + width <= m;
                for (int p = 0; p < rows; p++)
                {
                    if (whole)
                    {
                        V.Store(V.Load(source), target);
                        if (vectors > 1)
                        {
                            V.Store(V.Load(source + V.Count), target + V.Count);
                        }
                    }
                    else
                    {
                        for (int x = 0; x < m - i; x++)
                        {
                            target[x] = source[x];
                        }
                    }

                    source += lda;
                    target += width;
                }
            }
        }
    }
}
