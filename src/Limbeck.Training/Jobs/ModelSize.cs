using Limbeck.Models;

namespace Limbeck.Training.Jobs;

/// <summary>How big a model is, split into what costs memory (embeddings) and what costs time (encoder).</summary>
/// <param name="Embeddings">Weights of the embedding block.</param>
/// <param name="Encoder">Weights of the layers.</param>
/// <param name="Head">Weights of pooler and head.</param>
/// <param name="FlopsPerToken">Operations of the layers' matrix products for one token, two for each weight.</param>
/// <param name="AttentionFlopsPerTokenAndLength">Operations of attention for one token, for each token of its sequence: twice scores and context.</param>
public sealed record ModelSize(long Embeddings, long Encoder, long Head, long FlopsPerToken, long AttentionFlopsPerTokenAndLength)
{
    /// <summary>No model at all.</summary>
    internal static ModelSize Nothing { get; } = new(0, 0, 0, 0, 0);

    /// <summary>All weights.</summary>
    public long Total => Embeddings + Encoder + Head;

    /// <summary>The size of a model.</summary>
    /// <param name="model">The model.</param>
    public static ModelSize Of(BertModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        long Sum(Func<string, bool> mine) => model.Parameters.Where(parameter => mine(parameter.Name)).Sum(parameter => parameter.Value.Length);
        long embeddings = Sum(name => name.StartsWith("bert.embeddings.", StringComparison.Ordinal));
        long encoder = Sum(name => name.StartsWith("bert.encoder.", StringComparison.Ordinal));
        BertConfig config = model.Config;
        long matrices = (4L * config.HiddenSize * config.HiddenSize) + (2L * config.HiddenSize * config.IntermediateSize);
        return new ModelSize(embeddings, encoder, model.ParameterCount - embeddings - encoder, 2 * matrices * config.LayerCount, 4L * config.HiddenSize * config.LayerCount);
    }

    /// <summary>Operations for one token of a sequence.</summary>
    /// <param name="length">The sequence's tokens.</param>
    public long FlopsPerTokenAt(int length) => FlopsPerToken + (AttentionFlopsPerTokenAndLength * length);

    /// <summary>In millions, such as 22.7 M (11.9 M embeddings, 10.6 M encoder, 0.1 M head).</summary>
    public override string ToString() => $"{Total / 1e6:0.00} M weights ({Embeddings / 1e6:0.00} M embeddings, {Encoder / 1e6:0.00} M encoder, {Head / 1e6:0.00} M head)";
}
