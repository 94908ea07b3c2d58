using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;

namespace Limbeck.Models;

/// <summary>BERT's masked-language-model head: dense, GELU, layer norm, and a decoder that is the word table itself plus a bias.</summary>
public sealed class MaskedLanguageModelHead
{
    private readonly BertConfig config;
    private readonly Parameter wordEmbeddings;
    private readonly Parameter transformWeight;
    private readonly Parameter transformBias;
    private readonly Parameter normWeight;
    private readonly Parameter normBias;
    private readonly Parameter decoderBias;

    /// <summary>A head of zeros.</summary>
    /// <param name="config">Sizes.</param>
    /// <param name="wordEmbeddings">The encoder's word table [V, H].</param>
    public MaskedLanguageModelHead(BertConfig config, Parameter wordEmbeddings)
    {
        this.config = config;
        this.wordEmbeddings = wordEmbeddings;
        transformWeight = new Parameter("cls.predictions.transform.dense.weight", config.HiddenSize, config.HiddenSize);
        transformBias = new Parameter("cls.predictions.transform.dense.bias", config.HiddenSize);
        normWeight = new Parameter("cls.predictions.transform.LayerNorm.weight", config.HiddenSize);
        normBias = new Parameter("cls.predictions.transform.LayerNorm.bias", config.HiddenSize);
        decoderBias = new Parameter("cls.predictions.bias", config.VocabularySize);
    }

    /// <summary>All weights but the shared table, in the order of a checkpoint.</summary>
    public IReadOnlyList<Parameter> Parameters => [decoderBias, transformWeight, transformBias, normWeight, normBias];

    /// <summary>The part before the decoder.</summary>
    /// <param name="tape">Where to compute.</param>
    /// <param name="hidden">[T, H]: the last layer's output.</param>
    /// <param name="rows">The tokens to predict.</param>
    /// <returns>[rows, H].</returns>
    public Tensor Transform(Tape tape, Tensor hidden, int[] rows)
    {
        Tensor picked = tape.Gather(hidden, rows);
        Tensor dense = tape.Linear(picked, transformWeight, transformBias, config.HiddenActivation == "relu" ? Activation.Relu : Activation.Gelu);
        return tape.LayerNorm(dense, null, normWeight, normBias, config.LayerNormEpsilon);
    }

    /// <summary>Scores every wordpiece for each token to predict.</summary>
    /// <param name="tape">Where to compute.</param>
    /// <param name="hidden">[T, H].</param>
    /// <param name="rows">The tokens to predict.</param>
    /// <returns>Logits [rows, V].</returns>
    public Tensor Forward(Tape tape, Tensor hidden, int[] rows) => tape.Linear(Transform(tape, hidden, rows), wordEmbeddings, decoderBias);
}
