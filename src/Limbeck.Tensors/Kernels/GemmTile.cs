using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.Arm;
using static Limbeck.Tensors.Kernels.GemmTileKernel;

namespace Limbeck.Tensors.Kernels;

/// <summary>
/// The single-threaded pieces of the matrix product: tile sizes of this
/// CPU, the layout of packed B, and products of a view of A with packed B. <see cref="Gemm"/> is built of them.
/// </summary>
/// <remarks>
/// Packed B, for B of [k, n]: the columns are cut into panels (<see cref="GemmPanels"/>: 3 vectors wide, the last ones narrower, each a
/// whole number of vectors). The panel that starts at column j and has w columns lies at packed + j*k and is a [k, w] matrix without
/// gaps. Columns beyond n are zero, but if the last of several vectors has at most 8 of 16 lanes, its lower half is there twice (<see cref="IsDoubled"/>). So a panel may be cut in k by moving the pointer by w for each step.
/// Every element of C is one chain of multiply-adds in the order of k, whatever the tile that computes it: cutting m or n in another way
/// gives the same bits.
/// </remarks>
internal static unsafe class GemmTile
{
    // By (rows - 1) * 3 + vectors - 1.
    private static readonly delegate*<GemmTileCall*, void>[] Plain = Cpu.Tier switch
    {
        CpuTier.Avx512 => PlainTable<Lanes16>(),
        CpuTier.Avx2 => PlainTable<Lanes8>(),
        _ => PlainTable<Lanes4>(),
    };

    // All rows; by vectors - 1, first those that pack A, then those that pack B.
    private static readonly delegate*<GemmTileCall*, void>[] Packing = Cpu.Tier switch
    {
        CpuTier.Avx512 => PackingTable<Lanes16, N8>(),
        CpuTier.Avx2 => PackingTable<Lanes8, N4>(),
        _ => AdvSimd.Arm64.IsSupported ? PackingTable<Lanes4, N8>() : PackingTable<Lanes4, N4>(),
    };

    // By vectors - 2, for panels that are doubled.
    private static readonly delegate*<GemmTileCall*, void>[] Doubled = [&GemmTileKernel.RunDoubled<N2>, &GemmTileKernel.RunDoubled<N3>];

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
    public static long PackedFloats(int n, int k) => new GemmPanels(n).PaddedColumns * k;

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
        int vectors = (columns + Lane - 1) / Lane;
        var call = new GemmTileCall
        {
            K = k,
            A = a,
            ARow = aRow,
            AStep = aStep,
            B = panel,
            BStep = vectors * Lane,
            C = c,
            Ldc = ldc,
            Last = columns - ((vectors - 1) * Lane),
            Accumulate = accumulate,
            Scale = scale,
            Ahead = a,
        };
        Run(rows, vectors, &call);
    }

    /// <summary>One tile.</summary>
    /// <param name="rows">1..<see cref="Rows"/>.</param>
    /// <param name="vectors">Vectors of the panel, 1..3.</param>
    /// <param name="call">Operands; Packed is not used.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Run(int rows, int vectors, GemmTileCall* call)
    {
        Debug.Assert(rows >= 1 && rows <= Rows && vectors is >= 1 and <= 3);
        Plain[(rows * 3) + vectors - 4](call);
    }

    /// <summary>Whether a packed panel holds the lower half of its last vector twice.</summary>
    /// <param name="columns">Columns that it has.</param>
    /// <param name="width">Its width, a whole number of vectors.</param>
    public static bool IsDoubled(int columns, int width) => Lane == 16 && width > Lane && columns <= width - (Lane / 2);

    /// <summary>One tile of all rows and a panel that <see cref="IsDoubled"/>: the same sums as <see cref="Run(int, int, GemmTileCall*)"/> has, sooner.</summary>
    /// <param name="vectors">Vectors of the panel, 2 or 3.</param>
    /// <param name="call">Operands; Packed is not used.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void RunDoubled(int vectors, GemmTileCall* call) => Doubled[vectors - 2](call);

    /// <summary>One tile of all rows that copies its strip of A to Packed: <see cref="Rows"/> floats a step. A's rows must be 1 apart.</summary>
    /// <param name="vectors">Vectors of the panel, 1..3.</param>
    /// <param name="call">Operands.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void RunPackingA(int vectors, GemmTileCall* call) => Packing[vectors - 1](call);

    /// <summary>One tile of all rows that copies its panel of B to Packed, without gaps.</summary>
    /// <param name="vectors">Vectors of the panel, 1..3.</param>
    /// <param name="call">Operands.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void RunPackingB(int vectors, GemmTileCall* call) => Packing[vectors + 2](call);

    /// <summary>C[m, n] = scale * A * B (+ C when accumulating) with B packed, on the calling thread.</summary>
    /// <param name="m">Rows of C, 0 or more.</param>
    /// <param name="n">Columns of C, 0 or more.</param>
    /// <param name="k">Length of the sum, 0 or more: all of it in one chain, so best where a panel is at home in the near caches (k up to about 400).</param>
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
        for (int j = 0; j < panels.Count; j++)
        {
            int column = panels.Start(j);
            int width = panels.Width(j);
            GemmPacking.PackPanel(
                transposeB, Math.Min(width, n - column), width, k, b + (transposeB ? column * ldb : column), ldb, packed + ((nint)column * k));
        }
    }

    private static delegate*<GemmTileCall*, void>[] PlainTable<V>()
        where V : struct, ILanes<V> =>
    [
        &GemmTileKernel.Run<V, N1, N1, PackNothing>, &GemmTileKernel.Run<V, N1, N2, PackNothing>, &GemmTileKernel.Run<V, N1, N3, PackNothing>,
        &GemmTileKernel.Run<V, N2, N1, PackNothing>, &GemmTileKernel.Run<V, N2, N2, PackNothing>, &GemmTileKernel.Run<V, N2, N3, PackNothing>,
        &GemmTileKernel.Run<V, N3, N1, PackNothing>, &GemmTileKernel.Run<V, N3, N2, PackNothing>, &GemmTileKernel.Run<V, N3, N3, PackNothing>,
        &GemmTileKernel.Run<V, N4, N1, PackNothing>, &GemmTileKernel.Run<V, N4, N2, PackNothing>, &GemmTileKernel.Run<V, N4, N3, PackNothing>,
        &GemmTileKernel.Run<V, N5, N1, PackNothing>, &GemmTileKernel.Run<V, N5, N2, PackNothing>, &GemmTileKernel.Run<V, N5, N3, PackNothing>,
        &GemmTileKernel.Run<V, N6, N1, PackNothing>, &GemmTileKernel.Run<V, N6, N2, PackNothing>, &GemmTileKernel.Run<V, N6, N3, PackNothing>,
        &GemmTileKernel.Run<V, N7, N1, PackNothing>, &GemmTileKernel.Run<V, N7, N2, PackNothing>, &GemmTileKernel.Run<V, N7, N3, PackNothing>,
        &GemmTileKernel.Run<V, N8, N1, PackNothing>, &GemmTileKernel.Run<V, N8, N2, PackNothing>, &GemmTileKernel.Run<V, N8, N3, PackNothing>,
    ];

    private static delegate*<GemmTileCall*, void>[] PackingTable<V, R>()
        where V : struct, ILanes<V>
        where R : unmanaged =>
    [
        &GemmTileKernel.Run<V, R, N1, PackA>, &GemmTileKernel.Run<V, R, N2, PackA>, &GemmTileKernel.Run<V, R, N3, PackA>,
        &GemmTileKernel.Run<V, R, N1, PackB>, &GemmTileKernel.Run<V, R, N2, PackB>, &GemmTileKernel.Run<V, R, N3, PackB>,
    ];
}
