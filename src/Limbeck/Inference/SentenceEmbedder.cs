using Limbeck.Checkpoints;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;
using Limbeck.Tokenization;

namespace Limbeck.Inference;

/// <summary>A sentence embedder from a sentence-transformers or plain Hugging Face directory: text in, vector out. Thread-safe.</summary>
public sealed class SentenceEmbedder : IDisposable
{
    private readonly BertModel model;
    private readonly BertTokenizer tokenizer;
    private readonly SentenceTransformerConfig settings;
    private readonly PackedRunner runner;

    private SentenceEmbedder(BertModel model, BertTokenizer tokenizer, SentenceTransformerConfig settings, ModelOptions options)
    {
        this.model = model;
        this.tokenizer = tokenizer;
        this.settings = settings;
        Team = options.Team ?? WorkerTeam.Default;
        MaxSequenceLength = Math.Min(options.MaxSequenceLength ?? settings.MaxSequenceLength ?? model.Config.MaxPositions, model.Config.MaxPositions);
        runner = new PackedRunner(options);
    }

    /// <summary>Length of a vector.</summary>
    public int Dimensions => model.Config.HiddenSize;

    /// <summary>Longest sequence in tokens; longer texts lose their end.</summary>
    public int MaxSequenceLength { get; }

    /// <summary>The threads it runs on.</summary>
    public WorkerTeam Team { get; }

    /// <summary>Opens an embedder. Pooling, normalisation and length come from modules.json where there is one; otherwise the mean over tokens, normalised.</summary>
    /// <param name="directory">The model's directory.</param>
    /// <param name="options">How to run it.</param>
    public static SentenceEmbedder Load(string directory, ModelOptions? options = null)
    {
        SentenceTransformerConfig settings = SentenceTransformerFiles.Read(directory) ?? new SentenceTransformerConfig(PoolingMode.Mean, Normalize: true, MaxSequenceLength: null);
        string weights = Path.Combine(directory, settings.WeightsDirectory);
        BertTokenizer tokenizer = BertTokenizer.FromDirectory(weights);
        BertModel model = BertModel.Load(weights, HeadKind.None, out _);
        return new SentenceEmbedder(model, tokenizer, settings, options ?? new ModelOptions());
    }

    /// <summary>Embeds one text.</summary>
    /// <param name="text">The text.</param>
    /// <returns>A vector of <see cref="Dimensions"/> numbers.</returns>
    public float[] Embed(string text) => Embed([text])[0];

    /// <summary>Embeds texts, packed together without padding.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="cancellation">Checked between batches.</param>
    /// <returns>A vector for each, in the same order.</returns>
    public IReadOnlyList<float[]> Embed(IReadOnlyList<string> texts, CancellationToken cancellation = default)
    {
        Encoding[] encodings = tokenizer.EncodeBatch([.. texts.Select(text => (text, (string?)null))], MaxSequenceLength, threads: Team.Threads);
        float[][] vectors = new float[texts.Count][];
        runner.Run(
            [.. encodings.Select(encoding => (encoding.Ids, encoding.TypeIds))],
            (tape, batch, numbers) =>
            {
                Tensor pooled = Pool(tape, model.Encoder.Forward(tape, batch).LastHidden, batch);
                for (int i = 0; i < numbers.Length; i++)
                {
                    vectors[numbers[i]] = pooled.Row(i).ToArray();
                }
            },
            cancellation);
        return vectors;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        runner.Dispose();
        model.Dispose();
    }

    private Tensor Pool(Tape tape, Tensor hidden, PackedBatch batch)
    {
        Tensor pooled = settings.Pooling == PoolingMode.Cls ? tape.FirstTokens(hidden, batch) : tape.MeanPool(hidden, batch);
        return settings.Normalize ? tape.Normalize(pooled) : pooled;
    }
}
