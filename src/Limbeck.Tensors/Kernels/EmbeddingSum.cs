using System.Runtime.CompilerServices;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Kernels;

/// <summary>The sum of a token's word, token-type and position embeddings, and the scattering of its gradient. Ids are not checked here.</summary>
public static unsafe class EmbeddingSum
{
    /// <summary>y[t] = word[ids[t]] + type[typeIds[t]] + position[positions[t]].</summary>
    /// <param name="tokens">T.</param>
    /// <param name="hidden">H.</param>
    /// <param name="ids">[T], rows of <paramref name="word"/>.</param>
    /// <param name="typeIds">[T], rows of <paramref name="type"/>.</param>
    /// <param name="positions">[T], rows of <paramref name="position"/>.</param>
    /// <param name="word">[V, H].</param>
    /// <param name="type">[types, H].</param>
    /// <param name="position">[positions, H].</param>
    /// <param name="y">[T, H].</param>
    /// <param name="team">Threads.</param>
    public static void Forward(
        int tokens, int hidden, int* ids, int* typeIds, int* positions, float* word, float* type, float* position, float* y, WorkerTeam team)
    {
        Call call = new()
        {
            Tokens = tokens,
            Hidden = hidden,
            Ids = ids,
            TypeIds = typeIds,
            Positions = positions,
            Word = word,
            Type = type,
            Position = position,
            Y = y,
        };
        int tasks = RowBlocks.Blocks(tokens, RowBlocks.Rows(hidden));
        team.Run(tasks, &ForwardTask<Lanes16>, &ForwardTask<Lanes8>, &ForwardTask<Lanes4>, &call);
    }

    /// <summary>Adds dy[t] to the rows that token t read. A task owns a slice of the columns and takes the tokens in order, so sums do not depend on the team.</summary>
    /// <param name="tokens">T.</param>
    /// <param name="hidden">H.</param>
    /// <param name="ids">[T].</param>
    /// <param name="typeIds">[T].</param>
    /// <param name="positions">[T].</param>
    /// <param name="dy">[T, H].</param>
    /// <param name="dWord">[V, H], added to; null to skip.</param>
    /// <param name="dType">[types, H], added to; null to skip.</param>
    /// <param name="dPosition">[positions, H], added to; null to skip.</param>
    /// <param name="paddingId">The word whose row gets no gradient; -1 for none.</param>
    /// <param name="team">Threads.</param>
    public static void Backward(
        int tokens, int hidden, int* ids, int* typeIds, int* positions, float* dy, float* dWord, float* dType, float* dPosition, int paddingId, WorkerTeam team)
    {
        Call call = new()
        {
            Tokens = tokens,
            Hidden = hidden,
            Ids = ids,
            TypeIds = typeIds,
            Positions = positions,
            Word = dWord,
            Type = dType,
            Position = dPosition,
            Y = dy,
            PaddingId = paddingId,
        };
        int tasks = RowBlocks.Blocks(hidden, RowBlocks.Columns);
        team.Run(tasks, &BackwardTask<Lanes16>, &BackwardTask<Lanes8>, &BackwardTask<Lanes4>, &call);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ForwardTask<V>(void* state, int task, int worker)
        where V : struct, ILanes<V>
    {
        Call* call = (Call*)state;
        int hidden = call->Hidden;
        int block = RowBlocks.Rows(hidden);
        int end = (int)Math.Min((long)(task + 1) * block, call->Tokens);
        for (int t = task * block; t < end; t++)
        {
            float* word = call->Word + ((long)call->Ids[t] * hidden);
            float* type = call->Type + ((long)call->TypeIds[t] * hidden);
            float* position = call->Position + ((long)call->Positions[t] * hidden);
            float* y = call->Y + ((long)t * hidden);
            int c = 0;
            for (; c <= hidden - V.Count; c += V.Count)
            {
                V.Store(V.Load(word + c) + V.Load(type + c) + V.Load(position + c), y + c);
            }

            if (c < hidden)
            {
                V.Store(V.Load(word + c, hidden - c) + V.Load(type + c, hidden - c) + V.Load(position + c, hidden - c), y + c, hidden - c);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BackwardTask<V>(void* state, int task, int worker)
        where V : struct, ILanes<V>
    {
        Call* call = (Call*)state;
        int hidden = call->Hidden;
        int first = task * RowBlocks.Columns;
        int count = Math.Min(RowBlocks.Columns, hidden - first);
        for (int t = 0; t < call->Tokens; t++)
        {
            float* dy = call->Y + ((long)t * hidden) + first;
            if (call->Word != null && call->Ids[t] != call->PaddingId)
            {
                Add<V>(call->Word + ((long)call->Ids[t] * hidden) + first, dy, count);
            }

            if (call->Type != null)
            {
                Add<V>(call->Type + ((long)call->TypeIds[t] * hidden) + first, dy, count);
            }

            if (call->Position != null)
            {
                Add<V>(call->Position + ((long)call->Positions[t] * hidden) + first, dy, count);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<V>(float* sum, float* x, int count)
        where V : struct, ILanes<V>
    {
        int c = 0;
        for (; c <= count - V.Count; c += V.Count)
        {
            V.Store(V.Load(sum + c) + V.Load(x + c), sum + c);
        }

        if (c < count)
        {
            V.Store(V.Load(sum + c, count - c) + V.Load(x + c, count - c), sum + c, count - c);
        }
    }

    private struct Call
    {
        public int Tokens;
        public int Hidden;
        public int* Ids;
        public int* TypeIds;
        public int* Positions;
        public float* Word;
        public float* Type;
        public float* Position;
        public float* Y;
        public int PaddingId;
    }
}
