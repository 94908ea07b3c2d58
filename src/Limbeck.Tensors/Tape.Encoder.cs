using Limbeck.Tensors.Kernels;

namespace Limbeck.Tensors;

public sealed unsafe partial class Tape
{
    /// <summary>The sum of word, position and token-type embeddings.</summary>
    /// <param name="batch">T tokens; positions count from 0 in each sequence.</param>
    /// <param name="word">[V, H].</param>
    /// <param name="position">[positions, H].</param>
    /// <param name="type">[types, H].</param>
    /// <param name="paddingId">The id whose row never gets a gradient from look-ups (transformers' padding_idx); -1 for none.</param>
    /// <returns>[T, H].</returns>
    /// <exception cref="ArgumentException">An id, position or type lies beyond its table; the message says which.</exception>
    public Tensor Embed(PackedBatch batch, Parameter word, Parameter position, Parameter type, int paddingId = -1)
    {
        batch.Check(word.Value.Rows, position.Value.Rows, type.Value.Rows);
        int hidden = word.Value.Columns;
        Tensor output = NewTensor(batch.Tokens, hidden);
        fixed (int* ids = batch.Ids, types = batch.TypeIds, positions = batch.Positions)
        {
            EmbeddingSum.Forward(batch.Tokens, hidden, ids, types, positions, word.Value.Pointer, type.Value.Pointer, position.Value.Pointer, output.Pointer, Team);
        }

        if (Recording && (word.Trainable || position.Trainable || type.Trainable))
        {
            Record(output, () =>
            {
                float* toWord = word.Trainable ? word.RowGradientTarget(batch.Ids) : null;
                float* toType = ZeroedGradient(type);
                float* toPosition = ZeroedGradient(position);
                fixed (int* ids = batch.Ids, types = batch.TypeIds, positions = batch.Positions)
                {
                    EmbeddingSum.Backward(batch.Tokens, hidden, ids, types, positions, output.Gradient, toWord, toType, toPosition, paddingId, Team);
                }
            });
        }

        return output;
    }

    /// <summary>Layer norm of a sum: norm(dropout(x) + residual) * gamma + beta.</summary>
    /// <param name="input">[T, H].</param>
    /// <param name="residual">[T, H], or null.</param>
    /// <param name="gamma">[H].</param>
    /// <param name="beta">[H].</param>
    /// <param name="epsilon">Added to the variance.</param>
    /// <param name="dropout">Probability of dropping an element of <paramref name="input"/>; nothing is dropped on a tape that does not record.</param>
    /// <returns>[T, H].</returns>
    public Tensor LayerNorm(Tensor input, Tensor? residual, Parameter gamma, Parameter beta, float epsilon, float dropout = 0f)
    {
        int rows = input.Rows;
        int columns = input.Columns;
        if (gamma.Value.Length != columns || beta.Value.Length != columns || (residual is not null && residual.Length != input.Length))
        {
            throw new ArgumentException(
                $"layer norm {gamma.Name}: an input of {input.ShapeText} does not fit a weight of {gamma.Value.ShapeText}, a bias of {beta.Value.ShapeText} and a residual of {residual?.ShapeText ?? "none"}");
        }

        float rate = Recording ? dropout : 0f;
        uint key = rate > 0f ? NextKey() : 0;
        bool follows = Follows(input) || (residual is not null && Follows(residual));
        bool recorded = Recording && (follows || gamma.Trainable || beta.Trainable);
        Tensor output = NewTensor(rows, columns);
        Tensor? normalized = recorded ? NewTensor(rows, columns) : null;
        Tensor? deviation = recorded ? NewTensor(rows) : null;
        Kernels.LayerNorm.Forward(
            rows, columns, input.Pointer, residual is null ? null : residual.Pointer, rate, key, gamma.Value.Pointer, beta.Value.Pointer, epsilon,
            output.Pointer, normalized is null ? null : normalized.Pointer, deviation is null ? null : deviation.Pointer, Team);
        if (recorded)
        {
            Record(
                output,
                () => LayerNormBackward(input, residual, gamma, beta, rate, key, output, normalized!, deviation!),
                saved: normalized,
                savedToo: deviation);
        }

        return output;
    }

    /// <summary>Packed multi-head self-attention: every token attends to the tokens of its own sequence.</summary>
    /// <param name="queryKeyValue">[T, 3H]: query, key and value side by side, each with its heads side by side.</param>
    /// <param name="batch">Where sequences begin.</param>
    /// <param name="heads">Number of heads A; H is a multiple of it.</param>
    /// <param name="dropout">Probability of dropping an attention weight; nothing is dropped on a tape that does not record.</param>
    /// <param name="withScores">Whether to return the raw scores, q k^T / sqrt(D).</param>
    /// <param name="probabilities">Receives the attention weights before dropout, packed as the scores; null when not wanted. No gradient goes through them.</param>
    /// <returns>The context [T, H], and the scores [sum over sequences of A*len*len] or null. Gradients may arrive at both.</returns>
    public (Tensor Context, Tensor? Scores) Attention(
        Tensor queryKeyValue, PackedBatch batch, int heads, float dropout = 0f, bool withScores = false, Tensor? probabilities = null)
    {
        int hidden = queryKeyValue.Columns / 3;
        if (queryKeyValue.Columns % 3 != 0 || hidden % heads != 0 || queryKeyValue.Rows != batch.Tokens)
        {
            throw new ArgumentException($"attention of {heads} heads over {batch.Tokens} tokens cannot use a query-key-value matrix of {queryKeyValue.ShapeText}");
        }

        float rate = Recording ? dropout : 0f;
        uint key = rate > 0f ? NextKey() : 0;
        bool recorded = Recording && Follows(queryKeyValue);
        Tensor output = NewTensor(batch.Tokens, hidden);
        fixed (int* offsets = batch.Offsets)
        {
            Tensor? scores = withScores ? NewTensor(checked((int)Kernels.Attention.ScoreCount(batch.Sequences, offsets, heads))) : null;
            Tensor? logSumExp = recorded ? NewTensor(heads, batch.Tokens) : null;
            float* qkv = queryKeyValue.Pointer;
            Kernels.Attention.Forward(
                batch.Sequences, offsets, heads, hidden / heads, qkv, qkv + hidden, qkv + (2 * hidden), 3 * hidden, output.Pointer, hidden,
                scores is null ? null : scores.Pointer, probabilities is null ? null : probabilities.Pointer, logSumExp is null ? null : logSumExp.Pointer,
                rate, key, Team);
            if (recorded)
            {
                Record(output, () => AttentionBackward(queryKeyValue, batch, heads, rate, key, output, scores, logSumExp!), second: scores, saved: logSumExp);
            }

            return (output, scores);
        }
    }

    private void LayerNormBackward(
        Tensor input, Tensor? residual, Parameter gamma, Parameter beta, float rate, uint key, Tensor output, Tensor normalized, Tensor deviation)
    {
        float* toGamma = ZeroedGradient(gamma);
        float* toBeta = ZeroedGradient(beta);
        bool forInput = Follows(input);
        bool forResidual = residual is not null && Follows(residual);
        Tensor sumOwner = forResidual ? residual! : input;
        bool separate = forInput && (forResidual || rate > 0f);
        float* sum;
        bool addsSum = false;
        if (forResidual || (forInput && !separate))
        {
            sum = BeginGradient(sumOwner, out addsSum);
        }
        else
        {
            sum = arena.Take(input.Length);
        }

        bool addsInput = false;
        float* toInput = separate ? BeginGradient(input, out addsInput) : null;
        Kernels.LayerNorm.Backward(
            output.Rows, output.Columns, normalized.Pointer, deviation.Pointer, gamma.Value.Pointer, output.Gradient, sum, rate > 0f ? toInput : null, rate, key,
            toGamma, toBeta, Team);
        if (separate && rate == 0f)
        {
            Elementwise.Copy(sum, toInput, input.Length, Team);
        }

        if (separate)
        {
            EndGradient(input, toInput, addsInput);
        }

        if (forResidual || (forInput && !separate))
        {
            EndGradient(sumOwner, sum, addsSum);
        }
        else
        {
            arena.Give(sum);
        }
    }

    private void AttentionBackward(Tensor queryKeyValue, PackedBatch batch, int heads, float rate, uint key, Tensor output, Tensor? scores, Tensor logSumExp)
    {
        int hidden = output.Columns;
        float* qkv = queryKeyValue.Pointer;
        float* target = BeginGradient(queryKeyValue, out bool adds);
        fixed (int* offsets = batch.Offsets)
        {
            Kernels.Attention.Backward(
                batch.Sequences, offsets, heads, hidden / heads, qkv, qkv + hidden, qkv + (2 * hidden), 3 * hidden, output.Pointer, output.Gradient, hidden,
                scores is null ? null : scores.Gradient, logSumExp.Pointer, target, target + hidden, target + (2 * hidden), 3 * hidden, rate, key, Team);
        }

        EndGradient(queryKeyValue, target, adds);
    }

    private float* ZeroedGradient(Parameter parameter)
    {
        if (!parameter.Trainable)
        {
            return null;
        }

        float* target = parameter.GradientTarget(out bool accumulate);
        if (!accumulate)
        {
            Elementwise.Fill(target, 0f, parameter.Value.Length, Team);
        }

        return target;
    }


}
