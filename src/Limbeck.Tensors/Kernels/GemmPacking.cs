using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Limbeck.Tensors.Kernels;

/// <summary>Brings operands of a matrix product into the order in which the tile reads them (layout: see <see cref="GemmTile"/>), and a tile of the transposed C into that of C.</summary>
internal static unsafe class GemmPacking
{
    /// <summary>Packs one panel of B.</summary>
    /// <param name="transposed">Whether B is stored [n, k], else [k, n].</param>
    /// <param name="columns">Columns that B has here, 1..width.</param>
    /// <param name="width">Columns of the panel, a whole number of vectors.</param>
    /// <param name="k">Rows of B.</param>
    /// <param name="b">The first of the panel's elements in the source.</param>
    /// <param name="ldb">Distance of the source's stored rows in floats.</param>
    /// <param name="panel">Receives [k, width]; what lies beyond the columns, see <see cref="GemmTile"/>.</param>
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

    /// <summary>target = source^T.</summary>
    /// <param name="rows">Rows of the source: the target's columns.</param>
    /// <param name="columns">Columns of the source: the target's rows.</param>
    /// <param name="source">[rows, columns].</param>
    /// <param name="sourceRow">Distance of the source's rows in floats.</param>
    /// <param name="target">[columns, rows]; may not overlap the source.</param>
    /// <param name="targetRow">Distance of the target's rows in floats.</param>
    public static void Transpose(int rows, int columns, float* source, nint sourceRow, float* target, nint targetRow)
    {
        int row = 0;
        if (Cpu.Tier == CpuTier.Avx512)
        {
            for (; row <= rows - Lanes8.Count; row += Lanes8.Count)
            {
                TransposeRows<Lanes8>(columns, source + (row * sourceRow), sourceRow, target + row, targetRow);
            }
        }

        for (; row <= rows - Lanes4.Count; row += Lanes4.Count)
        {
            TransposeRows<Lanes4>(columns, source + (row * sourceRow), sourceRow, target + row, targetRow);
        }

        TransposeFew(rows - row, columns, source + (row * sourceRow), sourceRow, target + row, targetRow);
    }

    // As many rows of the source as there are lanes.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransposeRows<V>(int columns, float* source, nint sourceRow, float* target, nint targetRow)
        where V : struct, ILanes<V>
    {
        int column = 0;
        for (; column <= columns - 4; column += 4)
        {
            V t0 = V.LoadGroups(source, sourceRow);
            V t1 = V.LoadGroups(source + sourceRow, sourceRow);
            V t2 = V.LoadGroups(source + (2 * sourceRow), sourceRow);
            V t3 = V.LoadGroups(source + (3 * sourceRow), sourceRow);
            V.TransposeGroups(ref t0, ref t1, ref t2, ref t3);
            V.Store(t0, target);
            V.Store(t1, target + targetRow);
            V.Store(t2, target + (2 * targetRow));
            V.Store(t3, target + (3 * targetRow));
            source += 4;
            target += 4 * targetRow;
        }

        TransposeFew(V.Count, columns - column, source, sourceRow, target, targetRow);
    }

    private static void TransposeFew(int rows, int columns, float* source, nint sourceRow, float* target, nint targetRow)
    {
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                target[(column * targetRow) + row] = source[(row * sourceRow) + column];
            }
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
        bool doubled = GemmTile.IsDoubled(columns, width);
        for (int p = 0; p < k; p++)
        {
            for (int x = 0; x < whole; x += V.Count)
            {
                V.Store(V.Load(b + x), panel + x);
            }

            if (whole < width)
            {
                V.Store(V.Load(b + whole, columns - whole), panel + whole);
                if (doubled)
                {
                    V.Store(V.Load(b + whole, columns - whole), panel + whole + (V.Count / 2), V.Count / 2);
                }
            }

            b += ldb;
            panel += width;
        }
    }

    private static void PackStoredColumns<V>(int columns, int width, int k, float* b, nint ldb, float* panel)
        where V : struct, ILanes<V>
    {
        for (int x = 0; x < width; x += V.Count)
        {
            float* source = b + (x * ldb);
            float* target = panel + x;
            int lanes = Math.Min(V.Count, columns - x);
            if (lanes == V.Count)
            {
                PackVector<V>(k, source, ldb, target, width);
                continue;
            }

            int packed = 0;
            if (lanes >= Lanes8.Count && V.Count > Lanes8.Count)
            {
                PackVector<Lanes8>(k, source, ldb, target, width);
                packed = Lanes8.Count;
            }

            bool doubled = GemmTile.IsDoubled(columns, width);
            for (int p = 0; p < k; p++)
            {
                for (int i = packed; i < V.Count; i++)
                {
                    target[i] = i < lanes ? source[(i * ldb) + p] : 0f;
                }

                if (doubled)
                {
                    Vector256.Load(target).Store(target + Lanes8.Count);
                }

                target += width;
            }
        }
    }

    // As many columns as there are lanes.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackVector<V>(int k, float* source, nint ldb, float* target, nint width)
        where V : struct, ILanes<V>
    {
        int p = 0;
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

        for (; p < k; p++)
        {
            for (int i = 0; i < V.Count; i++)
            {
                target[i] = source[(i * ldb) + p];
            }

            target += width;
        }
    }
}
