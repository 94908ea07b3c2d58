using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Limbeck.Tensors.Kernels;

/// <summary>
/// The register tile of the matrix product: up to R rows of A times one panel of packed B. One source for the three tiers: V gives the
/// width, the JIT drops the rows and vectors that an instantiation does not have.
/// </summary>
internal static unsafe class GemmTileKernel
{
    /// <summary>Rows of the tile as a type: the size of the type argument in bytes.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 1)]
    internal readonly struct N1;

    [StructLayout(LayoutKind.Sequential, Size = 2)]
    internal readonly struct N2;

    [StructLayout(LayoutKind.Sequential, Size = 3)]
    internal readonly struct N3;

    [StructLayout(LayoutKind.Sequential, Size = 4)]
    internal readonly struct N4;

    [StructLayout(LayoutKind.Sequential, Size = 5)]
    internal readonly struct N5;

    [StructLayout(LayoutKind.Sequential, Size = 6)]
    internal readonly struct N6;

    [StructLayout(LayoutKind.Sequential, Size = 7)]
    internal readonly struct N7;

    [StructLayout(LayoutKind.Sequential, Size = 8)]
    internal readonly struct N8;

    /// <summary>C tile = scale * A strip * B panel (+ C when accumulating). Each element is one chain of multiply-adds in the order of k.</summary>
    /// <typeparam name="V">Lanes.</typeparam>
    /// <typeparam name="R">Rows, 1..8.</typeparam>
    /// <typeparam name="W">Vectors in a row of the panel, 1..3.</typeparam>
    /// <param name="k">Length of the sum, 0 or more.</param>
    /// <param name="a">Element (row i, step p) is a[i*row + p*step].</param>
    /// <param name="row">Distance of A's rows in floats.</param>
    /// <param name="step">Distance of A's steps in floats.</param>
    /// <param name="b">[k, W*lanes] without gaps.</param>
    /// <param name="c">[R, columns] in rows of <paramref name="ldc"/> floats.</param>
    /// <param name="ldc">Distance of C's rows in floats.</param>
    /// <param name="last">Lanes of the last vector that C has, 1..Count.</param>
    /// <param name="accumulate">Whether C is added to.</param>
    /// <param name="scale">Factor on the product.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    [SkipLocalsInit]
    internal static void Run<V, R, W>(nint k, float* a, nint row, nint step, float* b, float* c, nint ldc, int last, bool accumulate, float scale)
        where V : struct, ILanes<V>
        where R : unmanaged
        where W : unmanaged
    {
        V c00 = V.Zero, c01 = V.Zero, c02 = V.Zero;
        V c10 = V.Zero, c11 = V.Zero, c12 = V.Zero;
        V c20 = V.Zero, c21 = V.Zero, c22 = V.Zero;
        V c30 = V.Zero, c31 = V.Zero, c32 = V.Zero;
        V c40 = V.Zero, c41 = V.Zero, c42 = V.Zero;
        V c50 = V.Zero, c51 = V.Zero, c52 = V.Zero;
        V c60 = V.Zero, c61 = V.Zero, c62 = V.Zero;
        V c70 = V.Zero, c71 = V.Zero, c72 = V.Zero;

        float* a0 = a;
        float* a1 = a + (1 * row);
        float* a2 = a + (2 * row);
        float* a3 = a + (3 * row);
        float* a4 = a + (4 * row);
        float* a5 = a + (5 * row);
        float* a6 = a + (6 * row);
        float* a7 = a + (7 * row);

        // Prefetching C here hides the way from memory behind the product.
        for (int i = 0; i < sizeof(R); i++)
        {
            Prefetch(c + (i * ldc));
            Prefetch(c + (i * ldc) + (sizeof(W) * V.Count) - 1);
        }

        nint p = 0;
        for (nint left = k; left > 0; left--)
        {
            V b0 = V.Load(b);
            V b1 = sizeof(W) > 1 ? V.Load(b + V.Count) : V.Zero;
            V b2 = sizeof(W) > 2 ? V.Load(b + (2 * V.Count)) : V.Zero;
            b += sizeof(W) * V.Count;
            {
                V x = V.Create(a0[p]);
                c00 = V.MultiplyAdd(x, b0, c00);
                if (sizeof(W) > 1)
                {
                    c01 = V.MultiplyAdd(x, b1, c01);
                }

                if (sizeof(W) > 2)
                {
                    c02 = V.MultiplyAdd(x, b2, c02);
                }
            }

            if (sizeof(R) > 1)
            {
                V x = V.Create(a1[p]);
                c10 = V.MultiplyAdd(x, b0, c10);
                if (sizeof(W) > 1)
                {
                    c11 = V.MultiplyAdd(x, b1, c11);
                }

                if (sizeof(W) > 2)
                {
                    c12 = V.MultiplyAdd(x, b2, c12);
                }
            }

            if (sizeof(R) > 2)
            {
                V x = V.Create(a2[p]);
                c20 = V.MultiplyAdd(x, b0, c20);
                if (sizeof(W) > 1)
                {
                    c21 = V.MultiplyAdd(x, b1, c21);
                }

                if (sizeof(W) > 2)
                {
                    c22 = V.MultiplyAdd(x, b2, c22);
                }
            }

            if (sizeof(R) > 3)
            {
                V x = V.Create(a3[p]);
                c30 = V.MultiplyAdd(x, b0, c30);
                if (sizeof(W) > 1)
                {
                    c31 = V.MultiplyAdd(x, b1, c31);
                }

                if (sizeof(W) > 2)
                {
                    c32 = V.MultiplyAdd(x, b2, c32);
                }
            }

            if (sizeof(R) > 4)
            {
                V x = V.Create(a4[p]);
                c40 = V.MultiplyAdd(x, b0, c40);
                if (sizeof(W) > 1)
                {
                    c41 = V.MultiplyAdd(x, b1, c41);
                }

                if (sizeof(W) > 2)
                {
                    c42 = V.MultiplyAdd(x, b2, c42);
                }
            }

            if (sizeof(R) > 5)
            {
                V x = V.Create(a5[p]);
                c50 = V.MultiplyAdd(x, b0, c50);
                if (sizeof(W) > 1)
                {
                    c51 = V.MultiplyAdd(x, b1, c51);
                }

                if (sizeof(W) > 2)
                {
                    c52 = V.MultiplyAdd(x, b2, c52);
                }
            }

            if (sizeof(R) > 6)
            {
                V x = V.Create(a6[p]);
                c60 = V.MultiplyAdd(x, b0, c60);
                if (sizeof(W) > 1)
                {
                    c61 = V.MultiplyAdd(x, b1, c61);
                }

                if (sizeof(W) > 2)
                {
                    c62 = V.MultiplyAdd(x, b2, c62);
                }
            }

            if (sizeof(R) > 7)
            {
                V x = V.Create(a7[p]);
                c70 = V.MultiplyAdd(x, b0, c70);
                if (sizeof(W) > 1)
                {
                    c71 = V.MultiplyAdd(x, b1, c71);
                }

                if (sizeof(W) > 2)
                {
                    c72 = V.MultiplyAdd(x, b2, c72);
                }
            }

            p += step;
        }

        V factor = V.Create(scale);
        StoreRow<V, W>(c, c00, c01, c02, factor, last, accumulate);

        if (sizeof(R) > 1)
        {
            StoreRow<V, W>(c + (1 * ldc), c10, c11, c12, factor, last, accumulate);
        }

        if (sizeof(R) > 2)
        {
            StoreRow<V, W>(c + (2 * ldc), c20, c21, c22, factor, last, accumulate);
        }

        if (sizeof(R) > 3)
        {
            StoreRow<V, W>(c + (3 * ldc), c30, c31, c32, factor, last, accumulate);
        }

        if (sizeof(R) > 4)
        {
            StoreRow<V, W>(c + (4 * ldc), c40, c41, c42, factor, last, accumulate);
        }

        if (sizeof(R) > 5)
        {
            StoreRow<V, W>(c + (5 * ldc), c50, c51, c52, factor, last, accumulate);
        }

        if (sizeof(R) > 6)
        {
            StoreRow<V, W>(c + (6 * ldc), c60, c61, c62, factor, last, accumulate);
        }

        if (sizeof(R) > 7)
        {
            StoreRow<V, W>(c + (7 * ldc), c70, c71, c72, factor, last, accumulate);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(void* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(address);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreRow<V, W>(float* c, V c0, V c1, V c2, V factor, int last, bool accumulate)
        where V : struct, ILanes<V>
        where W : unmanaged
    {
        V end = sizeof(W) == 1 ? c0 : sizeof(W) == 2 ? c1 : c2;
        if (sizeof(W) > 1)
        {
            V.Store(accumulate ? V.MultiplyAdd(c0, factor, V.Load(c)) : c0 * factor, c);
            c += V.Count;
        }

        if (sizeof(W) > 2)
        {
            V.Store(accumulate ? V.MultiplyAdd(c1, factor, V.Load(c)) : c1 * factor, c);
            c += V.Count;
        }

        if (last == V.Count)
        {
            V.Store(accumulate ? V.MultiplyAdd(end, factor, V.Load(c)) : end * factor, c);
        }
        else
        {
            V.Store(accumulate ? V.MultiplyAdd(end, factor, V.Load(c, last)) : end * factor, c, last);
        }
    }
}
