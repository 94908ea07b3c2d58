using System.Text;
using System.Text.Json;
using Limbeck.Checkpoints;

namespace Limbeck.Models;

/// <summary>A BERT's <c>config.json</c>: sizes, rates, labels. What Limbeck does not know is kept and written again; what it cannot do is refused by name.</summary>
/// <remarks>A new one has BERT-base's values. Change one with a <c>with</c> expression: <see cref="Write"/> alters only the keys whose values have changed.</remarks>
public sealed record BertConfig
{
    /// <summary>Hugging Face's classifier head: tanh in the pooler.</summary>
    public const string TanhHead = "tanh";

    /// <summary>TinyBERT's classifier head: relu of the tanh.</summary>
    public const string ReluHead = "relu";

    private const string ConfigFile = "config.json";
    private const string OldConfigFile = "bert_config.json";
    private const string ModelType = "bert";
    private const string ClassifierArchitecture = "BertForSequenceClassification";

    private static readonly string[] SupportedArchitectures = ["BertModel", ClassifierArchitecture, "BertForMaskedLM", "BertForPreTraining"];
    private static readonly string[] SupportedActivations = ["gelu", "relu"];

    /// <summary>Sizes beyond these are no BERT's, and would leave the range of the arithmetic that allocates from them.</summary>
    private static readonly (string Key, Func<BertConfig, int> Value, int Most)[] Limits =
    [
        ("hidden_size", config => config.HiddenSize, 1 << 16),
        ("num_hidden_layers", config => config.LayerCount, 1 << 10),
        ("num_attention_heads", config => config.HeadCount, 1 << 10),
        ("intermediate_size", config => config.IntermediateSize, 1 << 18),
        ("vocab_size", config => config.VocabularySize, 1 << 24),
        ("max_position_embeddings", config => config.MaxPositions, 1 << 20),
        ("type_vocab_size", config => config.TypeVocabularySize, 1 << 10),
    ];

    /// <summary>What this type knows, in the order of a file that is written anew (transformers' own: alphabetical). Not in an old file, a key is added when its value has changed.</summary>
    private static readonly (string Key, Func<BertConfig, object?> Value)[] Fields =
    [
        ("add_cross_attention", _ => false),
        ("architectures", config => config.Architectures),
        ("attention_probs_dropout_prob", config => config.AttentionDropout),
        ("bos_token_id", _ => null),
        ("classifier_dropout", config => config.ClassifierDropout),
        ("eos_token_id", _ => null),
        ("hidden_act", config => config.HiddenActivation),
        ("hidden_dropout_prob", config => config.HiddenDropout),
        ("hidden_size", config => config.HiddenSize),
        ("id2label", config => config.Labels.Select((label, id) => KeyValuePair.Create<string, object>($"{id}", label)).ToArray()),
        ("initializer_range", config => config.InitializerRange),
        ("intermediate_size", config => config.IntermediateSize),
        ("is_decoder", _ => false),
        ("label2id", config => config.Labels.Select((label, id) => KeyValuePair.Create<string, object>(label, id)).ToArray()),
        ("layer_norm_eps", config => config.LayerNormEpsilon),
        ("limbeck_head", config => config.HeadActivation == TanhHead ? null : config.HeadActivation),
        ("max_position_embeddings", config => config.MaxPositions),
        ("model_type", _ => ModelType),
        ("num_attention_heads", config => config.HeadCount),
        ("num_hidden_layers", config => config.LayerCount),
        ("num_labels", config => config.Labels.Count),
        ("pad_token_id", config => config.PadTokenId),
        ("problem_type", config => config.ProblemType),
        ("tie_word_embeddings", config => config.TieWordEmbeddings),
        ("type_vocab_size", config => config.TypeVocabularySize),
        ("use_cache", _ => true),
        ("vocab_size", config => config.VocabularySize),
    ];

    /// <summary>The file's keys and values in their order; null when there was no file.</summary>
    private List<KeyValuePair<string, JsonElement>>? _file;

    /// <summary>What the file said, to tell what has been changed since.</summary>
    private BertConfig? _asRead;

    /// <summary>H, the width of a token's state.</summary>
    public int HiddenSize { get; init; } = 768;

    /// <summary>L, the number of layers.</summary>
    public int LayerCount { get; init; } = 12;

    /// <summary>A, the number of attention heads; divides <see cref="HiddenSize"/>.</summary>
    public int HeadCount { get; init; } = 12;

    /// <summary>I, the width of the feed-forward part.</summary>
    public int IntermediateSize { get; init; } = 3072;

    /// <summary>V, the number of wordpieces.</summary>
    public int VocabularySize { get; init; } = 30522;

    /// <summary>The most tokens of a sequence.</summary>
    public int MaxPositions { get; init; } = 512;

    /// <summary>The number of segment ids.</summary>
    public int TypeVocabularySize { get; init; } = 2;

    /// <summary><c>gelu</c> (with the error function) or <c>relu</c>.</summary>
    public string HiddenActivation { get; init; } = "gelu";

    /// <summary>Probability of dropping an element of a state, in training.</summary>
    public float HiddenDropout { get; init; } = 0.1f;

    /// <summary>Probability of dropping an attention probability, in training.</summary>
    public float AttentionDropout { get; init; } = 0.1f;

    /// <summary>Probability of dropping an element before the classifier; null means <see cref="HiddenDropout"/>.</summary>
    public float? ClassifierDropout { get; init; }

    /// <summary>Added to the variance in layer norms.</summary>
    public float LayerNormEpsilon { get; init; } = 1e-12f;

    /// <summary>Standard deviation of random initial weights.</summary>
    public float InitializerRange { get; init; } = 0.02f;

    /// <summary>The id that other tools pad with; Limbeck does not pad.</summary>
    public int PadTokenId { get; init; }

    /// <summary>Whether the masked-language-model decoder is the word embedding.</summary>
    public bool TieWordEmbeddings { get; init; } = true;

    /// <summary>The names of the classes by id; one for regression.</summary>
    public IReadOnlyList<string> Labels { get; init; } = DefaultLabels(2);

    /// <summary><c>regression</c>, <c>single_label_classification</c>, or null for what the number of labels implies.</summary>
    public string? ProblemType { get; init; }

    /// <summary>The classes of transformers that the weights belong to; empty when the file does not say.</summary>
    public IReadOnlyList<string> Architectures { get; init; } = [];

    /// <summary>What the classifier takes from the pooler: <see cref="TanhHead"/> (Hugging Face) or <see cref="ReluHead"/> (TinyBERT's relu of the tanh; key <c>limbeck_head</c>).</summary>
    public string HeadActivation { get; init; } = TanhHead;

    /// <summary>D = H/A, the width of an attention head.</summary>
    public int HeadSize => HiddenSize / HeadCount;

    /// <summary>Whether the output is one number and not a class: transformers' rule.</summary>
    public bool IsRegression => ProblemType is null ? Labels.Count == 1 : ProblemType == "regression";

    /// <summary>The names that transformers gives to classes without names: LABEL_0, LABEL_1, ...</summary>
    public static IReadOnlyList<string> DefaultLabels(int count) => [.. Enumerable.Range(0, count).Select(id => $"LABEL_{id}")];

    /// <summary>Reads a directory's <c>config.json</c>, or else its <c>bert_config.json</c>.</summary>
    /// <exception cref="CheckpointException">Neither is there, or as <see cref="Parse(ReadOnlySpan{byte}, string)"/>.</exception>
    public static BertConfig Read(string directory)
    {
        ArgumentNullException.ThrowIfNull(directory);
        foreach (string name in (ReadOnlySpan<string>)[ConfigFile, OldConfigFile])
        {
            string path = Path.Combine(directory, name);
            if (File.Exists(path))
            {
                return Parse(JsonFile.Bytes(path), path);
            }
        }
        throw new CheckpointException($"{directory}: has no {ConfigFile} (nor {OldConfigFile}); a Hugging Face model's directory is needed");
    }

    /// <summary>Reads a configuration from text.</summary>
    /// <param name="json">The content of a file.</param>
    /// <param name="path">The file's name, for messages.</param>
    /// <exception cref="CheckpointException">As the other overload.</exception>
    public static BertConfig Parse(string json, string path) => Parse(Encoding.UTF8.GetBytes(json), path);

    /// <summary>Reads a configuration from UTF-8.</summary>
    /// <param name="json">The content of a file.</param>
    /// <param name="path">The file's name, for messages.</param>
    /// <exception cref="CheckpointException">Not JSON, another architecture, a head or a setting that Limbeck does not have, or impossible values: every fault in one message.</exception>
    public static BertConfig Parse(ReadOnlySpan<byte> json, string path)
    {
        using JsonDocument document = JsonFile.Parse(json, path);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            throw new CheckpointException($"{path}: must be a JSON object");
        }
        var faults = new List<string>();
        var keys = new BertConfigReader(document.RootElement, faults);
        IReadOnlyList<string> architectures = keys.Texts("architectures");
        RefuseOtherModels(keys, architectures, path);
        bool isNamed = keys.Has("model_type"); // Without it, nothing but its sizes says that this is a BERT.
        var config = new BertConfig();
        config = config with
        {
            HiddenSize = keys.Size("hidden_size", config.HiddenSize, isNamed),
            LayerCount = keys.Size("num_hidden_layers", config.LayerCount, isNamed),
            HeadCount = keys.Size("num_attention_heads", config.HeadCount, isNamed),
            IntermediateSize = keys.Size("intermediate_size", config.IntermediateSize, isNamed),
            VocabularySize = keys.Size("vocab_size", config.VocabularySize, isNamed),
            MaxPositions = keys.Size("max_position_embeddings", config.MaxPositions, isNamed),
            TypeVocabularySize = keys.Size("type_vocab_size", config.TypeVocabularySize, isNamed),
            HiddenActivation = keys.Text("hidden_act") ?? config.HiddenActivation,
            HiddenDropout = keys.Number("hidden_dropout_prob") ?? config.HiddenDropout,
            AttentionDropout = keys.Number("attention_probs_dropout_prob") ?? config.AttentionDropout,
            ClassifierDropout = keys.Number("classifier_dropout"),
            LayerNormEpsilon = keys.Number("layer_norm_eps") ?? config.LayerNormEpsilon,
            InitializerRange = keys.Number("initializer_range") ?? config.InitializerRange,
            PadTokenId = keys.Size("pad_token_id", config.PadTokenId, isOptional: true),
            TieWordEmbeddings = keys.Flag("tie_word_embeddings") ?? config.TieWordEmbeddings,
            ProblemType = keys.Text("problem_type"),
            Architectures = architectures,
            HeadActivation = keys.Text("limbeck_head") ?? config.HeadActivation,
            Labels = keys.Labels(),
        };
        RefuseOtherSettings(keys, faults);
        config.Check(faults);
        CheckpointException.ThrowIfAny(path, faults);
        config._file = [.. document.RootElement.EnumerateObject().Select(property => KeyValuePair.Create(property.Name, property.Value.Clone()))];
        config._asRead = config;
        return config;
    }

    /// <summary>Checks the values against each other, as reading does: for a configuration that was made or changed in code.</summary>
    /// <param name="path">Opens the message.</param>
    /// <exception cref="CheckpointException">Every fault in one message.</exception>
    public void Check(string path)
    {
        var faults = new List<string>();
        Check(faults);
        CheckpointException.ThrowIfAny(path, faults);
    }

    /// <summary>Writes <c>config.json</c>, atomically. Keys of the file it was read from keep their order, and those that have not changed keep their text.</summary>
    /// <param name="directory">Is there already.</param>
    /// <param name="architecture">The class of transformers that the weights belong to, such as <c>BertForSequenceClassification</c>; null leaves <c>architectures</c> as it was read.</param>
    /// <param name="weights">The type of the weights beside it, F32 or F16: written where the file that was read has <c>dtype</c> or <c>torch_dtype</c>.</param>
    /// <exception cref="CheckpointException">The values are impossible.</exception>
    public void Write(string directory, string? architecture = null, TensorType weights = TensorType.F32)
    {
        ArgumentNullException.ThrowIfNull(directory);
        string path = Path.Combine(directory, ConfigFile);
        BertConfig config = architecture is null || Architectures is [var same] && same == architecture ? this : this with { Architectures = [architecture] };
        config.Check(path);
        JsonFile.Write(path, json =>
        {
            json.WriteStartObject();
            if (config._file is null)
            {
                config.WriteNew(json);
            }
            else
            {
                config.WriteAgain(json, weights == TensorType.F16 ? "float16" : "float32");
            }
            json.WriteEndObject();
        });
    }

    private void WriteNew(Utf8JsonWriter json)
    {
        foreach (var (key, value) in Fields)
        {
            bool isNeeded = key switch
            {
                "architectures" => Architectures.Count > 0,
                "limbeck_head" or "problem_type" => value(this) is not null,
                "num_labels" => false, // id2label says it.
                _ => true,
            };
            if (isNeeded)
            {
                json.WritePropertyName(key);
                WriteValue(json, value(this));
            }
        }
    }

    private void WriteAgain(Utf8JsonWriter json, string dtype)
    {
        var written = new HashSet<string>();
        foreach ((string key, JsonElement old) in _file!)
        {
            written.Add(key);
            int field = Array.FindIndex(Fields, known => known.Key == key);
            bool isChanged = field >= 0 && !IsSame(Fields[field].Value(this), Fields[field].Value(_asRead!));
            if (isChanged && key == "limbeck_head" && HeadActivation == TanhHead)
            {
                continue;
            }
            json.WritePropertyName(key);
            if (key is "dtype" or "torch_dtype" && old.ValueKind == JsonValueKind.String)
            {
                json.WriteStringValue(dtype);
            }
            else if (isChanged)
            {
                WriteValue(json, Fields[field].Value(this));
            }
            else
            {
                old.WriteTo(json);
            }
        }
        foreach (var (key, value) in Fields)
        {
            bool isNeeded = key switch
            {
                "model_type" => true, // Without it no loader of today knows what the file is.
                "num_labels" => false,
                _ => !IsSame(value(this), value(_asRead!)),
            };
            if (isNeeded && !written.Contains(key))
            {
                json.WritePropertyName(key);
                WriteValue(json, value(this));
            }
        }
    }

    private static bool IsSame(object? now, object? before) => (now, before) switch
    {
        (IReadOnlyList<string> a, IReadOnlyList<string> b) => a.SequenceEqual(b),
        (KeyValuePair<string, object>[] a, KeyValuePair<string, object>[] b) => a.AsSpan().SequenceEqual(b),
        _ => Equals(now, before),
    };

    private static void WriteValue(Utf8JsonWriter json, object? value)
    {
        switch (value)
        {
            case null:
                json.WriteNullValue();
                break;
            case bool flag:
                json.WriteBooleanValue(flag);
                break;
            case int whole:
                json.WriteNumberValue(whole);
                break;
            case float number:
                json.WriteNumberValue(number);
                break;
            case string text:
                json.WriteStringValue(text);
                break;
            case IReadOnlyList<string> texts:
                json.WriteStartArray();
                foreach (string text in texts)
                {
                    json.WriteStringValue(text);
                }
                json.WriteEndArray();
                break;
            case KeyValuePair<string, object>[] pairs:
                json.WriteStartObject();
                foreach ((string key, object item) in pairs)
                {
                    json.WritePropertyName(key);
                    WriteValue(json, item);
                }
                json.WriteEndObject();
                break;
            default:
                throw new ArgumentException($"a value of type {value.GetType()} has no place in a configuration", nameof(value));
        }
    }

    private static void RefuseOtherModels(BertConfigReader keys, IReadOnlyList<string> architectures, string path)
    {
        var faults = new List<string>();
        if (keys.Text("model_type") is { } type && type != ModelType)
        {
            faults.Add($"model_type is '{type}'; only '{ModelType}' is supported");
        }
        foreach (string architecture in architectures.Except(SupportedArchitectures))
        {
            faults.Add($"architecture {architecture} is not supported; {string.Join(", ", SupportedArchitectures)} are");
        }
        if (keys.Has("auto_map"))
        {
            faults.Add("auto_map is set: the model is run by code of its own, which is not supported");
        }
        CheckpointException.ThrowIfAny(path, faults);
    }

    private static void RefuseOtherSettings(BertConfigReader keys, List<string> faults)
    {
        if (keys.Text("position_embedding_type") is { } positions && positions != "absolute")
        {
            faults.Add($"position_embedding_type is '{positions}'; only 'absolute' is supported");
        }
        foreach (string key in (ReadOnlySpan<string>)["is_decoder", "add_cross_attention", "is_encoder_decoder"])
        {
            if (keys.Flag(key) == true)
            {
                faults.Add($"{key} is true; only encoders are supported");
            }
        }
        foreach (string key in (ReadOnlySpan<string>)["pruned_heads", "quantization_config"])
        {
            if (keys.Has(key))
            {
                faults.Add($"{key} is set; only whole models with weights in floating point are supported");
            }
        }
    }

    private void Check(List<string> faults)
    {
        int before = faults.Count;
        foreach (var (key, value, most) in Limits)
        {
            if (value(this) < 1 || value(this) > most)
            {
                faults.Add($"{key} is {value(this)}; 1 to {most} is needed");
            }
        }
        if (faults.Count == before && HiddenSize % HeadCount != 0)
        {
            faults.Add($"hidden_size {HiddenSize} is not a multiple of num_attention_heads {HeadCount}");
        }
        if (PadTokenId < 0 || PadTokenId >= Math.Max(1, VocabularySize))
        {
            faults.Add($"pad_token_id is {PadTokenId}; 0 to vocab_size - 1 ({VocabularySize - 1}) is needed");
        }
        CheckRate(faults, "hidden_dropout_prob", HiddenDropout);
        CheckRate(faults, "attention_probs_dropout_prob", AttentionDropout);
        CheckRate(faults, "classifier_dropout", ClassifierDropout ?? 0);
        if (!(LayerNormEpsilon > 0) || LayerNormEpsilon > 1)
        {
            faults.Add($"layer_norm_eps is {LayerNormEpsilon}; a number above 0 and at most 1 is needed");
        }
        if (!(InitializerRange >= 0) || !float.IsFinite(InitializerRange))
        {
            faults.Add($"initializer_range is {InitializerRange}; a number of at least 0 is needed");
        }
        CheckChoice(faults, "hidden_act", HiddenActivation, SupportedActivations);
        CheckChoice(faults, "limbeck_head", HeadActivation, [TanhHead, ReluHead]);
        if (ProblemType is not null)
        {
            CheckChoice(faults, "problem_type", ProblemType, ["regression", "single_label_classification"]);
            if (ProblemType == "regression" && Labels.Count > 1)
            {
                faults.Add($"problem_type is 'regression' with {Labels.Count} labels; a regression has 1 (id2label, num_labels)");
            }
        }
        if (Labels.Count == 0)
        {
            faults.Add("there are no labels; at least one is needed");
        }
        foreach (var twice in Labels.GroupBy(label => label).Where(group => group.Count() > 1))
        {
            faults.Add($"label '{twice.Key}' names {twice.Count()} classes; labels are told apart by name");
        }
    }

    private static void CheckRate(List<string> faults, string key, float rate)
    {
        if (!(rate >= 0 && rate < 1))
        {
            faults.Add($"{key} is {rate}; a number from 0 to below 1 is needed");
        }
    }

    private static void CheckChoice(List<string> faults, string key, string got, string[] supported)
    {
        if (!supported.Contains(got))
        {
            faults.Add($"{key} is '{got}', which is not supported; {string.Join(" and ", supported.Select(name => $"'{name}'"))} are");
        }
    }
}
