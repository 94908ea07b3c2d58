using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;

namespace Limbeck.Models;

/// <summary>One transformer layer of BERT: self-attention and feed-forward, each followed by the layer norm of its sum with its input.</summary>
/// <remarks>Fields are named as the checkpoint names them. Query, key and value lie in one block, so that one product serves the three.</remarks>
public sealed class BertLayer
{
    private readonly BertConfig config;
    private readonly Activation activation;
    private readonly Parameter queryKeyValueWeight;
    private readonly Parameter queryKeyValueBias;

    /// <summary>A layer of zeros.</summary>
    /// <param name="config">Sizes.</param>
    /// <param name="prefix">What stands before its tensors' names, such as bert.encoder.layer.0.</param>
    public BertLayer(BertConfig config, string prefix)
    {
        this.config = config;
        activation = config.HiddenActivation == "relu" ? Activation.Relu : Activation.Gelu;
        int hidden = config.HiddenSize;
        string[] names = [$"{prefix}.attention.self.query", $"{prefix}.attention.self.key", $"{prefix}.attention.self.value"];
        queryKeyValueWeight = Parameter.Fuse($"{prefix}.attention.self.query_key_value.weight", [.. names.Select(name => name + ".weight")], hidden, hidden, out Parameter[] weights);
        queryKeyValueBias = Parameter.Fuse($"{prefix}.attention.self.query_key_value.bias", [.. names.Select(name => name + ".bias")], hidden, 0, out Parameter[] biases);
        AttentionOutputWeight = new Parameter($"{prefix}.attention.output.dense.weight", hidden, hidden);
        AttentionOutputBias = new Parameter($"{prefix}.attention.output.dense.bias", hidden);
        AttentionNormWeight = new Parameter($"{prefix}.attention.output.LayerNorm.weight", hidden);
        AttentionNormBias = new Parameter($"{prefix}.attention.output.LayerNorm.bias", hidden);
        IntermediateWeight = new Parameter($"{prefix}.intermediate.dense.weight", config.IntermediateSize, hidden);
        IntermediateBias = new Parameter($"{prefix}.intermediate.dense.bias", config.IntermediateSize);
        OutputWeight = new Parameter($"{prefix}.output.dense.weight", hidden, config.IntermediateSize);
        OutputBias = new Parameter($"{prefix}.output.dense.bias", hidden);
        OutputNormWeight = new Parameter($"{prefix}.output.LayerNorm.weight", hidden);
        OutputNormBias = new Parameter($"{prefix}.output.LayerNorm.bias", hidden);
        Parameters =
        [
            weights[0], biases[0], weights[1], biases[1], weights[2], biases[2], AttentionOutputWeight, AttentionOutputBias, AttentionNormWeight, AttentionNormBias,
            IntermediateWeight, IntermediateBias, OutputWeight, OutputBias, OutputNormWeight, OutputNormBias,
        ];
    }

    /// <summary>All weights, in the order of a checkpoint.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    private Parameter AttentionOutputWeight { get; }

    private Parameter AttentionOutputBias { get; }

    private Parameter AttentionNormWeight { get; }

    private Parameter AttentionNormBias { get; }

    private Parameter IntermediateWeight { get; }

    private Parameter IntermediateBias { get; }

    private Parameter OutputWeight { get; }

    private Parameter OutputBias { get; }

    private Parameter OutputNormWeight { get; }

    private Parameter OutputNormBias { get; }

    /// <summary>Runs the layer.</summary>
    /// <param name="tape">Where to compute.</param>
    /// <param name="input">[T, H].</param>
    /// <param name="batch">Where sequences begin.</param>
    /// <param name="withScores">Whether to return the raw attention scores.</param>
    /// <param name="rows">The tokens whose output is wanted, for a last layer; all others then stop at the attention, which needs them. Null for all.</param>
    /// <returns>The output [T, H] or [rows, H], and the scores, packed, or null.</returns>
    public (Tensor Output, Tensor? Scores) Forward(Tape tape, Tensor input, PackedBatch batch, bool withScores, int[]? rows = null)
    {
        Tensor queryKeyValue = tape.Linear(input, queryKeyValueWeight, queryKeyValueBias);                                       // [T, 3H]
        (Tensor context, Tensor? scores) = tape.Attention(queryKeyValue, batch, config.HeadCount, config.AttentionDropout, withScores); // [T, H]
        tape.Release(queryKeyValue);
        if (rows is not null)
        {
            (input, context) = (tape.Gather(input, rows), tape.Gather(context, rows));
        }

        Tensor projected = tape.Linear(context, AttentionOutputWeight, AttentionOutputBias);                                     // [T, H]
        tape.Release(context);
        Tensor attended = tape.LayerNorm(projected, input, AttentionNormWeight, AttentionNormBias, config.LayerNormEpsilon, config.HiddenDropout);
        tape.Release(projected);
        Tensor intermediate = tape.Linear(attended, IntermediateWeight, IntermediateBias, activation);                           // [T, I]
        Tensor reduced = tape.Linear(intermediate, OutputWeight, OutputBias);                                                    // [T, H]
        tape.Release(intermediate);
        Tensor output = tape.LayerNorm(reduced, attended, OutputNormWeight, OutputNormBias, config.LayerNormEpsilon, config.HiddenDropout);
        tape.Release(reduced);
        tape.Release(attended);
        return (output, scores);
    }
}
