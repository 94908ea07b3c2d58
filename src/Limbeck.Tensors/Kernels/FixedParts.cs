using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Kernels;

/// <summary>Sums in double precision over a number of parts that depends on the size of the work alone, added in order: the same bits for any team.</summary>
internal static unsafe class FixedParts
{
    private const int MostParts = 256;

    /// <summary>The sum of what <paramref name="part"/> returns for ranges that cover 0..n-1.</summary>
    /// <param name="n">Number of elements or rows.</param>
    /// <param name="least">Fewest of them worth a part (the last one may have fewer).</param>
    /// <param name="part">Called as part(state, first, count) on any thread.</param>
    /// <param name="state">Passed on.</param>
    /// <param name="team">Threads.</param>
    public static double Sum(long n, int least, delegate*<void*, long, long, double> part, void* state, WorkerTeam team)
    {
        if (n <= 0)
        {
            return 0;
        }

        long size = Math.Max(least, (n + MostParts - 1) / MostParts);
        int parts = (int)((n + size - 1) / size);
        double* sums = stackalloc double[parts];
        Call call = new() { Part = part, State = state, N = n, Size = size, Sums = sums };
        team.Run(parts, &Task, &call);
        double total = 0;
        for (int i = 0; i < parts; i++)
        {
            total += sums[i];
        }

        return total;
    }

    private static void Task(void* state, int task, int worker)
    {
        Call* call = (Call*)state;
        long first = task * call->Size;
        call->Sums[task] = call->Part(call->State, first, Math.Min(call->Size, call->N - first));
    }

    private struct Call
    {
        public delegate*<void*, long, long, double> Part;
        public void* State;
        public long N;
        public long Size;
        public double* Sums;
    }
}
