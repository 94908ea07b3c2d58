using System.Runtime.CompilerServices;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Kernels;

/// <summary>Dropout: elements become zero with probability p, the others are multiplied by 1/(1-p). Which, <see cref="DropoutMask"/> says.</summary>
public static unsafe class Dropout
{
    private const int Block = 16384;

    /// <summary>y = mask * x.</summary>
    /// <param name="x">[n].</param>
    /// <param name="y">[n]; may be <paramref name="x"/>.</param>
    /// <param name="n">Number of elements.</param>
    /// <param name="probability">Of dropping, in [0, 1).</param>
    /// <param name="key">The mask's key.</param>
    /// <param name="team">Threads.</param>
    /// <exception cref="ArgumentOutOfRangeException">The probability is out of range.</exception>
    public static void Forward(float* x, float* y, long n, float probability, uint key, WorkerTeam team)
    {
        DropoutMask.Threshold(probability);
        Call call = new() { X = x, Y = y, N = n, Probability = probability, Key = key };
        int tasks = checked((int)((n + Block - 1) / Block));
        team.Run(tasks, &Task<Lanes16>, &Task<Lanes8>, &Task<Lanes4>, &call);
    }

    /// <summary>dx = mask * dy, the mask of the forward pass.</summary>
    /// <param name="dy">[n].</param>
    /// <param name="dx">[n]; may be <paramref name="dy"/>.</param>
    /// <param name="n">Number of elements.</param>
    /// <param name="probability">As in the forward pass.</param>
    /// <param name="key">As in the forward pass.</param>
    /// <param name="team">Threads.</param>
    public static void Backward(float* dy, float* dx, long n, float probability, uint key, WorkerTeam team) =>
        Forward(dy, dx, n, probability, key, team);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Task<V>(void* state, int task, int worker)
        where V : struct, ILanes<V>
    {
        Call* call = (Call*)state;
        DropoutLanes<V> mask = new(call->Probability, call->Key);
        long start = (long)task * Block;
        int count = (int)Math.Min(Block, call->N - start);
        float* x = call->X + start;
        float* y = call->Y + start;
        int i = 0;
        for (; i <= count - V.Count; i += V.Count)
        {
            V.Store(mask.Apply(V.Load(x + i), V.Sequence((int)(start + i))), y + i);
        }

        if (i < count)
        {
            V.Store(mask.Apply(V.Load(x + i, count - i), V.Sequence((int)(start + i))), y + i, count - i);
        }
    }

    private struct Call
    {
        public float* X;
        public float* Y;
        public long N;
        public float Probability;
        public uint Key;
    }
}
