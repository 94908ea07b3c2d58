using System.Runtime.CompilerServices;

namespace Limbeck.Tensors.Kernels;

/// <summary>One task of the backward pass: blocks of query rows; the gradients of keys and values gather over the blocks.</summary>
/// <remarks>
/// With P recomputed as exp(S - logSumExp), M the factors of dropout and * elementwise: dV = (M*P)^T dO; dP = M * (dO V^T);
/// dS = P * (dP - delta) + dScores, delta the rows' inner products of dO and O; dQ = dS K / sqrt(D); dK = dS^T Q / sqrt(D).
/// </remarks>
/// <typeparam name="V">The vector width.</typeparam>
internal static unsafe class AttentionBackward<V>
    where V : struct, ILanes<V>
{
    // Two such blocks stay in the second-level cache; deeper blocks add less often to the gradients of keys and values.
    private const int BlockFloats = 16384;

    /// <summary>Working memory of one worker, in floats.</summary>
    public static nuint ScratchFloats(int headSize, int longest)
    {
        Layout layout = new(null, headSize, longest);
        return (nuint)layout.End;
    }

    /// <summary>Body for <see cref="Threading.WorkerTeam"/>; the state is an <see cref="AttentionCall"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Task(void* state, int task, int worker)
    {
        AttentionCall* call = (AttentionCall*)state;
        AttentionTask work = call->Tasks[task];
        float* scratch = (float*)(call->Scratch + ((nuint)worker * call->ScratchBytes));
        int sequence = work.Sequence;
        int head = work.Head;
        long scoreBase = work.ScoreBase;
        for (int pair = 0; pair < work.Pairs; pair++)
        {
            int start = call->Offsets[sequence];
            int length = call->Offsets[sequence + 1] - start;
            if (length > 0)
            {
                Pair(call, new Layout(scratch, call->HeadSize, length), start, length, head, scoreBase + ((long)head * length * length));
            }

            if (++head == call->Heads)
            {
                head = 0;
                sequence++;
                scoreBase += (long)call->Heads * length * length;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Pair(AttentionCall* call, Layout scratch, int start, int length, int head, long scoreBase)
    {
        int d = call->HeadSize;
        int width = AttentionRows<V>.Padded(d);
        int columns = AttentionRows<V>.Padded(length);
        int keyRows = AttentionRows<V>.PaddedRows(length);
        int stride = AttentionRows<V>.ScoreStride(length);
        nint first = ((nint)start * call->Stride) + ((nint)head * d);
        nint firstGrad = ((nint)start * call->GradStride) + ((nint)head * d);
        float inverseRoot = 1f / MathF.Sqrt(d);
        bool throughOutput = call->GradOutput != null;

        AttentionOperand keys = AttentionOperand.Right<V>(call, call->K, call->Stride, start, length, head, scratch.Keys);
        if (throughOutput)
        {
            AttentionRows<V>.Transpose(call->K + first, call->Stride, length, call->Tokens - start, d, inverseRoot, scratch.KeyPanels);
            AttentionRows<V>.Transpose(call->V + first, call->Stride, length, call->Tokens - start, d, 1f, scratch.ValuePanels);
        }

        for (int row = 0; row < length; row += scratch.BlockRows)
        {
            int rows = Math.Min(scratch.BlockRows, length - row);
            int paddedRows = AttentionRows<V>.PaddedRows(rows);
            AttentionOperand queries = AttentionOperand.Left<V>(call, call->Q, call->Stride, start + row, rows, head, alsoRight: true, scratch.Queries);
            AttentionOperand gradOutput = default;
            if (throughOutput)
            {
                gradOutput = AttentionOperand.Left<V>(call, call->GradOutput, call->OutputStride, start + row, rows, head, alsoRight: true, scratch.GradOutput);
                AttentionTiles<V>.Multiply<RowOperand>(paddedRows, columns, d, queries.Data, queries.Stride, scratch.KeyPanels, 16, (nint)d * 16, scratch.Scores, stride, false);
                AttentionTiles<V>.Multiply<RowOperand>(paddedRows, columns, d, gradOutput.Data, gradOutput.Stride, scratch.ValuePanels, 16, (nint)d * 16, scratch.GradScores, stride, false);
            }

            ScoreGradients(call, scratch, start, row, rows, length, head, scoreBase + ((long)row * length));
            if (throughOutput)
            {
                AttentionTiles<V>.Multiply<ColumnOperand>(keyRows, width, rows, scratch.Scores, stride, gradOutput.Data, gradOutput.Stride, 16, scratch.GradValues, width, row > 0);
            }

            AttentionTiles<V>.Multiply<ColumnOperand>(keyRows, width, rows, scratch.GradScores, stride, queries.Data, queries.Stride, 16, scratch.GradKeys, width, row > 0);
            AttentionTiles<V>.Multiply<RowOperand>(paddedRows, width, length, scratch.GradScores, stride, keys.Data, keys.Stride, 16, scratch.GradQueries, width, false);
            AttentionRows<V>.CopyOut(scratch.GradQueries, width, rows, d, inverseRoot, call->GradQ + firstGrad + ((nint)row * call->GradStride), call->GradStride);
        }

        AttentionRows<V>.CopyOut(scratch.GradKeys, width, length, d, inverseRoot, call->GradK + firstGrad, call->GradStride);
        if (throughOutput)
        {
            AttentionRows<V>.CopyOut(scratch.GradValues, width, length, d, 1f, call->GradV + firstGrad, call->GradStride);
            return;
        }

        for (int r = 0; r < length; r++)
        {
            new Span<float>(call->GradV + firstGrad + ((nint)r * call->GradStride), d).Clear();
        }
    }

    // In: scores and d(dropped P) of a block. Out: dropped P and d(scores).
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScoreGradients(AttentionCall* call, in Layout scratch, int start, int row, int rows, int length, int head, long scoresAt)
    {
        int d = call->HeadSize;
        int stride = AttentionRows<V>.ScoreStride(length);
        float* dScores = call->Scores == null ? null : call->Scores + scoresAt;
        if (call->GradOutput == null)
        {
            for (int r = 0; r < rows; r++)
            {
                AttentionRows<V>.LoadRow(dScores == null ? null : dScores + ((nint)r * length), length, scratch.GradScores + ((nint)r * stride));
            }

            return;
        }

        nint first = (((nint)start + row) * call->OutputStride) + ((nint)head * d);
        float* output = call->Output + first;
        float* gradOutput = call->GradOutput + first;
        float* logSumExp = call->LogSumExp + ((nint)head * call->Tokens) + start + row;
        float* keep = call->Dropout > 0 ? scratch.Keep : null;
        DropoutLanes<V> mask = new(call->Dropout, call->DropoutKey);
        for (int r = 0; r < rows; r++)
        {
            float delta = AttentionRows<V>.Dot(output + ((nint)r * call->OutputStride), gradOutput + ((nint)r * call->OutputStride), d);
            if (keep != null)
            {
                AttentionRows<V>.FillKeep(mask, scoresAt + ((long)r * length), length, keep);
            }

            AttentionRows<V>.SoftmaxGradient(
                scratch.Scores + ((nint)r * stride),
                scratch.GradScores + ((nint)r * stride),
                length,
                logSumExp[r],
                delta,
                keep,
                dScores == null ? null : dScores + ((nint)r * length));
        }
    }

    /// <summary>Where things lie in a worker's scratch for one length. A longer sequence never needs less.</summary>
    private readonly struct Layout
    {
        /// <summary>Lays out from an aligned start (null to learn the size from <see cref="End"/>).</summary>
        public Layout(float* start, int headSize, int length)
        {
            int tile = AttentionTiles<V>.TileRows;
            int mostRows = 16 * tile;
            int width = AttentionRows<V>.Padded(headSize);
            int columns = AttentionRows<V>.Padded(length);
            nint keyRows = AttentionRows<V>.Padded(AttentionRows<V>.PaddedRows(length));
            nint block = Math.Max(BlockFloats + (mostRows * 16), tile * (nint)AttentionRows<V>.ScoreStride(length)) + 16;
            BlockRows = Math.Clamp(BlockFloats / columns / tile * tile, tile, mostRows);
            Queries = start;
            GradQueries = Queries + ((nint)mostRows * width);
            GradOutput = GradQueries + ((nint)mostRows * width);
            Keys = GradOutput + ((nint)mostRows * width);
            KeyPanels = Keys + ((nint)columns * width);
            ValuePanels = KeyPanels + ((nint)columns * headSize);
            GradKeys = ValuePanels + ((nint)columns * headSize);
            GradValues = GradKeys + (keyRows * width);
            Keep = GradValues + (keyRows * width);
            Scores = Keep + columns;
            GradScores = Scores + block;
            End = (nint)(GradScores + block - start);
        }

        public int BlockRows { get; }

        public float* Queries { get; }

        public float* GradQueries { get; }

        public float* GradOutput { get; }

        public float* Keys { get; }

        public float* KeyPanels { get; }

        public float* ValuePanels { get; }

        public float* GradKeys { get; }

        public float* GradValues { get; }

        public float* Keep { get; }

        public float* Scores { get; }

        public float* GradScores { get; }

        public nint End { get; }
    }
}
