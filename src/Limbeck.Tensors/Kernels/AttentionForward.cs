using System.Runtime.CompilerServices;

namespace Limbeck.Tensors.Kernels;

/// <summary>One task of the forward pass: blocks of query rows against all keys of their sequence.</summary>
/// <typeparam name="V">The vector width.</typeparam>
internal static unsafe class AttentionForward<V>
    where V : struct, ILanes<V>
{
    // A block of score rows stays in the first-level cache beside the keys and values of short sequences.
    private const int BlockFloats = 4096;

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
        int stride = AttentionRows<V>.ScoreStride(length);
        nint first = ((nint)start * call->Stride) + ((nint)head * d);
        float inverseRoot = 1f / MathF.Sqrt(d);

        AttentionRows<V>.Transpose(call->K + first, call->Stride, length, call->Tokens - start, d, inverseRoot, scratch.Keys);
        AttentionOperand values = AttentionOperand.Right<V>(call, call->V, call->Stride, start, length, head, scratch.Values);
        for (int row = 0; row < length; row += scratch.BlockRows)
        {
            int rows = Math.Min(scratch.BlockRows, length - row);
            int paddedRows = AttentionRows<V>.PaddedRows(rows);
            AttentionOperand queries = AttentionOperand.Left<V>(call, call->Q, call->Stride, start + row, rows, head, alsoRight: false, scratch.Queries);
            AttentionTiles<V>.Multiply<RowOperand>(paddedRows, columns, d, queries.Data, queries.Stride, scratch.Keys, 16, (nint)d * 16, scratch.Scores, stride, false);

            long at = scoreBase + ((long)row * length);
            if (call->Scores != null)
            {
                AttentionRows<V>.CopyOut(scratch.Scores, stride, rows, length, 1f, call->Scores + at, length);
            }

            AttentionRows<V>.Maxima(scratch.Scores, stride, rows, length, scratch.Maxima);
            AttentionRows<V>.Exponentials(scratch.Scores, stride, rows, length, scratch.Maxima, scratch.Sums);
            float* logSumExp = call->LogSumExp == null ? null : call->LogSumExp + ((nint)head * call->Tokens) + start + row;
            AttentionRows<V>.Finish(rows, scratch.Maxima, scratch.Sums, scratch.Factors, logSumExp);
            if (call->Probabilities != null || call->Dropout > 0)
            {
                PutAndDrop(call, scratch, rows, length, at);
            }

            AttentionTiles<V>.Multiply<RowOperand>(paddedRows, width, length, scratch.Scores, stride, values.Data, values.Stride, 16, scratch.Output, width, false);
            float* output = call->Output + (((nint)start + row) * call->OutputStride) + ((nint)head * d);
            for (int r = 0; r < rows; r++)
            {
                AttentionRows<V>.CopyRowOut(scratch.Output + ((nint)r * width), d, scratch.Factors[r], output);
                AttentionRows<V>.FetchNext(output, d);
                output += call->OutputStride;
            }
        }
    }

    // Probabilities go out before dropout falls on the block.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PutAndDrop(AttentionCall* call, in Layout scratch, int rows, int length, long at)
    {
        int stride = AttentionRows<V>.ScoreStride(length);
        DropoutLanes<V> mask = new(call->Dropout, call->DropoutKey);
        for (int r = 0; r < rows; r++)
        {
            float* row = scratch.Scores + ((nint)r * stride);
            long rowAt = at + ((long)r * length);
            if (call->Probabilities != null)
            {
                AttentionRows<V>.CopyRowOut(row, length, scratch.Factors[r], call->Probabilities + rowAt);
            }

            if (call->Dropout > 0)
            {
                AttentionRows<V>.FillKeep(mask, rowAt, length, scratch.Keep);
                AttentionRows<V>.MultiplyRow(row, scratch.Keep, length);
            }
        }
    }

    /// <summary>Where things lie in a worker's scratch for one length. A longer sequence never needs less.</summary>
    private readonly struct Layout
    {
        /// <summary>Lays out from an aligned start (null to learn the size from <see cref="End"/>).</summary>
        public Layout(float* start, int headSize, int length)
        {
            int tile = AttentionTiles<V>.TileRows;
            int mostRows = 8 * tile;
            int width = AttentionRows<V>.Padded(headSize);
            int columns = AttentionRows<V>.Padded(length);
            BlockRows = Math.Clamp(BlockFloats / columns / tile * tile, tile, mostRows);
            Factors = start;
            Maxima = Factors + AttentionRows<V>.Padded(mostRows);
            Sums = Maxima + AttentionRows<V>.Padded(mostRows);
            Queries = Sums + AttentionRows<V>.Padded(mostRows);
            Output = Queries + ((nint)mostRows * width);
            Keys = Output + ((nint)mostRows * width);
            Values = Keys + ((nint)columns * headSize);
            Keep = Values + ((nint)columns * width);
            Scores = Keep + columns;
            End = (nint)(Scores + Math.Max(BlockFloats + (mostRows * 16), tile * (nint)AttentionRows<V>.ScoreStride(length)) - start);
        }

        public int BlockRows { get; }

        public float* Factors { get; }

        public float* Maxima { get; }

        public float* Sums { get; }

        public float* Queries { get; }

        public float* Output { get; }

        public float* Keys { get; }

        public float* Values { get; }

        public float* Keep { get; }

        public float* Scores { get; }

        public nint End { get; }
    }
}
