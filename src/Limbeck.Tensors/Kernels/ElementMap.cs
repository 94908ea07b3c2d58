using System.Runtime.CompilerServices;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Kernels;

/// <summary>A function of up to two arrays, element by element, for <see cref="ElementMap"/>. Its fields are the constants.</summary>
internal interface IElementFunction
{
    /// <summary>How many arrays it reads: 0, 1 or 2. A lane of an array that is not read is 0.</summary>
    static abstract int Inputs { get; }

    /// <summary>The results of one vector.</summary>
    /// <param name="a">Elements of the first array.</param>
    /// <param name="b">Elements of the second array.</param>
    V Apply<V>(V a, V b)
        where V : struct, ILanes<V>;
}

/// <summary>Runs a function over arrays, vectorized and in blocks on the team. The output may be one of the inputs.</summary>
internal static unsafe class ElementMap
{
    /// <summary>Elements of a task: about 10 us of memory traffic, and a block of each array stays in the first-level caches.</summary>
    private const int Block = 16384;

    /// <summary>y[i] = function(a[i], b[i]).</summary>
    /// <param name="function">What to compute.</param>
    /// <param name="a">[n], or null if the function reads nothing.</param>
    /// <param name="b">[n], or null if the function reads one array.</param>
    /// <param name="y">[n].</param>
    /// <param name="n">Number of elements.</param>
    /// <param name="team">Threads.</param>
    public static void Run<TFunction>(TFunction function, float* a, float* b, float* y, long n, WorkerTeam team)
        where TFunction : unmanaged, IElementFunction
    {
        Call<TFunction> call = new() { Function = function, A = a, B = b, Y = y, N = n };
        int tasks = checked((int)((n + Block - 1) / Block));
        team.Run(tasks, &Task<Lanes16, TFunction>, &Task<Lanes8, TFunction>, &Task<Lanes4, TFunction>, &call);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Task<V, TFunction>(void* state, int task, int worker)
        where V : struct, ILanes<V>
        where TFunction : unmanaged, IElementFunction
    {
        Call<TFunction>* call = (Call<TFunction>*)state;
        TFunction function = call->Function;
        long start = (long)task * Block;
        int count = (int)Math.Min(Block, call->N - start);
        float* a = call->A + start;
        float* b = call->B + start;
        float* y = call->Y + start;
        int i = 0;
        for (; i <= count - V.Count; i += V.Count)
        {
            V.Store(function.Apply(TFunction.Inputs > 0 ? V.Load(a + i) : V.Zero, TFunction.Inputs > 1 ? V.Load(b + i) : V.Zero), y + i);
        }

        int rest = count - i;
        if (rest > 0)
        {
            V.Store(function.Apply(TFunction.Inputs > 0 ? V.Load(a + i, rest) : V.Zero, TFunction.Inputs > 1 ? V.Load(b + i, rest) : V.Zero), y + i, rest);
        }
    }

    private struct Call<TFunction>
        where TFunction : unmanaged
    {
        public TFunction Function;
        public float* A;
        public float* B;
        public float* Y;
        public long N;
    }
}
