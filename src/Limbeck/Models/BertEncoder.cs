using Limbeck.Tensors;

namespace Limbeck.Models;

/// <summary>BERT's encoder: the embedding block and the layers. Devlin et al., arXiv:1810.04805.</summary>
public sealed class BertEncoder
{
    private readonly Parameter wordEmbeddings;
    private readonly Parameter positionEmbeddings;
    private readonly Parameter tokenTypeEmbeddings;
    private readonly Parameter normWeight;
    private readonly Parameter normBias;

    /// <summary>An encoder of zeros.</summary>
    /// <param name="config">Sizes.</param>
    public BertEncoder(BertConfig config)
    {
        Config = config;
        int hidden = config.HiddenSize;
        wordEmbeddings = new Parameter("bert.embeddings.word_embeddings.weight", config.VocabularySize, hidden);
        positionEmbeddings = new Parameter("bert.embeddings.position_embeddings.weight", config.MaxPositions, hidden);
        tokenTypeEmbeddings = new Parameter("bert.embeddings.token_type_embeddings.weight", config.TypeVocabularySize, hidden);
        normWeight = new Parameter("bert.embeddings.LayerNorm.weight", hidden);
        normBias = new Parameter("bert.embeddings.LayerNorm.bias", hidden);
        Layers = [.. Enumerable.Range(0, config.LayerCount).Select(i => new BertLayer(config, $"bert.encoder.layer.{i}"))];
        Parameters = [wordEmbeddings, positionEmbeddings, tokenTypeEmbeddings, normWeight, normBias, .. Layers.SelectMany(layer => layer.Parameters)];
    }

    /// <summary>Sizes and rates.</summary>
    public BertConfig Config { get; }

    /// <summary>The layers, first to last.</summary>
    public IReadOnlyList<BertLayer> Layers { get; }

    /// <summary>All weights, in the order of a checkpoint.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>The word table [V, H], which a masked language model's decoder shares.</summary>
    public Parameter WordEmbeddings => wordEmbeddings;

    /// <summary>The embedding block: sum of the three tables, layer norm, dropout.</summary>
    /// <param name="tape">Where to compute.</param>
    /// <param name="batch">T tokens.</param>
    /// <returns>[T, H].</returns>
    public Tensor Embed(Tape tape, PackedBatch batch)
    {
        Tensor sum = tape.Embed(batch, wordEmbeddings, positionEmbeddings, tokenTypeEmbeddings, Config.PadTokenId);
        Tensor normal = tape.LayerNorm(sum, null, normWeight, normBias, Config.LayerNormEpsilon);
        tape.Release(sum);
        return tape.Dropout(normal, Config.HiddenDropout);
    }

    /// <summary>Runs the whole encoder.</summary>
    /// <param name="tape">Where to compute.</param>
    /// <param name="batch">T tokens.</param>
    /// <param name="withHidden">Keep every layer's output.</param>
    /// <param name="withScores">Which layers (from 0) return their raw attention scores; null for none.</param>
    public BertOutput Forward(Tape tape, PackedBatch batch, bool withHidden = false, Predicate<int>? withScores = null)
    {
        Tensor hidden = Embed(tape, batch);
        List<Tensor> states = withHidden ? [hidden] : [];
        Tensor?[] scores = new Tensor?[Layers.Count];
        for (int i = 0; i < Layers.Count; i++)
        {
            (Tensor next, scores[i]) = Layers[i].Forward(tape, hidden, batch, withScores?.Invoke(i) ?? false);
            if (withHidden)
            {
                states.Add(next);
            }
            else
            {
                tape.Release(hidden);
            }

            hidden = next;
        }

        return new BertOutput(hidden, states, scores);
    }

    /// <summary>Runs the encoder for the output of some tokens alone. The same bits as <see cref="Forward"/> gives them, with less work in the last layer.</summary>
    /// <param name="tape">Where to compute.</param>
    /// <param name="batch">T tokens.</param>
    /// <param name="rows">The tokens that are wanted.</param>
    /// <returns>[rows, H].</returns>
    public Tensor ForwardAt(Tape tape, PackedBatch batch, int[] rows)
    {
        Tensor hidden = Embed(tape, batch);
        for (int i = 0; i < Layers.Count; i++)
        {
            Tensor next = Layers[i].Forward(tape, hidden, batch, withScores: false, i == Layers.Count - 1 ? rows : null).Output;
            tape.Release(hidden);
            hidden = next;
        }

        return hidden;
    }
}
