using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Kernels;

/// <summary>Arithmetic of whole arrays and sums over them. Outputs may be inputs; the same bits for any number of threads.</summary>
public static unsafe class Elementwise
{
    // Elements of the smallest part of a sum.
    private const int Part = 16384;

    /// <summary>y = a + b.</summary>
    /// <param name="a">[n].</param>
    /// <param name="b">[n].</param>
    /// <param name="y">[n].</param>
    /// <param name="n">Number of elements.</param>
    /// <param name="team">Threads.</param>
    public static void Add(float* a, float* b, float* y, long n, WorkerTeam team) => ElementMap.Run(default(Sum2), a, b, y, n, team);

    /// <summary>y += a.</summary>
    /// <param name="y">[n].</param>
    /// <param name="a">[n].</param>
    /// <param name="n">Number of elements.</param>
    /// <param name="team">Threads.</param>
    public static void AddTo(float* y, float* a, long n, WorkerTeam team) => ElementMap.Run(default(Sum2), y, a, y, n, team);

    /// <summary>y += factor * a.</summary>
    /// <param name="y">[n].</param>
    /// <param name="a">[n].</param>
    /// <param name="factor">A constant.</param>
    /// <param name="n">Number of elements.</param>
    /// <param name="team">Threads.</param>
    public static void AddScaled(float* y, float* a, float factor, long n, WorkerTeam team) =>
        ElementMap.Run(new ScaledSum { Factor = factor }, y, a, y, n, team);

    /// <summary>y *= factor.</summary>
    /// <param name="y">[n].</param>
    /// <param name="factor">A constant.</param>
    /// <param name="n">Number of elements.</param>
    /// <param name="team">Threads.</param>
    public static void Scale(float* y, float factor, long n, WorkerTeam team) => ElementMap.Run(new Scaled { Factor = factor }, y, null, y, n, team);

    /// <summary>y = a * b, element by element.</summary>
    /// <param name="a">[n].</param>
    /// <param name="b">[n].</param>
    /// <param name="y">[n].</param>
    /// <param name="n">Number of elements.</param>
    /// <param name="team">Threads.</param>
    public static void Multiply(float* a, float* b, float* y, long n, WorkerTeam team) => ElementMap.Run(default(Product), a, b, y, n, team);

    /// <summary>y = value.</summary>
    /// <param name="y">[n].</param>
    /// <param name="value">A constant.</param>
    /// <param name="n">Number of elements.</param>
    /// <param name="team">Threads.</param>
    public static void Fill(float* y, float value, long n, WorkerTeam team) => ElementMap.Run(new Constant { Value = value }, null, null, y, n, team);

    /// <summary>y = a, bits and all.</summary>
    /// <param name="a">[n].</param>
    /// <param name="y">[n].</param>
    /// <param name="n">Number of elements.</param>
    /// <param name="team">Threads.</param>
    public static void Copy(float* a, float* y, long n, WorkerTeam team) => ElementMap.Run(default(Same), a, null, y, n, team);

    /// <summary>The sum of all elements, in double precision.</summary>
    /// <param name="x">[n].</param>
    /// <param name="n">Number of elements.</param>
    /// <param name="team">Threads.</param>
    public static double Sum(float* x, long n, WorkerTeam team) => FixedParts.Sum(n, Part, &SumPart, x, team);

    /// <summary>The sum of all squares, in double precision: no float32 gradient overflows it.</summary>
    /// <param name="x">[n].</param>
    /// <param name="n">Number of elements.</param>
    /// <param name="team">Threads.</param>
    public static double SumOfSquares(float* x, long n, WorkerTeam team) => FixedParts.Sum(n, Part, &SquaresPart, x, team);

    /// <summary>Sum of squares of some rows of a matrix, in double precision.</summary>
    /// <param name="x">[?, columns].</param>
    /// <param name="rows">Which rows.</param>
    /// <param name="columns">Elements of a row.</param>
    /// <param name="team">Threads.</param>
    public static double SumOfSquares(float* x, ReadOnlySpan<int> rows, int columns, WorkerTeam team)
    {
        fixed (int* first = rows)
        {
            SomeRows some = new() { X = x, Rows = first, Columns = columns };
            return FixedParts.Sum(rows.Length, Math.Max(1, Part / Math.Max(1, columns)), &SquaresOfRows, &some, team);
        }
    }

    /// <summary>Whether an element is NaN or infinite.</summary>
    /// <param name="x">[n].</param>
    /// <param name="n">Number of elements.</param>
    /// <param name="team">Threads.</param>
    public static bool AnyNonFinite(float* x, long n, WorkerTeam team) => FixedParts.Sum(n, Part, &NonFinitePart, x, team) > 0;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double SumPart(void* x, long first, long count)
    {
        float* from = (float*)x + first;
        Vector256<double> a = default;
        Vector256<double> b = default;
        long i = 0;
        for (; i <= count - 8; i += 8)
        {
            (Vector256<double> low, Vector256<double> high) = Vector256.Widen(Vector256.Load(from + i));
            a += low;
            b += high;
        }

        double sum = Vector256.Sum(a + b);
        for (; i < count; i++)
        {
            sum += from[i];
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double SquaresPart(void* x, long first, long count)
    {
        float* from = (float*)x + first;
        Vector256<double> a = default;
        Vector256<double> b = default;
        long i = 0;
        for (; i <= count - 8; i += 8)
        {
            (Vector256<double> low, Vector256<double> high) = Vector256.Widen(Vector256.Load(from + i));
            a += low * low;
            b += high * high;
        }

        double sum = Vector256.Sum(a + b);
        for (; i < count; i++)
        {
            sum += (double)from[i] * from[i];
        }

        return sum;
    }

    private static double SquaresOfRows(void* state, long first, long count)
    {
        SomeRows* some = (SomeRows*)state;
        double sum = 0;
        for (long i = first; i < first + count; i++)
        {
            sum += SquaresPart(some->X, (long)some->Rows[i] * some->Columns, some->Columns);
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double NonFinitePart(void* x, long first, long count)
    {
        // 0 * x is 0 for every finite x, and NaN otherwise.
        float* from = (float*)x + first;
        Vector256<float> found = default;
        long i = 0;
        for (; i <= count - 8; i += 8)
        {
            found += Vector256.Load(from + i) * Vector256<float>.Zero;
        }

        float any = Vector256.Sum(found);
        for (; i < count; i++)
        {
            any += from[i] * 0f;
        }

        return float.IsNaN(any) ? 1 : 0;
    }

    private readonly struct Sum2 : IElementFunction
    {
        public static int Inputs => 2;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Apply<V>(V a, V b)
            where V : struct, ILanes<V> => a + b;
    }

    private readonly struct ScaledSum : IElementFunction
    {
        public static int Inputs => 2;

        public float Factor { get; init; }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Apply<V>(V a, V b)
            where V : struct, ILanes<V> => V.MultiplyAdd(b, V.Create(Factor), a);
    }

    private readonly struct Scaled : IElementFunction
    {
        public static int Inputs => 1;

        public float Factor { get; init; }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Apply<V>(V a, V b)
            where V : struct, ILanes<V> => a * V.Create(Factor);
    }

    private readonly struct Product : IElementFunction
    {
        public static int Inputs => 2;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Apply<V>(V a, V b)
            where V : struct, ILanes<V> => a * b;
    }

    private readonly struct Constant : IElementFunction
    {
        public static int Inputs => 0;

        public float Value { get; init; }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Apply<V>(V a, V b)
            where V : struct, ILanes<V> => V.Create(Value);
    }

    private readonly struct Same : IElementFunction
    {
        public static int Inputs => 1;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Apply<V>(V a, V b)
            where V : struct, ILanes<V> => a;
    }

    private struct SomeRows
    {
        public float* X;
        public int* Rows;
        public int Columns;
    }
}
