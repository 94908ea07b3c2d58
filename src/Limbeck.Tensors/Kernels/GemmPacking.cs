using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Limbeck.Tensors.Kernels;

/// <summary>Brings operands of a matrix product into the order in which the tile reads them (layout: see <see cref="GemmTile"/>), and a transposed tile into that of C.</summary>
internal static unsafe class GemmPacking
{
    /// <summary>Packs one panel of B.</summary>
    /// <param name="transposed">Whether B is stored [n, k], else [k, n].</param>
    /// <param name="columns">Columns that B has here, 1..width.</param>
    /// <param name="width">Columns of the panel, a whole number of vectors.</param>
    /// <param name="k">Rows of B.</param>
    /// <param name="b">The first of the panel's elements in the source.</param>
    /// <param name="ldb">Distance of the source's stored rows in floats.</param>
    /// <param name="panel">Receives [k, width].</param>
    public static void PackPanel(bool transposed, int columns, int width, int k, float* b, nint ldb, float* panel)
    {
        switch (Cpu.Tier)
        {
            case CpuTier.Avx512:
                PackPanel<Lanes16>(transposed, columns, width, k, b, ldb, panel);
                break;
            case CpuTier.Avx2:
                PackPanel<Lanes8>(transposed, columns, width, k, b, ldb, panel);
                break;
            default:
                PackPanel<Lanes4>(transposed, columns, width, k, b, ldb, panel);
                break;
        }
    }

    /// <summary>Packs a strip of A stored [k, m]: <see cref="GemmTile.Rows"/> floats a step, of which those beyond the strip's rows are not written.</summary>
    /// <param name="rows">Rows of the strip, 1..<see cref="GemmTile.Rows"/>.</param>
    /// <param name="k">Steps.</param>
    /// <param name="a">The strip's first element in the source.</param>
    /// <param name="lda">Distance of the source's stored rows in floats.</param>
    /// <param name="strip">Receives [k, Rows].</param>
    public static void PackStrip(int rows, int k, float* a, nint lda, float* strip)
    {
        for (int p = 0; p < k; p++)
        {
            for (int i = 0; i < rows; i++)
            {
                strip[i] = a[i];
            }

            a += lda;
            strip += GemmTile.Rows;
        }
    }

    /// <summary>C = tile^T (+ C when accumulating).</summary>
    /// <param name="rows">Rows of the tile: C's columns.</param>
    /// <param name="columns">Columns of the tile, a multiple of 4: C's rows.</param>
    /// <param name="tile">[rows, columns].</param>
    /// <param name="width">Distance of the tile's rows in floats.</param>
    /// <param name="c">[columns, rows].</param>
    /// <param name="ldc">Distance of C's rows in floats.</param>
    /// <param name="accumulate">Whether C is added to; else it is only written.</param>
    public static void StoreTransposed(int rows, int columns, float* tile, int width, float* c, nint ldc, bool accumulate)
    {
        Debug.Assert(columns % 4 == 0, "C is transposed where its rows are a whole number of cache lines' floats.");
        int row = 0;
        if (Cpu.Tier == CpuTier.Avx512)
        {
            for (; row <= rows - Lanes8.Count; row += Lanes8.Count)
            {
                StoreTransposed<Lanes8>(columns, tile + (row * width), width, c + row, ldc, accumulate);
            }
        }

        for (; row <= rows - Lanes4.Count; row += Lanes4.Count)
        {
            StoreTransposed<Lanes4>(columns, tile + (row * width), width, c + row, ldc, accumulate);
        }

        for (; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                float value = tile[(row * width) + column];
                float* target = c + (column * ldc) + row;
                *target = accumulate ? *target + value : value;
            }
        }
    }

    // As many rows of the tile as there are lanes.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void StoreTransposed<V>(int columns, float* tile, nint width, float* c, nint ldc, bool accumulate)
        where V : struct, ILanes<V>
    {
        for (int column = 0; column < columns; column += 4)
        {
            V c0 = V.LoadGroups(tile, width);
            V c1 = V.LoadGroups(tile + width, width);
            V c2 = V.LoadGroups(tile + (2 * width), width);
            V c3 = V.LoadGroups(tile + (3 * width), width);
            V.TransposeGroups(ref c0, ref c1, ref c2, ref c3);
            if (accumulate)
            {
                c0 = V.Load(c) + c0;
                c1 = V.Load(c + ldc) + c1;
                c2 = V.Load(c + (2 * ldc)) + c2;
                c3 = V.Load(c + (3 * ldc)) + c3;
            }

            V.Store(c0, c);
            V.Store(c1, c + ldc);
            V.Store(c2, c + (2 * ldc));
            V.Store(c3, c + (3 * ldc));
            tile += 4;
            c += 4 * ldc;
        }
    }

    private static void PackPanel<V>(bool transposed, int columns, int width, int k, float* b, nint ldb, float* panel)
        where V : struct, ILanes<V>
    {
        if (transposed)
        {
            PackStoredColumns<V>(columns, width, k, b, ldb, panel);
        }
        else
        {
            PackStoredRows<V>(columns, width, k, b, ldb, panel);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackStoredRows<V>(int columns, int width, int k, float* b, nint ldb, float* panel)
        where V : struct, ILanes<V>
    {
        int whole = columns / V.Count * V.Count;
        for (int p = 0; p < k; p++)
        {
            for (int x = 0; x < whole; x += V.Count)
            {
                V.Store(V.Load(b + x), panel + x);
            }

            if (whole < width)
            {
                V.Store(V.Load(b + whole, columns - whole), panel + whole);
            }

            b += ldb;
            panel += width;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackStoredColumns<V>(int columns, int width, int k, float* b, nint ldb, float* panel)
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
}
