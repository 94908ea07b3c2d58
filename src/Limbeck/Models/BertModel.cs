using Limbeck.Checkpoints;
using Limbeck.Tensors;

namespace Limbeck.Models;

/// <summary>A BERT with its head: made new, loaded from a Hugging Face directory, run, and saved as one.</summary>
public sealed class BertModel : IDisposable
{
    // Written by some versions of transformers beside the tensors that they are copies of.
    private const string TiedDecoder = "cls.predictions.decoder.weight";
    private const string TiedDecoderBias = "cls.predictions.decoder.bias";

    private readonly Dictionary<string, Parameter> byName;

    /// <summary>A model of zeros; <see cref="Initialize(SeededRandom)"/> gives it random weights.</summary>
    /// <param name="config">Sizes, rates, labels.</param>
    /// <param name="head">What stands on the encoder.</param>
    /// <param name="withPooler">Whether there is a pooler; a classifier always has one, a masked language model never.</param>
    public BertModel(BertConfig config, HeadKind head, bool withPooler = true)
    {
        Config = config;
        Head = head;
        Encoder = new BertEncoder(config);
        Pooler = head == HeadKind.Classifier || (head == HeadKind.None && withPooler) ? new BertPooler(config) : null;
        Classifier = head == HeadKind.Classifier ? new ClassifierHead(config) : null;
        LanguageModel = head == HeadKind.MaskedLanguageModel ? new MaskedLanguageModelHead(config, Encoder.WordEmbeddings) : null;
        Parameters = [.. Encoder.Parameters, .. Pooler?.Parameters ?? [], .. Classifier?.Parameters ?? [], .. LanguageModel?.Parameters ?? []];
        byName = Parameters.ToDictionary(parameter => parameter.Name);
    }

    /// <summary>Sizes, rates, labels.</summary>
    public BertConfig Config { get; }

    /// <summary>What stands on the encoder.</summary>
    public HeadKind Head { get; }

    /// <summary>Embeddings and layers.</summary>
    public BertEncoder Encoder { get; }

    /// <summary>The pooler, or null.</summary>
    public BertPooler? Pooler { get; }

    /// <summary>The classifier, or null.</summary>
    public ClassifierHead? Classifier { get; }

    /// <summary>The masked-language-model head, or null.</summary>
    public MaskedLanguageModelHead? LanguageModel { get; }

    /// <summary>All weights, in the order of a checkpoint, under Hugging Face's names.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>Number of weights.</summary>
    public long ParameterCount => Parameters.Sum(parameter => parameter.Value.Length);

    /// <summary>A weight by name.</summary>
    /// <param name="name">Such as bert.encoder.layer.0.output.dense.weight.</param>
    /// <exception cref="KeyNotFoundException">There is none of that name.</exception>
    public Parameter this[string name] => byName.TryGetValue(name, out Parameter? parameter) ? parameter : throw new KeyNotFoundException($"this model has no weight named {name}");

    /// <summary>Loads a model from a Hugging Face directory.</summary>
    /// <param name="directory">Holds config.json and the weights.</param>
    /// <param name="head">What shall stand on the encoder.</param>
    /// <param name="report">What was new and what was left over.</param>
    /// <param name="newHeadSeed">When the checkpoint has no such head (or no pooler), start one at random from this seed; null refuses.</param>
    /// <param name="config">Replaces the directory's configuration, for other labels or rates; null uses config.json.</param>
    /// <exception cref="CheckpointException">A tensor is missing or has another shape than config.json says.</exception>
    public static BertModel Load(string directory, HeadKind head, out LoadReport report, ulong? newHeadSeed = null, BertConfig? config = null)
    {
        config ??= BertConfig.Read(directory);
        using ITensorSource source = Checkpoint.Open(directory);
        return Load(source, directory, config, head, out report, newHeadSeed);
    }

    /// <summary>Loads a model from an opened checkpoint.</summary>
    /// <param name="source">The tensors.</param>
    /// <param name="place">What to call the checkpoint in messages.</param>
    /// <param name="config">Sizes, rates, labels.</param>
    /// <param name="head">What shall stand on the encoder.</param>
    /// <param name="report">What was new and what was left over.</param>
    /// <param name="newHeadSeed">See <see cref="Load(string, HeadKind, out LoadReport, ulong?, BertConfig?)"/>.</param>
    public static BertModel Load(ITensorSource source, string place, BertConfig config, HeadKind head, out LoadReport report, ulong? newHeadSeed = null)
    {
        NamedWeights weights = new(source);
        BertModel model = new(config, head, weights.Contains("bert.pooler.dense.weight"));
        try
        {
            List<Parameter> missing = [.. model.Parameters.Where(parameter => !weights.Contains(parameter.Name))];
            bool onlyHead = missing.TrueForAll(parameter => !IsEncoder(parameter.Name));
            if (missing.Count > 0 && onlyHead && newHeadSeed is null)
            {
                throw new CheckpointException(
                    $"{source.Path}: missing tensor(s) {string.Join(", ", missing.Select(parameter => $"'{parameter.Name}'"))}: this checkpoint has no trained {(head == HeadKind.Classifier ? "classifier" : "masked-language-model head")}. Fine-tune it first, or ask for a new head with a seed.");
            }

            weights.Require(
                model.Parameters.Where(parameter => !onlyHead || !missing.Contains(parameter)).Select(parameter => (parameter.Name, (IReadOnlyList<long>)[.. parameter.Value.Shape.ToArray()])),
                $"config.json of {place} (hidden_size {config.HiddenSize}, num_hidden_layers {config.LayerCount}, intermediate_size {config.IntermediateSize}, vocab_size {config.VocabularySize}, {config.Labels.Count} label(s))");
            foreach (Parameter parameter in model.Parameters.Except(missing))
            {
                weights.Read(parameter.Name, parameter.Value.Span);
            }

            HashSet<string> used = [.. model.Parameters.Select(parameter => parameter.Name)];
            if (model.LanguageModel is not null)
            {
                CheckTied(weights, TiedDecoder, model.Encoder.WordEmbeddings, "the word embeddings");
                CheckTied(weights, TiedDecoderBias, model.LanguageModel.Parameters[0], "'cls.predictions.bias'");
                used.UnionWith([TiedDecoder, TiedDecoderBias]);
            }

            model.Initialize(missing, new SeededRandom(newHeadSeed ?? 0));
            report = new LoadReport(
                [.. missing.Select(parameter => parameter.Name)],
                [.. weights.Entries.Where(entry => !used.Contains(entry.Key)).Select(entry => entry.Value.Name).Order(StringComparer.Ordinal)]);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Gives every weight its first value as transformers does: dense layers and embeddings normal with deviation initializer_range, biases 0, layer norms 1 and 0, the padding row 0.</summary>
    /// <param name="random">Source of the numbers; the weights are a pure function of its state.</param>
    public void Initialize(SeededRandom random) => Initialize(Parameters, random);

    /// <summary>The classifier's logits for a batch.</summary>
    /// <param name="tape">Where to compute.</param>
    /// <param name="batch">S sequences.</param>
    /// <returns>[S, C].</returns>
    /// <exception cref="InvalidOperationException">The model has no classifier.</exception>
    public Tensor Logits(Tape tape, PackedBatch batch) => Logits(tape, Encoder.Forward(tape, batch), batch);

    /// <summary>The classifier's logits from an encoder's output.</summary>
    /// <param name="tape">Where to compute.</param>
    /// <param name="output">What the encoder computed.</param>
    /// <param name="batch">S sequences.</param>
    /// <returns>[S, C].</returns>
    public Tensor Logits(Tape tape, BertOutput output, PackedBatch batch)
    {
        if (Classifier is null || Pooler is null)
        {
            throw new InvalidOperationException("this model has no classifier");
        }

        Tensor pooled = Pooler.Forward(tape, output.LastHidden, batch);
        return Classifier.Forward(tape, pooled);
    }

    /// <summary>Writes config.json and model.safetensors as transformers writes them: same tensor names, shapes, types, metadata and keys.</summary>
    /// <param name="directory">Made if it is not there.</param>
    /// <param name="type">F32 or F16.</param>
    public void Save(string directory, TensorType type = TensorType.F32)
    {
        Directory.CreateDirectory(directory);
        SafetensorsWriter.Write(
            Path.Combine(directory, "model.safetensors"),
            Parameters.Select(parameter => SafetensorsTensor.OfFloats(StoredName(parameter.Name), [.. parameter.Value.Shape.ToArray()], () => parameter.Value.Span, type)));
        Config.Write(directory, Architecture, type);
    }

    /// <summary>Hugging Face's name of this kind of model.</summary>
    public string Architecture => Head switch
    {
        HeadKind.Classifier => "BertForSequenceClassification",
        HeadKind.MaskedLanguageModel => "BertForMaskedLM",
        _ => "BertModel",
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Parameter parameter in Parameters)
        {
            parameter.Dispose();
        }
    }

    private string StoredName(string name) => Head == HeadKind.None ? name["bert.".Length..] : name;

    private void Initialize(IEnumerable<Parameter> parameters, SeededRandom random)
    {
        foreach (Parameter parameter in parameters)
        {
            Span<float> values = parameter.Value.Span;
            if (parameter.Name.EndsWith("LayerNorm.weight", StringComparison.Ordinal))
            {
                values.Fill(1f);
            }
            else if (parameter.Value.Shape.Length == 1)
            {
                values.Clear();
            }
            else
            {
                for (int i = 0; i < values.Length; i++)
                {
                    values[i] = (float)(random.Gaussian() * Config.InitializerRange);
                }

                if (parameter == Encoder.WordEmbeddings && Config.PadTokenId is >= 0 && Config.PadTokenId < parameter.Value.Rows)
                {
                    parameter.Value.Row(Config.PadTokenId).Clear();
                }
            }

            parameter.Changed();
        }
    }

    private static bool IsEncoder(string name) =>
        name.StartsWith("bert.embeddings.", StringComparison.Ordinal) || name.StartsWith("bert.encoder.", StringComparison.Ordinal);

    private static void CheckTied(NamedWeights weights, string name, Parameter twin, string what)
    {
        if (!weights.Entries.TryGetValue(name, out TensorEntry? entry) || !weights.Contains(twin.Name))
        {
            return;
        }

        float[] stored = new float[entry.Count];
        weights.Read(name, stored);
        if (!stored.AsSpan().SequenceEqual(twin.Value.Span))
        {
            throw new CheckpointException($"{weights.Source.Path}: tensor '{entry.Name}' differs from {what}; a masked language model whose decoder is not tied to them is not supported");
        }
    }
}
