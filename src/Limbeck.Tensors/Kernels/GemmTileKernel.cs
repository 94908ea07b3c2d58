using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Limbeck.Tensors.Kernels;

/// <summary>
/// The register tile of the matrix product: up to R rows of A times one panel of B. One source for the three tiers: V gives the width,
/// and the JIT drops the rows and vectors that an instantiation does not have.
/// </summary>
internal static unsafe class GemmTileKernel
{
    // The sum is cut into so many parts, and before each a row of C is fetched (or a part of its transposed target's rows): all at once they would stall the tile, since a core waits
    // for a few lines at a time only.
    private const int Parts = 8;

    /// <summary>
    /// C tile = scale * A strip * B panel (+ C when accumulating). Each element is one chain of multiply-adds in the order of k.
    /// On the way the tile may copy what it reads into packed form (<typeparamref name="P"/>): the copy is free, as the multipliers are
    /// the bottleneck.
    /// </summary>
    /// <typeparam name="V">Lanes.</typeparam>
    /// <typeparam name="R">Rows: the type of that size in bytes, <see cref="N1"/> to <see cref="N8"/>.</typeparam>
    /// <typeparam name="W">Vectors in a row of the panel, <see cref="N1"/> to <see cref="N3"/>.</typeparam>
    /// <typeparam name="P"><see cref="PackNothing"/>, <see cref="PackA"/> (rows of A one float apart; R 4 or 8) or <see cref="PackB"/>.</typeparam>
    /// <param name="call">Operands.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    [SkipLocalsInit]
    internal static void Run<V, R, W, P>(GemmTileCall* call)
        where V : struct, ILanes<V>
        where R : unmanaged
        where W : unmanaged
        where P : unmanaged
    {
        V c00 = V.Zero, c01 = V.Zero, c02 = V.Zero;
        V c10 = V.Zero, c11 = V.Zero, c12 = V.Zero;
        V c20 = V.Zero, c21 = V.Zero, c22 = V.Zero;
        V c30 = V.Zero, c31 = V.Zero, c32 = V.Zero;
        V c40 = V.Zero, c41 = V.Zero, c42 = V.Zero;
        V c50 = V.Zero, c51 = V.Zero, c52 = V.Zero;
        V c60 = V.Zero, c61 = V.Zero, c62 = V.Zero;
        V c70 = V.Zero, c71 = V.Zero, c72 = V.Zero;

        nint row = call->ARow;
        nint step = call->AStep;
        nint bStep = call->BStep;
        float* a0 = call->A;
        float* a1 = a0 + (1 * row);
        float* a2 = a0 + (2 * row);
        float* a3 = a0 + (3 * row);
        float* a4 = a0 + (4 * row);
        float* a5 = a0 + (5 * row);
        float* a6 = a0 + (6 * row);
        float* a7 = a0 + (7 * row);
        float* b = call->B;
        float* packed = call->Packed;
        float* ahead = call->Ahead;
        nint aheadStep = call->AheadStep;
        nint left = call->K;
        nint part = (left + Parts - 1) / Parts;
        nint p = 0;
        for (int done = 0; done < Parts; done++)
        {
            PrefetchRow<V, R, W>(call, done);
            nint count = Math.Min(part, left);
            left -= count;
            for (; count > 0; count--)
            {
                V b0 = V.Load(b);
                V b1 = sizeof(W) > 1 ? V.Load(b + V.Count) : V.Zero;
                V b2 = sizeof(W) > 2 ? V.Load(b + (2 * V.Count)) : V.Zero;
                if (typeof(P) == typeof(PackB))
                {
                    V.Store(b0, packed);
                    if (sizeof(W) > 1)
                    {
                        V.Store(b1, packed + V.Count);
                    }

                    if (sizeof(W) > 2)
                    {
                        V.Store(b2, packed + (2 * V.Count));
                    }

                    packed += sizeof(W) * V.Count;
                }

                if (typeof(P) == typeof(PackA))
                {
                    // Two strips of 8 rows share a cache line, so the next but one is fetched.
                    PrefetchFar(a0 + p + 16);
                    Vector128.Store(Vector128.Load(a0 + p), packed);
                    if (sizeof(R) > 4)
                    {
                        Vector128.Store(Vector128.Load(a0 + p + 4), packed + 4);
                    }

                    packed += sizeof(R);
                }

                PrefetchFar(ahead);
                ahead += aheadStep;
                b += bStep;
                {
                    V x = V.Create(a0[p]);
                    c00 = V.MultiplyAdd(x, b0, c00);
                    c01 = sizeof(W) > 1 ? V.MultiplyAdd(x, b1, c01) : c01;
                    c02 = sizeof(W) > 2 ? V.MultiplyAdd(x, b2, c02) : c02;
                }

                if (sizeof(R) > 1)
                {
                    V x = V.Create(a1[p]);
                    c10 = V.MultiplyAdd(x, b0, c10);
                    c11 = sizeof(W) > 1 ? V.MultiplyAdd(x, b1, c11) : c11;
                    c12 = sizeof(W) > 2 ? V.MultiplyAdd(x, b2, c12) : c12;
                }

                if (sizeof(R) > 2)
                {
                    V x = V.Create(a2[p]);
                    c20 = V.MultiplyAdd(x, b0, c20);
                    c21 = sizeof(W) > 1 ? V.MultiplyAdd(x, b1, c21) : c21;
                    c22 = sizeof(W) > 2 ? V.MultiplyAdd(x, b2, c22) : c22;
                }

                if (sizeof(R) > 3)
                {
                    V x = V.Create(a3[p]);
                    c30 = V.MultiplyAdd(x, b0, c30);
                    c31 = sizeof(W) > 1 ? V.MultiplyAdd(x, b1, c31) : c31;
                    c32 = sizeof(W) > 2 ? V.MultiplyAdd(x, b2, c32) : c32;
                }

                if (sizeof(R) > 4)
                {
                    V x = V.Create(a4[p]);
                    c40 = V.MultiplyAdd(x, b0, c40);
                    c41 = sizeof(W) > 1 ? V.MultiplyAdd(x, b1, c41) : c41;
                    c42 = sizeof(W) > 2 ? V.MultiplyAdd(x, b2, c42) : c42;
                }

                if (sizeof(R) > 5)
                {
                    V x = V.Create(a5[p]);
                    c50 = V.MultiplyAdd(x, b0, c50);
                    c51 = sizeof(W) > 1 ? V.MultiplyAdd(x, b1, c51) : c51;
                    c52 = sizeof(W) > 2 ? V.MultiplyAdd(x, b2, c52) : c52;
                }

                if (sizeof(R) > 6)
                {
                    V x = V.Create(a6[p]);
                    c60 = V.MultiplyAdd(x, b0, c60);
                    c61 = sizeof(W) > 1 ? V.MultiplyAdd(x, b1, c61) : c61;
                    c62 = sizeof(W) > 2 ? V.MultiplyAdd(x, b2, c62) : c62;
                }

                if (sizeof(R) > 7)
                {
                    V x = V.Create(a7[p]);
                    c70 = V.MultiplyAdd(x, b0, c70);
                    c71 = sizeof(W) > 1 ? V.MultiplyAdd(x, b1, c71) : c71;
                    c72 = sizeof(W) > 2 ? V.MultiplyAdd(x, b2, c72) : c72;
                }

                p += step;
            }
        }

        float* c = call->C;
        nint ldc = call->Ldc;
        int last = call->Last;
        bool accumulate = call->Accumulate;
        V factor = V.Create(call->Scale);
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

    /// <summary>
    /// The same tile of 8 rows and 16 lanes, nothing packed on the way, for a panel whose last vector holds its lower half twice: of it two rows share an
    /// accumulator, so that no lane works for nothing. Each element is the same chain.
    /// </summary>
    /// <typeparam name="W">Vectors in a row of the panel, <see cref="N2"/> or <see cref="N3"/>.</typeparam>
    /// <param name="call">Operands; Last is 1..8.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    [SkipLocalsInit]
    internal static void RunDoubled<W>(GemmTileCall* call)
        where W : unmanaged
    {
        Vector512<float> c00 = default, c01 = default;
        Vector512<float> c10 = default, c11 = default;
        Vector512<float> c20 = default, c21 = default;
        Vector512<float> c30 = default, c31 = default;
        Vector512<float> c40 = default, c41 = default;
        Vector512<float> c50 = default, c51 = default;
        Vector512<float> c60 = default, c61 = default;
        Vector512<float> c70 = default, c71 = default;
        Vector512<float> h0 = default, h1 = default, h2 = default, h3 = default;
        Vector512<float> upper = Vector512.Create(Vector256<float>.Zero, Vector256<int>.AllBitsSet.AsSingle());

        nint row = call->ARow;
        nint step = call->AStep;
        nint bStep = call->BStep;
        float* a0 = call->A;
        float* a1 = a0 + (1 * row);
        float* a2 = a0 + (2 * row);
        float* a3 = a0 + (3 * row);
        float* a4 = a0 + (4 * row);
        float* a5 = a0 + (5 * row);
        float* a6 = a0 + (6 * row);
        float* a7 = a0 + (7 * row);
        float* b = call->B;
        float* ahead = call->Ahead;
        nint aheadStep = call->AheadStep;
        nint left = call->K;
        nint part = (left + Parts - 1) / Parts;
        nint p = 0;
        for (int done = 0; done < Parts; done++)
        {
            PrefetchRow<Lanes16, N8, W>(call, done);
            nint count = Math.Min(part, left);
            left -= count;
            for (; count > 0; count--)
            {
                Vector512<float> b0 = Vector512.Load(b);
                Vector512<float> b1 = sizeof(W) > 2 ? Vector512.Load(b + 16) : default;
                Vector512<float> half = Vector512.Load(b + (16 * (sizeof(W) - 1)));
                PrefetchFar(ahead);
                ahead += aheadStep;
                b += bStep;
                {
                    var x = Vector512.Create(a0[p]);
                    var y = Vector512.Create(a1[p]);
                    c00 = Avx512F.FusedMultiplyAdd(x, b0, c00);
                    c01 = sizeof(W) > 2 ? Avx512F.FusedMultiplyAdd(x, b1, c01) : c01;
                    c10 = Avx512F.FusedMultiplyAdd(y, b0, c10);
                    c11 = sizeof(W) > 2 ? Avx512F.FusedMultiplyAdd(y, b1, c11) : c11;
                    h0 = Avx512F.FusedMultiplyAdd(Vector512.ConditionalSelect(upper, y, x), half, h0);
                }

                {
                    var x = Vector512.Create(a2[p]);
                    var y = Vector512.Create(a3[p]);
                    c20 = Avx512F.FusedMultiplyAdd(x, b0, c20);
                    c21 = sizeof(W) > 2 ? Avx512F.FusedMultiplyAdd(x, b1, c21) : c21;
                    c30 = Avx512F.FusedMultiplyAdd(y, b0, c30);
                    c31 = sizeof(W) > 2 ? Avx512F.FusedMultiplyAdd(y, b1, c31) : c31;
                    h1 = Avx512F.FusedMultiplyAdd(Vector512.ConditionalSelect(upper, y, x), half, h1);
                }

                {
                    var x = Vector512.Create(a4[p]);
                    var y = Vector512.Create(a5[p]);
                    c40 = Avx512F.FusedMultiplyAdd(x, b0, c40);
                    c41 = sizeof(W) > 2 ? Avx512F.FusedMultiplyAdd(x, b1, c41) : c41;
                    c50 = Avx512F.FusedMultiplyAdd(y, b0, c50);
                    c51 = sizeof(W) > 2 ? Avx512F.FusedMultiplyAdd(y, b1, c51) : c51;
                    h2 = Avx512F.FusedMultiplyAdd(Vector512.ConditionalSelect(upper, y, x), half, h2);
                }

                {
                    var x = Vector512.Create(a6[p]);
                    var y = Vector512.Create(a7[p]);
                    c60 = Avx512F.FusedMultiplyAdd(x, b0, c60);
                    c61 = sizeof(W) > 2 ? Avx512F.FusedMultiplyAdd(x, b1, c61) : c61;
                    c70 = Avx512F.FusedMultiplyAdd(y, b0, c70);
                    c71 = sizeof(W) > 2 ? Avx512F.FusedMultiplyAdd(y, b1, c71) : c71;
                    h3 = Avx512F.FusedMultiplyAdd(Vector512.ConditionalSelect(upper, y, x), half, h3);
                }

                p += step;
            }
        }

        float* c = call->C;
        nint ldc = call->Ldc;
        StoreDoubled<W>(c + (0 * ldc), c00, c01, h0.GetLower(), call);
        StoreDoubled<W>(c + (1 * ldc), c10, c11, h0.GetUpper(), call);
        StoreDoubled<W>(c + (2 * ldc), c20, c21, h1.GetLower(), call);
        StoreDoubled<W>(c + (3 * ldc), c30, c31, h1.GetUpper(), call);
        StoreDoubled<W>(c + (4 * ldc), c40, c41, h2.GetLower(), call);
        StoreDoubled<W>(c + (5 * ldc), c50, c51, h2.GetUpper(), call);
        StoreDoubled<W>(c + (6 * ldc), c60, c61, h3.GetLower(), call);
        StoreDoubled<W>(c + (7 * ldc), c70, c71, h3.GetUpper(), call);
    }

    // A row of it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreDoubled<W>(float* c, Vector512<float> c0, Vector512<float> c1, Vector256<float> half, GemmTileCall* call)
        where W : unmanaged
    {
        StoreRow<Lanes16, N1>(c, new Lanes16(c0), default, default, Lanes16.Create(call->Scale), Lanes16.Count, call->Accumulate);
        if (sizeof(W) > 2)
        {
            StoreRow<Lanes16, N1>(c + Lanes16.Count, new Lanes16(c1), default, default, Lanes16.Create(call->Scale), Lanes16.Count, call->Accumulate);
        }

        StoreRow<Lanes8, N1>(c + (Lanes16.Count * (sizeof(W) - 1)), new Lanes8(half), default, default, Lanes8.Create(call->Scale), call->Last, call->Accumulate);
    }

    // One row of the tile of C, or that part of the rows of its transposed target.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchRow<V, R, W>(GemmTileCall* call, int index)
        where V : struct, ILanes<V>
        where R : unmanaged
        where W : unmanaged
    {
        if (call->Target != null)
        {
            int count = ((sizeof(W) * V.Count) + Parts - 1) / Parts;
            float* target = call->Target + (index * count * call->TargetStep);
            for (int i = 0; i < count; i++)
            {
                Prefetch(target);
                target += call->TargetStep;
            }
        }
        else if (index < sizeof(R))
        {
            float* c = call->C + (index * call->Ldc);
            Prefetch(c);
            if (sizeof(W) > 1)
            {
                Prefetch(c + V.Count);
            }

            if (sizeof(W) > 2)
            {
                Prefetch(c + (2 * V.Count));
            }

            Prefetch(c + (sizeof(W) * V.Count) - 1);
        }
    }

    // Into the first-level cache.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(void* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(address);
        }
    }

    // Into the second-level cache.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchFar(void* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch1(address);
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

    /// <summary>1 as a type, by its size.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 1)]
    internal readonly struct N1;

    /// <summary>2 as a type, by its size.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 2)]
    internal readonly struct N2;

    /// <summary>3 as a type, by its size.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 3)]
    internal readonly struct N3;

    /// <summary>4 as a type, by its size.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 4)]
    internal readonly struct N4;

    /// <summary>5 as a type, by its size.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 5)]
    internal readonly struct N5;

    /// <summary>6 as a type, by its size.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 6)]
    internal readonly struct N6;

    /// <summary>7 as a type, by its size.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 7)]
    internal readonly struct N7;

    /// <summary>8 as a type, by its size.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 8)]
    internal readonly struct N8;

    /// <summary>Operands are read only.</summary>
    internal readonly struct PackNothing;

    /// <summary>The strip of A is copied to Packed, R floats a step.</summary>
    internal readonly struct PackA;

    /// <summary>The panel of B is copied to Packed without gaps.</summary>
    internal readonly struct PackB;
}
