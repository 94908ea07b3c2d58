using System.Runtime.CompilerServices;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Kernels;

/// <summary>Softmax of each row of a matrix, and its logarithm. The row's maximum is subtracted first, so scores of +-1e4 stay finite.</summary>
public static unsafe class RowSoftmax
{
    /// <summary>y[r, c] = exp(x[r, c]) / sum over c of exp(x[r, c]). A score of -infinity gets 0.</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="columns">Number of columns.</param>
    /// <param name="x">[rows, columns].</param>
    /// <param name="y">[rows, columns]; may be <paramref name="x"/>.</param>
    /// <param name="team">Threads.</param>
    public static void Forward(int rows, int columns, float* x, float* y, WorkerTeam team) => Run(rows, columns, x, y, false, team);

    /// <summary>y[r, c] = x[r, c] - log(sum over c of exp(x[r, c])).</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="columns">Number of columns.</param>
    /// <param name="x">[rows, columns].</param>
    /// <param name="y">[rows, columns]; may be <paramref name="x"/>.</param>
    /// <param name="team">Threads.</param>
    public static void LogSoftmax(int rows, int columns, float* x, float* y, WorkerTeam team) => Run(rows, columns, x, y, true, team);

    private static void Run(int rows, int columns, float* x, float* y, bool logarithm, WorkerTeam team)
    {
        Call call = new() { Rows = rows, Columns = columns, X = x, Y = y, Logarithm = logarithm };
        int tasks = RowBlocks.Blocks(rows, RowBlocks.Rows(columns));
        team.Run(tasks, &Task<Lanes16>, &Task<Lanes8>, &Task<Lanes4>, &call);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Task<V>(void* state, int task, int worker)
        where V : struct, ILanes<V>
    {
        Call* call = (Call*)state;
        int columns = call->Columns;
        int block = RowBlocks.Rows(columns);
        int end = (int)Math.Min((long)(task + 1) * block, call->Rows);
        for (int r = task * block; r < end; r++)
        {
            float* x = call->X + ((long)r * columns);
            float* y = call->Y + ((long)r * columns);
            float largest = Largest<V>(x, columns);
            if (call->Logarithm)
            {
                Shift<V>(x, y, columns, largest, (float)Math.Log(Exponentials<V>(x, null, columns, largest)));
            }
            else
            {
                Scale<V>(y, columns, (float)(1.0 / Exponentials<V>(x, y, columns, largest)));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Largest<V>(float* x, int columns)
        where V : struct, ILanes<V>
    {
        V largest = V.Create(float.NegativeInfinity);
        int c = 0;
        for (; c <= columns - V.Count; c += V.Count)
        {
            largest = V.Max(largest, V.Load(x + c));
        }

        if (c < columns)
        {
            V inside = V.LessThanInt(V.Sequence(0), V.CreateBits(columns - c));
            largest = V.Select(inside, V.Max(largest, V.Load(x + c, columns - c)), largest);
        }

        return V.MaxAcross(largest);
    }

    /// <summary>y = exp(x - largest) unless y is null; returns the sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Exponentials<V>(float* x, float* y, int columns, float largest)
        where V : struct, ILanes<V>
    {
        V top = V.Create(largest);
        V total = V.Zero;
        V sum0 = V.Zero;
        V sum1 = V.Zero;
        int steps = 0;
        int c = 0;
        for (; c <= columns - (2 * V.Count); c += 2 * V.Count)
        {
            // A vocabulary is long: sums of sums lose less.
            if (++steps % RowBlocks.Summed == 0)
            {
                total += sum0 + sum1;
                sum0 = V.Zero;
                sum1 = V.Zero;
            }

            V e0 = VectorMath.ExpNonPositive(V.Load(x + c) - top);
            V e1 = VectorMath.ExpNonPositive(V.Load(x + c + V.Count) - top);
            sum0 += e0;
            sum1 += e1;
            if (y != null)
            {
                V.Store(e0, y + c);
                V.Store(e1, y + c + V.Count);
            }
        }

        for (; c < columns; c += V.Count)
        {
            int count = Math.Min(V.Count, columns - c);
            V inside = V.LessThanInt(V.Sequence(0), V.CreateBits(count));
            V e = V.And(inside, VectorMath.ExpNonPositive(V.Load(x + c, count) - top));
            sum0 += e;
            if (y != null)
            {
                V.Store(e, y + c, count);
            }
        }

        return V.Sum(total + (sum0 + sum1));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Scale<V>(float* y, int columns, float factor)
        where V : struct, ILanes<V>
    {
        V f = V.Create(factor);
        int c = 0;
        for (; c <= columns - V.Count; c += V.Count)
        {
            V.Store(V.Load(y + c) * f, y + c);
        }

        if (c < columns)
        {
            V.Store(V.Load(y + c, columns - c) * f, y + c, columns - c);
        }
    }

    // Two subtractions: largest + logarithm in one number would lose the logarithm's digits beside a large score.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Shift<V>(float* x, float* y, int columns, float largest, float logarithm)
        where V : struct, ILanes<V>
    {
        V top = V.Create(largest);
        V log = V.Create(logarithm);
        int c = 0;
        for (; c <= columns - V.Count; c += V.Count)
        {
            V.Store(V.Load(x + c) - top - log, y + c);
        }

        if (c < columns)
        {
            V.Store(V.Load(x + c, columns - c) - top - log, y + c, columns - c);
        }
    }

    private struct Call
    {
        public int Rows;
        public int Columns;
        public float* X;
        public float* Y;
        public bool Logarithm;
    }
}
