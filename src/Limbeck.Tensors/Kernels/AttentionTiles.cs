using System.Runtime.CompilerServices;

namespace Limbeck.Tensors.Kernels;

// The small dense products of attention: a few dozen rows, a depth of one head's width or one sequence's length. Unlike the general
// matrix product these read operands that attention has just written to its scratch, so nothing is packed here and edges are padded.

/// <summary>How the left operand of a tile lies in memory.</summary>
internal interface ITileOperand
{
    /// <summary>False: row-major, a row's elements are neighbours. True: column-major, a column's elements are.</summary>
    static abstract bool IsTransposed { get; }
}

/// <summary>Left operand with neighbouring elements along the depth.</summary>
internal readonly struct RowOperand : ITileOperand
{
    /// <inheritdoc/>
    public static bool IsTransposed => false;
}

/// <summary>Left operand with neighbouring elements along the rows of the result: the transpose of a row-major matrix, never formed.</summary>
internal readonly struct ColumnOperand : ITileOperand
{
    /// <inheritdoc/>
    public static bool IsTransposed => true;
}

/// <summary>Register-blocked products on padded scratch.</summary>
/// <typeparam name="V">The vector width.</typeparam>
internal static unsafe class AttentionTiles<V>
    where V : struct, ILanes<V>
{
    /// <summary>Columns come in panels of this many floats, on every tier.</summary>
    public const int Panel = 16;

    /// <summary>Rows of a tile: 8 with 32 vector registers, 6 with 16.</summary>
    public static int TileRows
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => V.Count == Panel ? 8 : 6;
    }

    /// <summary>C = A B or C += A B. Every element is one chain of multiply-adds in the order of the depth, whatever tile it falls in.</summary>
    /// <param name="rows">Rows of C, a multiple of <see cref="TileRows"/>.</param>
    /// <param name="columns">Columns of C, a multiple of <see cref="Panel"/>.</param>
    /// <param name="depth">Columns of A and rows of B.</param>
    /// <param name="a">A; element (r, k) at r * aStride + k, or r + k * aStride when transposed.</param>
    /// <param name="aStride">Leading dimension of A's storage.</param>
    /// <param name="b">B; element (k, j) at k * bStep + j / Panel * bPanel + j % Panel.</param>
    /// <param name="bStep">Distance of B's rows.</param>
    /// <param name="bPanel">Distance of B's panels.</param>
    /// <param name="c">C, row-major.</param>
    /// <param name="cStride">Leading dimension of C.</param>
    /// <param name="accumulate">Adds to C instead of overwriting it.</param>
    /// <typeparam name="A">How A lies in memory.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply<A>(
        int rows, int columns, int depth, float* a, nint aStride, float* b, nint bStep, nint bPanel, float* c, nint cStride, bool accumulate)
        where A : struct, ITileOperand
    {
        nint aTile = (A.IsTransposed ? 1 : aStride) * TileRows;
        nint cTile = cStride * TileRows;
        int column = 0;
        while (column < columns)
        {
            int width = Width(columns - column);
            float* at = a;
            float* ct = c + column;
            for (int row = 0; row < rows; row += TileRows)
            {
                if (V.Count < Panel)
                {
                    for (int part = 0; part < Panel; part += 2 * V.Count)
                    {
                        Tile6x2<A>(depth, at, aStride, b + part, bStep, V.Count, ct + part, cStride, accumulate);
                    }
                }
                else if (width == 3 * Panel)
                {
                    Tile8x3<A>(depth, at, aStride, b, bStep, bPanel, ct, cStride, accumulate);
                }
                else if (width == 2 * Panel)
                {
                    Tile8x2<A>(depth, at, aStride, b, bStep, bPanel, ct, cStride, accumulate);
                }
                else
                {
                    Tile8x1<A>(depth, at, aStride, b, bStep, bPanel, ct, cStride, accumulate);
                }

                at += aTile;
                ct += cTile;
            }

            b += width / Panel * bPanel;
            column += width;
        }
    }

    /// <summary>Columns of the next tile: three panels, but two and two rather than three and one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Width(int left) =>
        V.Count < Panel || left == Panel ? Panel
        : left == 2 * Panel || left == 4 * Panel ? 2 * Panel
        : 3 * Panel;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8x3<A>(int depth, float* a, nint aStride, float* b, nint bStep, nint bPanel, float* c, nint cStride, bool accumulate)
        where A : struct, ITileOperand
    {
        nint a1 = A.IsTransposed ? 1 : aStride;
        nint a2 = A.IsTransposed ? 2 : 2 * aStride;
        nint a3 = A.IsTransposed ? 3 : 3 * aStride;
        nint a4 = A.IsTransposed ? 4 : 4 * aStride;
        nint a5 = A.IsTransposed ? 5 : 5 * aStride;
        nint a6 = A.IsTransposed ? 6 : 6 * aStride;
        nint a7 = A.IsTransposed ? 7 : 7 * aStride;
        nint aStep = A.IsTransposed ? aStride : 1;
        nint bPanel2 = 2 * bPanel;
        V c00 = V.Zero, c01 = V.Zero, c02 = V.Zero;
        V c10 = V.Zero, c11 = V.Zero, c12 = V.Zero;
        V c20 = V.Zero, c21 = V.Zero, c22 = V.Zero;
        V c30 = V.Zero, c31 = V.Zero, c32 = V.Zero;
        V c40 = V.Zero, c41 = V.Zero, c42 = V.Zero;
        V c50 = V.Zero, c51 = V.Zero, c52 = V.Zero;
        V c60 = V.Zero, c61 = V.Zero, c62 = V.Zero;
        V c70 = V.Zero, c71 = V.Zero, c72 = V.Zero;
        for (; depth > 0; depth--)
        {
            V b0 = V.Load(b);
            V b1 = V.Load(b + bPanel);
            V b2 = V.Load(b + bPanel2);
            V x = V.Create(*a);
            c00 = V.MultiplyAdd(x, b0, c00);
            c01 = V.MultiplyAdd(x, b1, c01);
            c02 = V.MultiplyAdd(x, b2, c02);
            x = V.Create(a[a1]);
            c10 = V.MultiplyAdd(x, b0, c10);
            c11 = V.MultiplyAdd(x, b1, c11);
            c12 = V.MultiplyAdd(x, b2, c12);
            x = V.Create(a[a2]);
            c20 = V.MultiplyAdd(x, b0, c20);
            c21 = V.MultiplyAdd(x, b1, c21);
            c22 = V.MultiplyAdd(x, b2, c22);
            x = V.Create(a[a3]);
            c30 = V.MultiplyAdd(x, b0, c30);
            c31 = V.MultiplyAdd(x, b1, c31);
            c32 = V.MultiplyAdd(x, b2, c32);
            x = V.Create(a[a4]);
            c40 = V.MultiplyAdd(x, b0, c40);
            c41 = V.MultiplyAdd(x, b1, c41);
            c42 = V.MultiplyAdd(x, b2, c42);
            x = V.Create(a[a5]);
            c50 = V.MultiplyAdd(x, b0, c50);
            c51 = V.MultiplyAdd(x, b1, c51);
            c52 = V.MultiplyAdd(x, b2, c52);
            x = V.Create(a[a6]);
            c60 = V.MultiplyAdd(x, b0, c60);
            c61 = V.MultiplyAdd(x, b1, c61);
            c62 = V.MultiplyAdd(x, b2, c62);
            x = V.Create(a[a7]);
            c70 = V.MultiplyAdd(x, b0, c70);
            c71 = V.MultiplyAdd(x, b1, c71);
            c72 = V.MultiplyAdd(x, b2, c72);
            a += aStep;
            b += bStep;
        }

        Put(c00, c01, c02, c, accumulate);
        Put(c10, c11, c12, c + cStride, accumulate);
        Put(c20, c21, c22, c + 2 * cStride, accumulate);
        Put(c30, c31, c32, c + 3 * cStride, accumulate);
        Put(c40, c41, c42, c + 4 * cStride, accumulate);
        Put(c50, c51, c52, c + 5 * cStride, accumulate);
        Put(c60, c61, c62, c + 6 * cStride, accumulate);
        Put(c70, c71, c72, c + 7 * cStride, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8x2<A>(int depth, float* a, nint aStride, float* b, nint bStep, nint bPanel, float* c, nint cStride, bool accumulate)
        where A : struct, ITileOperand
    {
        nint a1 = A.IsTransposed ? 1 : aStride;
        nint a2 = A.IsTransposed ? 2 : 2 * aStride;
        nint a3 = A.IsTransposed ? 3 : 3 * aStride;
        nint a4 = A.IsTransposed ? 4 : 4 * aStride;
        nint a5 = A.IsTransposed ? 5 : 5 * aStride;
        nint a6 = A.IsTransposed ? 6 : 6 * aStride;
        nint a7 = A.IsTransposed ? 7 : 7 * aStride;
        nint aStep = A.IsTransposed ? aStride : 1;
        V c00 = V.Zero, c01 = V.Zero;
        V c10 = V.Zero, c11 = V.Zero;
        V c20 = V.Zero, c21 = V.Zero;
        V c30 = V.Zero, c31 = V.Zero;
        V c40 = V.Zero, c41 = V.Zero;
        V c50 = V.Zero, c51 = V.Zero;
        V c60 = V.Zero, c61 = V.Zero;
        V c70 = V.Zero, c71 = V.Zero;
        for (; depth > 0; depth--)
        {
            V b0 = V.Load(b);
            V b1 = V.Load(b + bPanel);
            V x = V.Create(*a);
            c00 = V.MultiplyAdd(x, b0, c00);
            c01 = V.MultiplyAdd(x, b1, c01);
            x = V.Create(a[a1]);
            c10 = V.MultiplyAdd(x, b0, c10);
            c11 = V.MultiplyAdd(x, b1, c11);
            x = V.Create(a[a2]);
            c20 = V.MultiplyAdd(x, b0, c20);
            c21 = V.MultiplyAdd(x, b1, c21);
            x = V.Create(a[a3]);
            c30 = V.MultiplyAdd(x, b0, c30);
            c31 = V.MultiplyAdd(x, b1, c31);
            x = V.Create(a[a4]);
            c40 = V.MultiplyAdd(x, b0, c40);
            c41 = V.MultiplyAdd(x, b1, c41);
            x = V.Create(a[a5]);
            c50 = V.MultiplyAdd(x, b0, c50);
            c51 = V.MultiplyAdd(x, b1, c51);
            x = V.Create(a[a6]);
            c60 = V.MultiplyAdd(x, b0, c60);
            c61 = V.MultiplyAdd(x, b1, c61);
            x = V.Create(a[a7]);
            c70 = V.MultiplyAdd(x, b0, c70);
            c71 = V.MultiplyAdd(x, b1, c71);
            a += aStep;
            b += bStep;
        }

        Put(c00, c01, c, accumulate);
        Put(c10, c11, c + cStride, accumulate);
        Put(c20, c21, c + 2 * cStride, accumulate);
        Put(c30, c31, c + 3 * cStride, accumulate);
        Put(c40, c41, c + 4 * cStride, accumulate);
        Put(c50, c51, c + 5 * cStride, accumulate);
        Put(c60, c61, c + 6 * cStride, accumulate);
        Put(c70, c71, c + 7 * cStride, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8x1<A>(int depth, float* a, nint aStride, float* b, nint bStep, nint bPanel, float* c, nint cStride, bool accumulate)
        where A : struct, ITileOperand
    {
        nint a1 = A.IsTransposed ? 1 : aStride;
        nint a2 = A.IsTransposed ? 2 : 2 * aStride;
        nint a3 = A.IsTransposed ? 3 : 3 * aStride;
        nint a4 = A.IsTransposed ? 4 : 4 * aStride;
        nint a5 = A.IsTransposed ? 5 : 5 * aStride;
        nint a6 = A.IsTransposed ? 6 : 6 * aStride;
        nint a7 = A.IsTransposed ? 7 : 7 * aStride;
        nint aStep = A.IsTransposed ? aStride : 1;
        V c00 = V.Zero;
        V c10 = V.Zero;
        V c20 = V.Zero;
        V c30 = V.Zero;
        V c40 = V.Zero;
        V c50 = V.Zero;
        V c60 = V.Zero;
        V c70 = V.Zero;
        for (; depth > 0; depth--)
        {
            V b0 = V.Load(b);
            V x = V.Create(*a);
            c00 = V.MultiplyAdd(x, b0, c00);
            x = V.Create(a[a1]);
            c10 = V.MultiplyAdd(x, b0, c10);
            x = V.Create(a[a2]);
            c20 = V.MultiplyAdd(x, b0, c20);
            x = V.Create(a[a3]);
            c30 = V.MultiplyAdd(x, b0, c30);
            x = V.Create(a[a4]);
            c40 = V.MultiplyAdd(x, b0, c40);
            x = V.Create(a[a5]);
            c50 = V.MultiplyAdd(x, b0, c50);
            x = V.Create(a[a6]);
            c60 = V.MultiplyAdd(x, b0, c60);
            x = V.Create(a[a7]);
            c70 = V.MultiplyAdd(x, b0, c70);
            a += aStep;
            b += bStep;
        }

        Put(c00, c, accumulate);
        Put(c10, c + cStride, accumulate);
        Put(c20, c + 2 * cStride, accumulate);
        Put(c30, c + 3 * cStride, accumulate);
        Put(c40, c + 4 * cStride, accumulate);
        Put(c50, c + 5 * cStride, accumulate);
        Put(c60, c + 6 * cStride, accumulate);
        Put(c70, c + 7 * cStride, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile6x2<A>(int depth, float* a, nint aStride, float* b, nint bStep, nint bPanel, float* c, nint cStride, bool accumulate)
        where A : struct, ITileOperand
    {
        nint a1 = A.IsTransposed ? 1 : aStride;
        nint a2 = A.IsTransposed ? 2 : 2 * aStride;
        nint a3 = A.IsTransposed ? 3 : 3 * aStride;
        nint a4 = A.IsTransposed ? 4 : 4 * aStride;
        nint a5 = A.IsTransposed ? 5 : 5 * aStride;
        nint aStep = A.IsTransposed ? aStride : 1;
        V c00 = V.Zero, c01 = V.Zero;
        V c10 = V.Zero, c11 = V.Zero;
        V c20 = V.Zero, c21 = V.Zero;
        V c30 = V.Zero, c31 = V.Zero;
        V c40 = V.Zero, c41 = V.Zero;
        V c50 = V.Zero, c51 = V.Zero;
        for (; depth > 0; depth--)
        {
            V b0 = V.Load(b);
            V b1 = V.Load(b + bPanel);
            V x = V.Create(*a);
            c00 = V.MultiplyAdd(x, b0, c00);
            c01 = V.MultiplyAdd(x, b1, c01);
            x = V.Create(a[a1]);
            c10 = V.MultiplyAdd(x, b0, c10);
            c11 = V.MultiplyAdd(x, b1, c11);
            x = V.Create(a[a2]);
            c20 = V.MultiplyAdd(x, b0, c20);
            c21 = V.MultiplyAdd(x, b1, c21);
            x = V.Create(a[a3]);
            c30 = V.MultiplyAdd(x, b0, c30);
            c31 = V.MultiplyAdd(x, b1, c31);
            x = V.Create(a[a4]);
            c40 = V.MultiplyAdd(x, b0, c40);
            c41 = V.MultiplyAdd(x, b1, c41);
            x = V.Create(a[a5]);
            c50 = V.MultiplyAdd(x, b0, c50);
            c51 = V.MultiplyAdd(x, b1, c51);
            a += aStep;
            b += bStep;
        }

        Put(c00, c01, c, accumulate);
        Put(c10, c11, c + cStride, accumulate);
        Put(c20, c21, c + 2 * cStride, accumulate);
        Put(c30, c31, c + 3 * cStride, accumulate);
        Put(c40, c41, c + 4 * cStride, accumulate);
        Put(c50, c51, c + 5 * cStride, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(V v0, V v1, V v2, float* c, bool accumulate)
    {
        if (accumulate)
        {
            v0 += V.Load(c);
            v1 += V.Load(c + V.Count);
            v2 += V.Load(c + (2 * V.Count));
        }

        V.Store(v0, c);
        V.Store(v1, c + V.Count);
        V.Store(v2, c + (2 * V.Count));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(V v0, V v1, float* c, bool accumulate)
    {
        if (accumulate)
        {
            v0 += V.Load(c);
            v1 += V.Load(c + V.Count);
        }

        V.Store(v0, c);
        V.Store(v1, c + V.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(V v0, float* c, bool accumulate)
    {
        if (accumulate)
        {
            v0 += V.Load(c);
        }

        V.Store(v0, c);
    }
}
