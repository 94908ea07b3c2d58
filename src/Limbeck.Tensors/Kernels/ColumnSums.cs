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
        team.Run(tasks, &Task<Lanes16>, &Task<Lanes8>, &Task<Lanes4>, &call);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Task<V>(void* state, int task, int worker)
        where V : struct, ILanes<V>
    {
        Call* call = (Call*)state;
        int column = task * RowBlocks.Columns;
        int end = Math.Min(column + RowBlocks.Columns, call->Columns);
        for (; column <= end - (2 * V.Count); column += 2 * V.Count)
        {
            V sumA = V.Load(call->Sums + column);
            V sumB = V.Load(call->Sums + column + V.Count);
            V lostA = V.Zero;
            V lostB = V.Zero;
            for (int row = 0; row < call->Rows; row += RowBlocks.Summed)
            {
                int last = Math.Min(row + RowBlocks.Summed, call->Rows);
                V a = V.Zero;
                V b = V.Zero;
                if (call->Y == null)
                {
                    for (int r = row; r < last; r++)
                    {
                        float* x = call->X + ((long)r * call->Ld) + column;
                        a += V.Load(x);
                        b += V.Load(x + V.Count);
                    }
                }
                else
                {
                    for (int r = row; r < last; r++)
                    {
                        long at = ((long)r * call->Ld) + column;
                        a = V.MultiplyAdd(V.Load(call->X + at), V.Load(call->Y + at), a);
                        b = V.MultiplyAdd(V.Load(call->X + at + V.Count), V.Load(call->Y + at + V.Count), b);
                    }
                }

                Add(ref sumA, ref lostA, a);
                Add(ref sumB, ref lostB, b);
            }

            V.Store(sumA, call->Sums + column);
            V.Store(sumB, call->Sums + column + V.Count);
        }

        for (; column < end; column += V.Count)
        {
            int count = Math.Min(V.Count, end - column);
            V sum = V.Load(call->Sums + column, count);
            V lost = V.Zero;
            for (int row = 0; row < call->Rows; row += RowBlocks.Summed)
            {
                int last = Math.Min(row + RowBlocks.Summed, call->Rows);
                V a = V.Zero;
                for (int r = row; r < last; r++)
                {
                    long at = ((long)r * call->Ld) + column;
                    V x = V.Load(call->X + at, count);
                    a = call->Y == null ? a + x : V.MultiplyAdd(x, V.Load(call->Y + at, count), a);
                }

                Add(ref sum, ref lost, a);
            }

            V.Store(sum, call->Sums + column, count);
        }
    }

    /// <summary>sum += x with what the last addition lost (Kahan's summation).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<V>(ref V sum, ref V lost, V x)
        where V : struct, ILanes<V>
    {
        x -= lost;
        V next = sum + x;
        lost = next - sum - x;
        sum = next;
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
