using System.Runtime.CompilerServices;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Kernels;

/// <summary>Layer normalization of dropout(x) + residual, as BERT's blocks use it, and its gradients. Ba et al., arXiv:1607.06450v1.</summary>
/// <remarks>The variance is the biased one, taken of the differences from the mean in a second pass, so rows with a large mean keep their digits.</remarks>
public static unsafe class LayerNorm
{
    /// <summary>y = (s - mean) / sqrt(variance + epsilon) * gamma + beta, s = dropout(x) + residual, mean and variance of each row.</summary>
    /// <param name="rows">T.</param>
    /// <param name="columns">H, at least 1.</param>
    /// <param name="x">[T, H].</param>
    /// <param name="residual">[T, H], or null for zero.</param>
    /// <param name="dropout">Probability of dropping an element of x, in [0, 1); 0 for none.</param>
    /// <param name="key">The mask's key; not used when <paramref name="dropout"/> is 0.</param>
    /// <param name="gamma">[H].</param>
    /// <param name="beta">[H].</param>
    /// <param name="epsilon">Added to the variance.</param>
    /// <param name="y">[T, H]; may be <paramref name="x"/> or <paramref name="residual"/>.</param>
    /// <param name="normalized">[T, H], receives (s - mean) / sqrt(variance + epsilon) for the backward pass; or null.</param>
    /// <param name="reciprocalDeviation">[T], receives 1 / sqrt(variance + epsilon); or null.</param>
    /// <param name="team">Threads.</param>
    public static void Forward(
        int rows,
        int columns,
        float* x,
        float* residual,
        float dropout,
        uint key,
        float* gamma,
        float* beta,
        float epsilon,
        float* y,
        float* normalized,
        float* reciprocalDeviation,
        WorkerTeam team)
    {
        DropoutMask.Threshold(dropout);
        ForwardCall call = new()
        {
            Rows = rows,
            Columns = columns,
            X = x,
            Residual = residual,
            Dropout = dropout,
            Key = key,
            Gamma = gamma,
            Beta = beta,
            Epsilon = epsilon,
            Y = y,
            Normalized = normalized,
            ReciprocalDeviation = reciprocalDeviation,
        };
        int tasks = RowBlocks.Blocks(rows, RowBlocks.Rows(columns));
        team.Run(tasks, &ForwardTask<Lanes16>, &ForwardTask<Lanes8>, &ForwardTask<Lanes4>, &call);
    }

    /// <summary>The gradients of <see cref="Forward"/>.</summary>
    /// <param name="rows">T.</param>
    /// <param name="columns">H.</param>
    /// <param name="normalized">[T, H] of the forward pass.</param>
    /// <param name="reciprocalDeviation">[T] of the forward pass.</param>
    /// <param name="gamma">[H].</param>
    /// <param name="dy">[T, H].</param>
    /// <param name="dSum">[T, H], receives the gradient of dropout(x) + residual, which is the residual's; may be <paramref name="dy"/>.</param>
    /// <param name="dx">[T, H], receives the gradient of x, dSum under the mask; null when there is no dropout or nobody asks.</param>
    /// <param name="dropout">As in the forward pass.</param>
    /// <param name="key">As in the forward pass.</param>
    /// <param name="dGamma">[H], added to; or null.</param>
    /// <param name="dBeta">[H], added to; or null.</param>
    /// <param name="team">Threads.</param>
    public static void Backward(
        int rows,
        int columns,
        float* normalized,
        float* reciprocalDeviation,
        float* gamma,
        float* dy,
        float* dSum,
        float* dx,
        float dropout,
        uint key,
        float* dGamma,
        float* dBeta,
        WorkerTeam team)
    {
        DropoutMask.Threshold(dropout);
        if (dGamma != null)
        {
            ColumnSums.AccumulateProducts(rows, columns, dy, normalized, columns, dGamma, team);
        }

        if (dBeta != null)
        {
            ColumnSums.Accumulate(rows, columns, dy, columns, dBeta, team);
        }

        BackwardCall call = new()
        {
            Rows = rows,
            Columns = columns,
            Normalized = normalized,
            ReciprocalDeviation = reciprocalDeviation,
            Gamma = gamma,
            DY = dy,
            DSum = dSum,
            DX = dx,
            Dropout = dropout,
            Key = key,
        };
        int tasks = RowBlocks.Blocks(rows, RowBlocks.Rows(columns));
        team.Run(tasks, &BackwardTask<Lanes16>, &BackwardTask<Lanes8>, &BackwardTask<Lanes4>, &call);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ForwardTask<V>(void* state, int task, int worker)
        where V : struct, ILanes<V>
    {
        ForwardCall* call = (ForwardCall*)state;
        int columns = call->Columns;
        int block = RowBlocks.Rows(columns);
        int end = (int)Math.Min((long)(task + 1) * block, call->Rows);
        DropoutLanes<V> mask = new(call->Dropout, call->Key);
        bool drops = call->Dropout > 0f;
        for (int r = task * block; r < end; r++)
        {
            long at = (long)r * columns;
            float* y = call->Y + at;
            float mean = StoreSums(call->X + at, call->Residual == null ? null : call->Residual + at, y, columns, at, drops, mask) / columns;
            (float correction, float variance) = Moments<V>(y, columns, mean);
            float reciprocal = (float)(1.0 / Math.Sqrt((double)variance + call->Epsilon));
            Normalize<V>(y, columns, mean, correction, reciprocal, call->Gamma, call->Beta, call->Normalized == null ? null : call->Normalized + at);
            if (call->ReciprocalDeviation != null)
            {
                call->ReciprocalDeviation[r] = reciprocal;
            }
        }
    }

    /// <summary>y = dropout(x) + residual; returns the sum of y.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float StoreSums<V>(float* x, float* residual, float* y, int columns, long index, bool drops, DropoutLanes<V> mask)
        where V : struct, ILanes<V>
    {
        V sum = V.Zero;
        int c = 0;
        for (; c <= columns - V.Count; c += V.Count)
        {
            V a = V.Load(x + c);
            if (drops)
            {
                a = mask.Apply(a, V.Sequence((int)(index + c)));
            }

            if (residual != null)
            {
                a += V.Load(residual + c);
            }

            V.Store(a, y + c);
            sum += a;
        }

        if (c < columns)
        {
            int count = columns - c;
            V a = V.Load(x + c, count);
            if (drops)
            {
                a = mask.Apply(a, V.Sequence((int)(index + c)));
            }

            if (residual != null)
            {
                a += V.Load(residual + c, count);
            }

            V.Store(a, y + c, count);
            sum += a;
        }

        return V.Sum(sum);
    }

    /// <summary>The mean of s - mean (what rounding left of it) and the variance.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (float Correction, float Variance) Moments<V>(float* s, int columns, float mean)
        where V : struct, ILanes<V>
    {
        V center = V.Create(mean);
        V sum0 = V.Zero;
        V sum1 = V.Zero;
        V square0 = V.Zero;
        V square1 = V.Zero;
        int c = 0;
        for (; c <= columns - (2 * V.Count); c += 2 * V.Count)
        {
            V a = V.Load(s + c) - center;
            V b = V.Load(s + c + V.Count) - center;
            sum0 += a;
            sum1 += b;
            square0 = V.MultiplyAdd(a, a, square0);
            square1 = V.MultiplyAdd(b, b, square1);
        }

        for (; c < columns; c += V.Count)
        {
            int count = Math.Min(V.Count, columns - c);
            V inside = V.LessThanInt(V.Sequence(0), V.CreateBits(count));
            V a = V.And(inside, V.Load(s + c, count) - center);
            sum0 += a;
            square0 = V.MultiplyAdd(a, a, square0);
        }

        double correction = (double)V.Sum(sum0 + sum1) / columns;
        double variance = ((double)V.Sum(square0 + square1) / columns) - (correction * correction);
        return ((float)correction, (float)Math.Max(variance, 0)); // Max keeps a NaN
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Normalize<V>(float* y, int columns, float mean, float correction, float reciprocal, float* gamma, float* beta, float* normalized)
        where V : struct, ILanes<V>
    {
        V center = V.Create(mean);
        V factor = V.Create(reciprocal);
        V shift = V.Create(-correction * reciprocal);
        int c = 0;
        for (; c <= columns - V.Count; c += V.Count)
        {
            V hat = V.MultiplyAdd(V.Load(y + c) - center, factor, shift);
            if (normalized != null)
            {
                V.Store(hat, normalized + c);
            }

            V.Store(V.MultiplyAdd(hat, V.Load(gamma + c), V.Load(beta + c)), y + c);
        }

        if (c < columns)
        {
            int count = columns - c;
            V hat = V.MultiplyAdd(V.Load(y + c, count) - center, factor, shift);
            if (normalized != null)
            {
                V.Store(hat, normalized + c, count);
            }

            V.Store(V.MultiplyAdd(hat, V.Load(gamma + c, count), V.Load(beta + c, count)), y + c, count);
        }
    }

    // With g = dy * gamma: dSum = r * (g - mean(g) - hat * mean(g * hat)).
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BackwardTask<V>(void* state, int task, int worker)
        where V : struct, ILanes<V>
    {
        BackwardCall* call = (BackwardCall*)state;
        int columns = call->Columns;
        int block = RowBlocks.Rows(columns);
        int end = (int)Math.Min((long)(task + 1) * block, call->Rows);
        float* gamma = call->Gamma;
        DropoutLanes<V> mask = new(call->Dropout, call->Key);
        for (int r = task * block; r < end; r++)
        {
            long at = (long)r * columns;
            float* dy = call->DY + at;
            float* hat = call->Normalized + at;
            float* dSum = call->DSum + at;
            float* dx = call->DX == null ? null : call->DX + at;
            V sum = V.Zero;
            V dot = V.Zero;
            int c = 0;
            for (; c <= columns - V.Count; c += V.Count)
            {
                V g = V.Load(dy + c) * V.Load(gamma + c);
                sum += g;
                dot = V.MultiplyAdd(g, V.Load(hat + c), dot);
            }

            if (c < columns)
            {
                V g = V.Load(dy + c, columns - c) * V.Load(gamma + c, columns - c);
                sum += g;
                dot = V.MultiplyAdd(g, V.Load(hat + c, columns - c), dot);
            }

            V factor = V.Create(call->ReciprocalDeviation[r]);
            V mean = V.Create(V.Sum(sum) / columns);
            V slope = V.Create(-V.Sum(dot) / columns);
            for (c = 0; c <= columns - V.Count; c += V.Count)
            {
                V g = V.Load(dy + c) * V.Load(gamma + c);
                V d = factor * V.MultiplyAdd(V.Load(hat + c), slope, g - mean);
                V.Store(d, dSum + c);
                if (dx != null)
                {
                    V.Store(mask.Apply(d, V.Sequence((int)(at + c))), dx + c);
                }
            }

            if (c < columns)
            {
                int count = columns - c;
                V g = V.Load(dy + c, count) * V.Load(gamma + c, count);
                V d = factor * V.MultiplyAdd(V.Load(hat + c, count), slope, g - mean);
                V.Store(d, dSum + c, count);
                if (dx != null)
                {
                    V.Store(mask.Apply(d, V.Sequence((int)(at + c))), dx + c, count);
                }
            }
        }
    }

    private struct ForwardCall
    {
        public int Rows;
        public int Columns;
        public float* X;
        public float* Residual;
        public float Dropout;
        public uint Key;
        public float* Gamma;
        public float* Beta;
        public float Epsilon;
        public float* Y;
        public float* Normalized;
        public float* ReciprocalDeviation;
    }

    private struct BackwardCall
    {
        public int Rows;
        public int Columns;
        public float* Normalized;
        public float* ReciprocalDeviation;
        public float* Gamma;
        public float* DY;
        public float* DSum;
        public float* DX;
        public float Dropout;
        public uint Key;
    }
}
