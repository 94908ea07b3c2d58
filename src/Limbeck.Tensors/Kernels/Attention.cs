using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Kernels;

/// <summary>Packed variable-length multi-head self-attention, forward and backward. Vaswani et al., arXiv:1706.03762, equation 1.</summary>
/// <remarks>
/// <para>A batch is T tokens of S sequences end to end; a token attends to the tokens of its own sequence, and nothing is padded. Head h
/// is columns h*D..h*D+D-1 of every [T, H] matrix. Per sequence of n tokens and head: scores = Q K^T / sqrt(D), P = softmax of each
/// row, output = dropout(P) V.</para>
/// <para>Packed scores hold the [n, n] block of sequence s and head h at A * (sum of squared lengths before s) + h * n * n.</para>
/// <para>The same bits for any number of threads on one CPU tier: a sequence's head is computed by one task in one fixed order.
/// Scores of +-1e4 stay finite. Never more than a block of rows of the scores is kept, unless the caller asks for them.</para>
/// </remarks>
public static unsafe class Attention
{
    private const long TaskWork = 1 << 18;

    /// <summary>Number of packed scores of a batch: A times the sum of the squared lengths.</summary>
    /// <param name="sequences">S.</param>
    /// <param name="offsets">[S+1] cumulative token counts.</param>
    /// <param name="heads">A.</param>
    /// <returns>Number of float32 values.</returns>
    public static long ScoreCount(int sequences, int* offsets, int heads)
    {
        long count = 0;
        for (int s = 0; s < sequences; s++)
        {
            long length = offsets[s + 1] - offsets[s];
            count += length * length;
        }

        return count * heads;
    }

    /// <summary>Attention of every sequence and head.</summary>
    /// <param name="sequences">S.</param>
    /// <param name="offsets">[S+1] cumulative token counts, starting at 0; empty sequences are allowed.</param>
    /// <param name="heads">A.</param>
    /// <param name="headSize">D, any positive size.</param>
    /// <param name="q">[T, A*D] queries.</param>
    /// <param name="k">[T, A*D] keys.</param>
    /// <param name="v">[T, A*D] values.</param>
    /// <param name="ld">Leading dimension of q, k and v, in floats.</param>
    /// <param name="output">[T, A*D] receives the result.</param>
    /// <param name="ldo">Leading dimension of the output, in floats.</param>
    /// <param name="scores">Null, or packed scores: receives the raw scores, scaled by 1/sqrt(D).</param>
    /// <param name="probabilities">Null, or packed like scores: receives the softmax before dropout.</param>
    /// <param name="logSumExp">Null, or [A*T]: receives, at h*T + t, the logarithm of the sum of the exponentials of the row's scores, which <see cref="Backward"/> needs.</param>
    /// <param name="dropout">Probability of dropping an element of P, in [0, 1); what is kept is scaled by 1/(1 - dropout).</param>
    /// <param name="dropoutKey">Key of the <see cref="DropoutMask"/>; an element's index is its position in the packed scores, modulo 2^32.</param>
    /// <param name="team">The threads.</param>
    /// <exception cref="ArgumentException">A size does not fit; the message has both.</exception>
    public static void Forward(
        int sequences,
        int* offsets,
        int heads,
        int headSize,
        float* q,
        float* k,
        float* v,
        int ld,
        float* output,
        int ldo,
        float* scores,
        float* probabilities,
        float* logSumExp,
        float dropout,
        uint dropoutKey,
        WorkerTeam team)
    {
        AttentionCall call = Check(sequences, offsets, heads, headSize, ld, ldo, dropout, dropoutKey);
        call.Q = q;
        call.K = k;
        call.V = v;
        call.Output = output;
        call.Scores = scores;
        call.Probabilities = probabilities;
        call.LogSumExp = logSumExp;
        switch (Cpu.Tier)
        {
            case CpuTier.Avx512:
                Run(&call, offsets, AttentionForward<Lanes16>.ScratchFloats(headSize, call.Longest), &AttentionForward<Lanes16>.Task, team);
                break;
            case CpuTier.Avx2:
                Run(&call, offsets, AttentionForward<Lanes8>.ScratchFloats(headSize, call.Longest), &AttentionForward<Lanes8>.Task, team);
                break;
            default:
                Run(&call, offsets, AttentionForward<Lanes4>.ScratchFloats(headSize, call.Longest), &AttentionForward<Lanes4>.Task, team);
                break;
        }
    }

    /// <summary>Gradients of <see cref="Forward"/> with respect to queries, keys and values. Recomputes P from q, k and the saved logarithms.</summary>
    /// <param name="sequences">S.</param>
    /// <param name="offsets">[S+1] as in the forward call.</param>
    /// <param name="heads">A.</param>
    /// <param name="headSize">D.</param>
    /// <param name="q">[T, A*D] as in the forward call.</param>
    /// <param name="k">[T, A*D] as in the forward call.</param>
    /// <param name="v">[T, A*D] as in the forward call.</param>
    /// <param name="ld">Leading dimension of q, k and v.</param>
    /// <param name="output">[T, A*D] what the forward call wrote; not read if <paramref name="dOutput"/> is null.</param>
    /// <param name="dOutput">[T, A*D] gradient of the loss with respect to the output, or null when the loss sees the scores alone.</param>
    /// <param name="ldo">Leading dimension of output and dOutput.</param>
    /// <param name="dScores">Null, or packed: gradient of the loss with respect to the raw scaled scores, added to what comes through the output.</param>
    /// <param name="logSumExp">[A*T] from the forward call; not read if <paramref name="dOutput"/> is null.</param>
    /// <param name="dq">[T, A*D] is overwritten.</param>
    /// <param name="dk">[T, A*D] is overwritten.</param>
    /// <param name="dv">[T, A*D] is overwritten.</param>
    /// <param name="ldg">Leading dimension of dq, dk and dv.</param>
    /// <param name="dropout">As in the forward call.</param>
    /// <param name="dropoutKey">As in the forward call.</param>
    /// <param name="team">The threads.</param>
    /// <exception cref="ArgumentException">A size does not fit, or dOutput is given without output or logSumExp.</exception>
    public static void Backward(
        int sequences,
        int* offsets,
        int heads,
        int headSize,
        float* q,
        float* k,
        float* v,
        int ld,
        float* output,
        float* dOutput,
        int ldo,
        float* dScores,
        float* logSumExp,
        float* dq,
        float* dk,
        float* dv,
        int ldg,
        float dropout,
        uint dropoutKey,
        WorkerTeam team)
    {
        AttentionCall call = Check(sequences, offsets, heads, headSize, ld, dOutput == null ? heads * headSize : ldo, dropout, dropoutKey);
        if (ldg < heads * headSize)
        {
            throw new ArgumentException($"attention backward: the gradients' leading dimension is {ldg}; {heads} heads of {headSize} need at least {heads * headSize}.", nameof(ldg));
        }

        if (dOutput != null && (output == null || logSumExp == null))
        {
            throw new ArgumentException("attention backward: dOutput is given without output or logSumExp; pass what the forward call wrote.", nameof(logSumExp));
        }

        call.Q = q;
        call.K = k;
        call.V = v;
        call.Output = output;
        call.GradOutput = dOutput;
        call.Scores = dScores;
        call.LogSumExp = logSumExp;
        call.GradQ = dq;
        call.GradK = dk;
        call.GradV = dv;
        call.GradStride = ldg;
        switch (Cpu.Tier)
        {
            case CpuTier.Avx512:
                Run(&call, offsets, AttentionBackward<Lanes16>.ScratchFloats(headSize, call.Longest), &AttentionBackward<Lanes16>.Task, team);
                break;
            case CpuTier.Avx2:
                Run(&call, offsets, AttentionBackward<Lanes8>.ScratchFloats(headSize, call.Longest), &AttentionBackward<Lanes8>.Task, team);
                break;
            default:
                Run(&call, offsets, AttentionBackward<Lanes4>.ScratchFloats(headSize, call.Longest), &AttentionBackward<Lanes4>.Task, team);
                break;
        }
    }

    private static AttentionCall Check(int sequences, int* offsets, int heads, int headSize, int ld, int ldo, float dropout, uint dropoutKey)
    {
        if (sequences < 0 || heads < 1 || headSize < 1)
        {
            throw new ArgumentException($"attention: got {sequences} sequences, {heads} heads of {headSize}; heads and head size must be positive.", nameof(heads));
        }

        if (ld < heads * headSize || ldo < heads * headSize)
        {
            throw new ArgumentException($"attention: leading dimensions are {ld} (q, k, v) and {ldo} (output); {heads} heads of {headSize} need at least {heads * headSize}.", nameof(ld));
        }

        if (!(dropout >= 0 && dropout < 1))
        {
            throw new ArgumentException($"attention: dropout is {dropout}; it must be in [0, 1).", nameof(dropout));
        }

        int longest = 0;
        for (int s = 0; s < sequences; s++)
        {
            int length = offsets[s + 1] - offsets[s];
            if (length < 0)
            {
                throw new ArgumentException($"attention: sequence {s} runs from token {offsets[s]} to {offsets[s + 1]}; offsets must not fall.", nameof(offsets));
            }

            longest = Math.Max(longest, length);
        }

        return new AttentionCall
        {
            Sequences = sequences,
            Offsets = offsets,
            Heads = heads,
            HeadSize = headSize,
            Stride = ld,
            OutputStride = ldo,
            Dropout = dropout,
            DropoutKey = dropoutKey,
            Longest = longest,
            Tokens = sequences == 0 ? 0 : offsets[sequences],
        };
    }

    // Neighbouring (sequence, head) pairs are joined until a task is worth handing out. The table depends on the batch alone.
    private static void Run(AttentionCall* call, int* offsets, nuint scratchFloats, delegate*<void*, int, int, void> body, WorkerTeam team)
    {
        if (call->Longest == 0)
        {
            return;
        }

        nuint tableBytes = ((nuint)call->Sequences * (nuint)call->Heads * (nuint)sizeof(AttentionTask)) + 63 & ~(nuint)63;
        nuint scratchBytes = (scratchFloats * sizeof(float)) + 63 & ~(nuint)63;
        byte* memory = AttentionScratch.Rent(tableBytes + (scratchBytes * (nuint)team.Threads));
        call->Tasks = (AttentionTask*)memory;
        call->Scratch = memory + tableBytes;
        call->ScratchBytes = scratchBytes;

        int tasks = 0;
        long work = 0;
        long scoreBase = 0;
        for (int s = 0; s < call->Sequences; s++)
        {
            long length = offsets[s + 1] - offsets[s];
            long pairWork = (length * length * (call->HeadSize + 32)) + (64 * length) + 256;
            for (int h = 0; h < call->Heads; h++)
            {
                if (work == 0)
                {
                    call->Tasks[tasks++] = new AttentionTask { Sequence = s, Head = h, ScoreBase = scoreBase };
                }

                call->Tasks[tasks - 1].Pairs++;
                work += pairWork;
                work = work >= TaskWork ? 0 : work;
            }

            scoreBase += call->Heads * length * length;
        }

        team.Run(tasks, body, call);
    }
}
