using System.Runtime.CompilerServices;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Kernels;

/// <summary>Sums down the columns of a matrix: the gradients of biases and of a layer norm's parameters.</summary>
public static unsafe class ColumnSums
{
    /// <summary>sums[c] += sum over rows of x[r, c].</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="columns">Number of columns.</param>
    /// <param name="x">[rows, ldx], the first <paramref name="columns"/> of each row.</param>
    /// <param name="ldx">Elements from one row to the next.</param>
    /// <param name="sums">[columns], added to.</param>
    /// <param name="team">Threads.</param>
    public static void Accumulate(int rows, int columns, float* x, int ldx, float* sums, WorkerTeam team) =>
        Run(rows, columns, x, null, ldx, sums, team);

    /// <summary>sums[c] += sum over rows of x[r, c] * y[r, c].</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="columns">Number of columns.</param>
    /// <param name="x">[rows, ld].</param>
    /// <param name="y">[rows, ld].</param>
    /// <param name="ld">Elements from one row to the next, in both.</param>
    /// <param name="sums">[columns], added to.</param>
    /// <param name="team">Threads.</param>
    public static void AccumulateProducts(int rows, int columns, float* x, float* y, int ld, float* sums, WorkerTeam team) =>
        Run(rows, columns, x, y, ld, sums, team);

    private static void Run(int rows, int columns, float* x, float* y, int ld, float* sums, WorkerTeam team)
    {
        Call call = new() { Rows = rows, Columns = columns, X = x, Y = y, Ld = ld, Sums = sums };
        int tasks = RowBlocks.Blocks(columns, RowBlocks.Columns);
        switch (Cpu.Tier)
        {
            case CpuTier.Avx512:
                team.Run(tasks, &Task<Lanes16>, &call);
                break;
            case CpuTier.Avx2:
                team.Run(tasks, &Task<Lanes8>, &call);
                break;
            default:
                team.Run(tasks, &Task<Lanes4>, &call);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Task<V>(void* state, int task, int worker)
        where V : struct, ILanes<V>
    {
        Call* call = (Call*)state;
        int first = task * RowBlocks.Columns;
        int end = Math.Min(first + RowBlocks.Columns, call->Columns);
        for (int row = 0; row < call->Rows; row += RowBlocks.Summed)
        {
            int last = Math.Min(row + RowBlocks.Summed, call->Rows);
            int column = first;
            for (; column <= end - (2 * V.Count); column += 2 * V.Count)
            {
                V a = V.Zero;
                V b = V.Zero;
                for (int r = row; r < last; r++)
                {
                    long at = ((long)r * call->Ld) + column;
                    if (call->Y == null)
                    {
                        a += V.Load(call->X + at);
                        b += V.Load(call->X + at + V.Count);
                    }
                    else
                    {
                        a = V.MultiplyAdd(V.Load(call->X + at), V.Load(call->Y + at), a);
                        b = V.MultiplyAdd(V.Load(call->X + at + V.Count), V.Load(call->Y + at + V.Count), b);
                    }
                }

                V.Store(V.Load(call->Sums + column) + a, call->Sums + column);
                V.Store(V.Load(call->Sums + column + V.Count) + b, call->Sums + column + V.Count);
            }

            for (; column < end; column += V.Count)
            {
                int count = Math.Min(V.Count, end - column);
                V a = V.Zero;
                for (int r = row; r < last; r++)
                {
                    long at = ((long)r * call->Ld) + column;
                    V x = V.Load(call->X + at, count);
                    a = call->Y == null ? a + x : V.MultiplyAdd(x, V.Load(call->Y + at, count), a);
                }

                V.Store(V.Load(call->Sums + column, count) + a, call->Sums + column, count);
            }
        }
    }

    private struct Call
    {
        public int Rows;
        public int Columns;
        public float* X;
        public float* Y;
        public int Ld;
        public float* Sums;
    }
}
