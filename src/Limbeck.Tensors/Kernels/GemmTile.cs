using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.Arm;
using static Limbeck.Tensors.Kernels.GemmTileKernel;

namespace Limbeck.Tensors.Kernels;

/// <summary>
/// The single-threaded pieces of the matrix product, for kernels that multiply small blocks themselves (attention): tile sizes of this
/// CPU, the layout of packed B, and products of a view of A with packed B. <see cref="Gemm"/> is built of them.
/// </summary>
/// <remarks>
/// Packed B, for B of [k, n]: the columns are cut into panels (<see cref="GemmPanels"/>: 3 vectors wide, the last ones narrower, each a
/// whole number of vectors). The panel that starts at column j and has w columns lies at packed + j*k and is a [k, w] matrix without
/// gaps. Columns beyond n are zero. So a panel may be cut in k by moving the pointer by w for each step.
/// Every element of C is one chain of multiply-adds in the order of k, whatever the tile that computes it: cutting m or n in another way
/// gives the same bits.
/// </remarks>
internal static unsafe class GemmTile
{
    private static readonly delegate*<nint, float*, nint, nint, float*, float*, nint, int, bool, float, void>[] Kernels = Cpu.Tier switch
    {
        CpuTier.Avx512 => Table<Lanes16>(),
        CpuTier.Avx2 => Table<Lanes8>(),
        _ => Table<Lanes4>(),
    };

    /// <summary>Floats in a vector: 16, 8 or 4.</summary>
    public static int Lane { get; } = Cpu.Tier switch
    {
        CpuTier.Avx512 => 16,
        CpuTier.Avx2 => 8,
        _ => 4,
    };

    /// <summary>Rows of the largest tile: 8 where there are 32 vector registers, else 4.</summary>
    public static int Rows { get; } = Cpu.Tier == CpuTier.Avx512 || AdvSimd.Arm64.IsSupported ? 8 : 4;

    /// <summary>Columns of the widest panel: 3 vectors.</summary>
    public static int Columns => 3 * Lane;

    /// <summary>Floats that B of [k, n] takes when packed.</summary>
    public static long PackedFloats(int n, int k) => (long)new GemmPanels(n).PaddedColumns * k;

    /// <summary>One tile: C[rows, columns] = scale * A * panel (+ C when accumulating).</summary>
    /// <param name="rows">1..<see cref="Rows"/>.</param>
    /// <param name="columns">1..<see cref="Columns"/>; the panel's width is this, rounded up to whole vectors.</param>
    /// <param name="k">Length of the sum, 0 or more.</param>
    /// <param name="a">Element (row i, step p) is a[i*aRow + p*aStep]: (lda, 1) for a row-major A, (1, lda) for one stored transposed.</param>
    /// <param name="aRow">Distance of A's rows in floats.</param>
    /// <param name="aStep">Distance of A's steps along k in floats.</param>
    /// <param name="panel">[k, width].</param>
    /// <param name="c">First element of the tile.</param>
    /// <param name="ldc">Distance of C's rows in floats.</param>
    /// <param name="accumulate">Whether C is added to; else C is only written.</param>
    /// <param name="scale">Factor on the product.</param>
    public static void Run(int rows, int columns, int k, float* a, nint aRow, nint aStep, float* panel, float* c, nint ldc, bool accumulate, float scale = 1f)
    {
        Debug.Assert(rows >= 1 && rows <= Rows && columns >= 1 && columns <= Columns && k >= 0);
        int vectors = (columns + Lane - 1) / Lane;
        Kernels[(rows * 3) + vectors - 4](k, a, aRow, aStep, panel, c, ldc, columns - ((vectors - 1) * Lane), accumulate, scale);
    }

    /// <summary>C[m, n] = scale * A * B (+ C when accumulating) with B packed, on the calling thread.</summary>
    /// <param name="m">Rows of C, 0 or more.</param>
    /// <param name="n">Columns of C, 0 or more.</param>
    /// <param name="k">Length of the sum, 0 or more: all of it in one chain, so best where a panel fits the first-level cache (k up to about 256).</param>
    /// <param name="a">Element (row i, step p) is a[i*aRow + p*aStep].</param>
    /// <param name="aRow">Distance of A's rows in floats.</param>
    /// <param name="aStep">Distance of A's steps along k in floats.</param>
    /// <param name="packedB">From <see cref="Pack"/> with the same n and k.</param>
    /// <param name="c">First element of C.</param>
    /// <param name="ldc">Distance of C's rows in floats.</param>
    /// <param name="accumulate">Whether C is added to; else C is only written.</param>
    /// <param name="scale">Factor on the product.</param>
    public static void Multiply(int m, int n, int k, float* a, nint aRow, nint aStep, float* packedB, float* c, nint ldc, bool accumulate, float scale = 1f)
    {
        var panels = new GemmPanels(n);
        for (int j = 0; j < panels.Count; j++)
        {
            int column = panels.Start(j);
            int columns = Math.Min(panels.Width(j), n - column);
            for (int i = 0; i < m; i += Rows)
            {
                Run(Math.Min(Rows, m - i), columns, k, a + (i * aRow), aRow, aStep, packedB + ((nint)column * k), c + (i * ldc) + column, ldc, accumulate, scale);
            }
        }
    }

    /// <summary>Packs all of B on the calling thread.</summary>
    /// <param name="transposeB">Whether B is stored [n, k], else [k, n].</param>
    /// <param name="n">Columns of B.</param>
    /// <param name="k">Rows of B.</param>
    /// <param name="b">The source.</param>
    /// <param name="ldb">Distance of the source's stored rows in floats.</param>
    /// <param name="packed">Receives <see cref="PackedFloats"/> floats.</param>
    public static void Pack(bool transposeB, int n, int k, float* b, nint ldb, float* packed)
    {
        var panels = new GemmPanels(n);
        if (!transposeB)
        {
            GemmPacking.PackRows(panels, n, k, 0, k, b, ldb, packed);
            return;
        }

        for (int j = 0; j < panels.Count; j++)
        {
            int column = panels.Start(j);
            int width = panels.Width(j);
            GemmPacking.PackColumns(Math.Min(width, n - column), width, k, b + (column * ldb), ldb, packed + ((nint)column * k));
        }
    }

    private static delegate*<nint, float*, nint, nint, float*, float*, nint, int, bool, float, void>[] Table<V>()
        where V : struct, ILanes<V> =>
    [
        &Run<V, N1, N1>, &Run<V, N1, N2>, &Run<V, N1, N3>,
        &Run<V, N2, N1>, &Run<V, N2, N2>, &Run<V, N2, N3>,
        &Run<V, N3, N1>, &Run<V, N3, N2>, &Run<V, N3, N3>,
        &Run<V, N4, N1>, &Run<V, N4, N2>, &Run<V, N4, N3>,
        &Run<V, N5, N1>, &Run<V, N5, N2>, &Run<V, N5, N3>,
        &Run<V, N6, N1>, &Run<V, N6, N2>, &Run<V, N6, N3>,
        &Run<V, N7, N1>, &Run<V, N7, N2>, &Run<V, N7, N3>,
        &Run<V, N8, N1>, &Run<V, N8, N2>, &Run<V, N8, N3>,
    ];
}
