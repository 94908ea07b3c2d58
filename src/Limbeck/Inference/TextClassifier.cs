using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;
using Limbeck.Tokenization;

namespace Limbeck.Inference;

/// <summary>A classifier or regression from a Hugging Face directory: text in, label out. Thread-safe.</summary>
public sealed class TextClassifier : IDisposable
{
    private readonly BertModel model;
    private readonly BertTokenizer tokenizer;
    private readonly PackedRunner runner;
    private readonly bool owns;

    /// <summary>Puts a model and a tokenizer together.</summary>
    /// <param name="model">A model with a classifier; it is not disposed with this object.</param>
    /// <param name="tokenizer">The tokenizer it was trained with.</param>
    /// <param name="options">How to run it.</param>
    public TextClassifier(BertModel model, BertTokenizer tokenizer, ModelOptions? options = null)
        : this(model, tokenizer, options ?? new ModelOptions(), owns: false)
    {
    }

    private TextClassifier(BertModel model, BertTokenizer tokenizer, ModelOptions options, bool owns)
    {
        if (model.Classifier is null)
        {
            throw new ArgumentException("the model has no classifier", nameof(model));
        }

        this.model = model;
        this.tokenizer = tokenizer;
        this.owns = owns;
        Team = options.Team ?? WorkerTeam.Default;
        MaxSequenceLength = Math.Min(options.MaxSequenceLength ?? tokenizer.ModelMaxLength ?? model.Config.MaxPositions, model.Config.MaxPositions);
        runner = new PackedRunner(options);
    }

    /// <summary>The labels, in the order of the scores.</summary>
    public IReadOnlyList<string> Labels => model.Config.Labels;

    /// <summary>Whether the model predicts a number instead of a class.</summary>
    public bool IsRegression => model.Config.IsRegression;

    /// <summary>Longest sequence in tokens; longer texts lose their end.</summary>
    public int MaxSequenceLength { get; }

    /// <summary>The threads it runs on.</summary>
    public WorkerTeam Team { get; }

    /// <summary>Opens a model.</summary>
    /// <param name="directory">A Hugging Face directory of a fine-tuned BERT.</param>
    /// <param name="options">How to run it.</param>
    public static TextClassifier Load(string directory, ModelOptions? options = null)
    {
        BertTokenizer tokenizer = BertTokenizer.FromDirectory(directory);
        BertModel model = BertModel.Load(directory, HeadKind.Classifier, out _);
        return new TextClassifier(model, tokenizer, options ?? new ModelOptions(), owns: true);
    }

    /// <summary>Classifies one text or pair.</summary>
    /// <param name="text">The text.</param>
    /// <param name="pair">The second text, or null.</param>
    public Prediction Classify(string text, string? pair = null) => Classify([new TextInput(text, pair)])[0];

    /// <summary>Classifies texts, packed together without padding.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="cancellation">Checked between batches.</param>
    /// <returns>An answer for each, in the same order.</returns>
    public IReadOnlyList<Prediction> Classify(IReadOnlyList<TextInput> texts, CancellationToken cancellation = default)
    {
        Encoding[] encodings = tokenizer.EncodeBatch([.. texts.Select(text => (text.Text, text.Pair))], MaxSequenceLength, threads: Team.Threads);
        Prediction[] predictions = new Prediction[texts.Count];
        runner.Run(
            [.. encodings.Select(encoding => (encoding.Ids, encoding.TypeIds))],
            (tape, batch, numbers) =>
            {
                Tensor logits = model.Logits(tape, batch);
                for (int i = 0; i < numbers.Length; i++)
                {
                    predictions[numbers[i]] = Answer(logits.Row(i).ToArray(), encodings[numbers[i]].Truncated);
                }
            },
            cancellation);
        return predictions;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        runner.Dispose();
        if (owns)
        {
            model.Dispose();
        }
    }

    private Prediction Answer(float[] logits, bool truncated)
    {
        if (IsRegression)
        {
            return new Prediction(Labels[0], logits[0], logits, logits, truncated);
        }

        float[] scores = new float[logits.Length];
        float largest = logits.Max();
        double sum = 0;
        for (int c = 0; c < logits.Length; c++)
        {
            sum += Math.Exp(logits[c] - largest);
        }

        int best = 0;
        for (int c = 0; c < logits.Length; c++)
        {
            scores[c] = (float)(Math.Exp(logits[c] - largest) / sum);
            best = logits[c] > logits[best] ? c : best;
        }

        return new Prediction(Labels[best], scores[best], scores, logits, truncated);
    }
}
