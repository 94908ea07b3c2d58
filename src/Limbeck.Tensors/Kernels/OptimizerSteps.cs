using System.Runtime.CompilerServices;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Kernels;

/// <summary>One update of one tensor by the optimizers of the papers' code. Moments start at zero; what depends on the step alone is computed in double precision.</summary>
public static unsafe class OptimizerSteps
{
    private const int Block = 8192;

    /// <summary>PyTorch's AdamW: p *= 1 - lr wd; p -= lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps). Loshchilov and Hutter, arXiv:1711.05101v3.</summary>
    /// <param name="p">[n], the parameters.</param>
    /// <param name="g">[n], their gradient.</param>
    /// <param name="m">[n], the first moment.</param>
    /// <param name="v">[n], the second moment.</param>
    /// <param name="n">Number of elements.</param>
    /// <param name="learningRate">Of this step, the schedule included.</param>
    /// <param name="beta1">Decay of the first moment.</param>
    /// <param name="beta2">Decay of the second moment.</param>
    /// <param name="epsilon">Added to the root.</param>
    /// <param name="weightDecay">Decoupled weight decay; 0 for none.</param>
    /// <param name="step">Number of this update, from 1.</param>
    /// <param name="gradientScale">Multiplies the gradient, as clipping does; 1 for none.</param>
    /// <param name="team">Threads.</param>
    /// <param name="rows">Where p is a table: which of its rows have a gradient. The bits are the same without.</param>
    public static void AdamW(
        float* p, float* g, float* m, float* v, long n, double learningRate, double beta1, double beta2, double epsilon, double weightDecay, long step, double gradientScale, WorkerTeam team, TableRows rows = default)
    {
        Call call = Prepare(p, g, m, v, n, beta1, beta2, epsilon, gradientScale, rows);
        call.Rate = (float)(learningRate / (1 - Math.Pow(beta1, step)));
        call.RootScale = (float)(1 / Math.Sqrt(1 - Math.Pow(beta2, step)));
        call.DecayBefore = (float)(learningRate * weightDecay);
        Run(call, team);
    }

    /// <summary>AdamW of transformers 2.4.0: p -= lr sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + eps); then p -= lr wd p.</summary>
    /// <param name="p">[n], the parameters.</param>
    /// <param name="g">[n], their gradient.</param>
    /// <param name="m">[n], the first moment.</param>
    /// <param name="v">[n], the second moment.</param>
    /// <param name="n">Number of elements.</param>
    /// <param name="learningRate">Of this step, the schedule included.</param>
    /// <param name="beta1">Decay of the first moment.</param>
    /// <param name="beta2">Decay of the second moment.</param>
    /// <param name="epsilon">Added to the root, before the bias correction: that is where it differs from PyTorch's.</param>
    /// <param name="weightDecay">Decoupled weight decay; 0 for none.</param>
    /// <param name="step">Number of this update, from 1.</param>
    /// <param name="gradientScale">Multiplies the gradient, as clipping does; 1 for none.</param>
    /// <param name="team">Threads.</param>
    /// <param name="rows">Where p is a table: which of its rows have a gradient. The bits are the same without.</param>
    public static void AdamWTransformers(
        float* p, float* g, float* m, float* v, long n, double learningRate, double beta1, double beta2, double epsilon, double weightDecay, long step, double gradientScale, WorkerTeam team, TableRows rows = default)
    {
        Call call = Prepare(p, g, m, v, n, beta1, beta2, epsilon, gradientScale, rows);
        call.Rate = (float)(learningRate * Math.Sqrt(1 - Math.Pow(beta2, step)) / (1 - Math.Pow(beta1, step)));
        call.DecayAfter = (float)(learningRate * weightDecay);
        Run(call, team);
    }

    /// <summary>BertAdam of BERT's and TinyBERT's code: p -= lr * (m / (sqrt(v) + eps) + wd p), no bias correction.</summary>
    /// <param name="p">[n], the parameters.</param>
    /// <param name="g">[n], their gradient.</param>
    /// <param name="m">[n], the first moment.</param>
    /// <param name="v">[n], the second moment.</param>
    /// <param name="n">Number of elements.</param>
    /// <param name="learningRate">Of this step, the schedule included.</param>
    /// <param name="beta1">Decay of the first moment.</param>
    /// <param name="beta2">Decay of the second moment.</param>
    /// <param name="epsilon">Added to the root.</param>
    /// <param name="weightDecay">Decoupled weight decay; 0 for none.</param>
    /// <param name="gradientScale">Multiplies the gradient, as clipping does; 1 for none.</param>
    /// <param name="team">Threads.</param>
    /// <param name="rows">Where p is a table: which of its rows have a gradient. The bits are the same without.</param>
    public static void BertAdam(
        float* p, float* g, float* m, float* v, long n, double learningRate, double beta1, double beta2, double epsilon, double weightDecay, double gradientScale, WorkerTeam team, TableRows rows = default)
    {
        // p - lr (u + wd p) = p (1 - lr wd) - lr u: the decay comes first.
        Call call = Prepare(p, g, m, v, n, beta1, beta2, epsilon, gradientScale, rows);
        call.Rate = (float)learningRate;
        call.DecayBefore = (float)(learningRate * weightDecay);
        Run(call, team);
    }

    /// <summary>The factor by which PyTorch's clip_grad_norm_ multiplies gradients: min(1, max / (norm + 1e-6)). NaN for a NaN norm.</summary>
    /// <param name="norm">The gradients' norm.</param>
    /// <param name="maximum">The largest norm wanted.</param>
    public static double ClipFactor(double norm, double maximum) => Math.Min(1.0, maximum / (norm + 1e-6));

    private static Call Prepare(float* p, float* g, float* m, float* v, long n, double beta1, double beta2, double epsilon, double gradientScale, TableRows rows) => new()
    {
        Rows = rows,
        P = p,
        G = g,
        M = m,
        V = v,
        N = n,
        OneMinusBeta1 = (float)(1 - beta1),
        Beta2 = (float)beta2,
        OneMinusBeta2 = (float)(1 - beta2),
        Epsilon = (float)epsilon,
        GradientScale = (float)gradientScale,
        RootScale = 1,
    };

    private static void Run(Call call, WorkerTeam team)
    {
        long size = call.Rows.States == null ? Block : (long)RowsOfBlock(call) * call.Rows.Columns;
        int tasks = checked((int)((call.N + size - 1) / size));
        team.Run(tasks, &Task<Lanes16>, &Task<Lanes8>, &Task<Lanes4>, &call);
    }

    private static int RowsOfBlock(in Call call) => Math.Max(1, Block / call.Rows.Columns);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Task<TLanes>(void* state, int task, int worker)
        where TLanes : struct, ILanes<TLanes>
    {
        Call* call = (Call*)state;
        if (call->Rows.States == null)
        {
            long start = (long)task * Block;
            Part<TLanes>(call, start, Math.Min(call->N, start + Block), TableRows.Touched);
            return;
        }

        long columns = call->Rows.Columns;
        long rows = call->N / columns;
        long end = Math.Min(rows, ((long)task + 1) * RowsOfBlock(*call));
        for (long row = (long)task * RowsOfBlock(*call); row < end;)
        {
            long first = row;
            byte kind = call->Rows.States[first];
            do
            {
                row++;
            }
            while (row < end && call->Rows.States[row] == kind);
            Part<TLanes>(call, first * columns, row * columns, kind);
        }
    }

    /// <summary>Elements whose rows are of one kind.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Part<TLanes>(Call* state, long start, long end, byte kind)
        where TLanes : struct, ILanes<TLanes>
    {
        Call call = *state;
        float* p = call.P;
        float* g = call.G;
        float* m = call.M;
        float* v = call.V;
        long i = start;
        if (kind == TableRows.Untouched)
        {
            if (call.DecayBefore == 0 && call.DecayAfter == 0)
            {
                return;
            }

            for (; i <= end - TLanes.Count; i += TLanes.Count)
            {
                TLanes.Store(Decay(in call, TLanes.Load(p + i)), p + i);
            }

            if (i < end)
            {
                TLanes.Store(Decay(in call, TLanes.Load(p + i, (int)(end - i))), p + i, (int)(end - i));
            }

            return;
        }

        bool touched = kind == TableRows.Touched;
        for (; i <= end - TLanes.Count; i += TLanes.Count)
        {
            TLanes first = TLanes.Load(m + i);
            TLanes second = TLanes.Load(v + i);
            TLanes updated = Update(in call, TLanes.Load(p + i), touched ? TLanes.Load(g + i) : TLanes.Create(0f), ref first, ref second);
            TLanes.Store(updated, p + i);
            TLanes.Store(first, m + i);
            TLanes.Store(second, v + i);
        }

        int rest = (int)(end - i);
        if (rest > 0)
        {
            TLanes first = TLanes.Load(m + i, rest);
            TLanes second = TLanes.Load(v + i, rest);
            TLanes updated = Update(in call, TLanes.Load(p + i, rest), touched ? TLanes.Load(g + i, rest) : TLanes.Create(0f), ref first, ref second);
            TLanes.Store(updated, p + i, rest);
            TLanes.Store(first, m + i, rest);
            TLanes.Store(second, v + i, rest);
        }
    }

    // The decay is subtracted, not multiplied in: 1 - lr wd has too few digits in float32.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes Update<TLanes>(in Call call, TLanes p, TLanes g, ref TLanes m, ref TLanes v)
        where TLanes : struct, ILanes<TLanes>
    {
        g *= TLanes.Create(call.GradientScale);
        m = TLanes.MultiplyAdd(TLanes.Create(call.OneMinusBeta1), g - m, m);
        v = TLanes.MultiplyAdd(TLanes.Create(call.OneMinusBeta2) * g, g, TLanes.Create(call.Beta2) * v);
        p = TLanes.MultiplyAdd(TLanes.Create(-call.DecayBefore), p, p);
        TLanes root = TLanes.MultiplyAdd(TLanes.Sqrt(v), TLanes.Create(call.RootScale), TLanes.Create(call.Epsilon));
        p = TLanes.MultiplyAdd(TLanes.Create(-call.Rate), m / root, p);
        return TLanes.MultiplyAdd(TLanes.Create(-call.DecayAfter), p, p);
    }

    /// <summary>What <see cref="Update"/> does where gradient and moments are zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes Decay<TLanes>(in Call call, TLanes p)
        where TLanes : struct, ILanes<TLanes>
    {
        p = TLanes.MultiplyAdd(TLanes.Create(-call.DecayBefore), p, p);
        return TLanes.MultiplyAdd(TLanes.Create(-call.DecayAfter), p, p);
    }

    private struct Call
    {
        public TableRows Rows;
        public float* P;
        public float* G;
        public float* M;
        public float* V;
        public long N;
        public float OneMinusBeta1;
        public float Beta2;
        public float OneMinusBeta2;
        public float Epsilon;
        public float GradientScale;
        public float Rate;
        public float RootScale;
        public float DecayBefore;
        public float DecayAfter;
    }
}
