using System.Text.Json;

namespace Limbeck.Checkpoints;

/// <summary>Reads and writes the files that sentence-transformers adds to a model's directory: <c>modules.json</c>, <c>sentence_bert_config.json</c>, <c>1_Pooling/config.json</c>.</summary>
public static class SentenceTransformerFiles
{
    private const string ModulesFile = "modules.json";
    private const string TransformerFile = "sentence_bert_config.json";
    private const string PoolingFile = "config.json";
    private const string PoolingDirectory = "1_Pooling";
    private const string NormalizeDirectory = "2_Normalize";
    private const string ModePrefix = "pooling_mode_";

    /// <summary>The modes' names in <c>1_Pooling/config.json</c> after its prefix, those that Limbeck has first.</summary>
    private static readonly string[] Modes = ["cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"];

    /// <summary>Reads a directory.</summary>
    /// <returns>null when it has no <c>modules.json</c>.</returns>
    /// <exception cref="CheckpointException">The files are damaged, or have a module or a pooling mode that Limbeck does not, which is named.</exception>
    public static SentenceTransformerConfig? Read(string directory)
    {
        ArgumentNullException.ThrowIfNull(directory);
        string path = Path.Combine(directory, ModulesFile);
        if (!File.Exists(path))
        {
            return null;
        }
        List<(string Type, string Path)> modules = ReadModules(path);
        string[] types = [.. modules.Select(module => module.Type)];
        if (types is not (["Transformer", "Pooling"] or ["Transformer", "Pooling", "Normalize"]))
        {
            throw new CheckpointException($"{path}: the modules are {string.Join(", ", types)}; Transformer, Pooling and perhaps Normalize, in this order, are supported");
        }
        PoolingMode pooling = ReadPooling(Path.Combine(directory, modules[1].Path, PoolingFile));
        (int? length, bool lowerCase) = ReadTransformer(Path.Combine(directory, modules[0].Path, TransformerFile));
        return new SentenceTransformerConfig(pooling, types.Length == 3, length, modules[0].Path, lowerCase);
    }

    /// <summary>Writes the same set of files, each atomically. The encoder's own files are another's to write.</summary>
    /// <param name="directory">Created when it is not there.</param>
    /// <param name="config">Its <see cref="SentenceTransformerConfig.WeightsDirectory"/> is written as the encoder's path.</param>
    /// <param name="hiddenSize">The length of an embedding.</param>
    public static void Write(string directory, SentenceTransformerConfig config, int hiddenSize)
    {
        ArgumentNullException.ThrowIfNull(directory);
        ArgumentNullException.ThrowIfNull(config);
        string transformer = Path.Combine(directory, config.WeightsDirectory);
        Directory.CreateDirectory(transformer);
        Directory.CreateDirectory(Path.Combine(directory, PoolingDirectory));
        JsonFile.Write(Path.Combine(directory, ModulesFile), json =>
        {
            json.WriteStartArray();
            WriteModule(json, 0, config.WeightsDirectory, "Transformer");
            WriteModule(json, 1, PoolingDirectory, "Pooling");
            if (config.Normalize)
            {
                WriteModule(json, 2, NormalizeDirectory, "Normalize");
            }
            json.WriteEndArray();
        });
        JsonFile.Write(Path.Combine(transformer, TransformerFile), json =>
        {
            json.WriteStartObject();
            if (config.MaxSequenceLength is { } length)
            {
                json.WriteNumber("max_seq_length", length);
            }
            json.WriteBoolean("do_lower_case", config.LowerCase);
            json.WriteEndObject();
        });
        JsonFile.Write(Path.Combine(directory, PoolingDirectory, PoolingFile), json =>
        {
            string chosen = config.Pooling == PoolingMode.Cls ? "cls_token" : "mean_tokens";
            json.WriteStartObject();
            json.WriteNumber("word_embedding_dimension", hiddenSize);
            foreach (string mode in Modes.Take(4))
            {
                json.WriteBoolean(ModePrefix + mode, mode == chosen);
            }
            json.WriteEndObject();
        });
    }

    private static void WriteModule(Utf8JsonWriter json, int index, string path, string type)
    {
        json.WriteStartObject();
        json.WriteNumber("idx", index);
        json.WriteString("name", index.ToString(System.Globalization.CultureInfo.InvariantCulture));
        json.WriteString("path", path);
        json.WriteString("type", "sentence_transformers.models." + type);
        json.WriteEndObject();
    }

    private static List<(string Type, string Path)> ReadModules(string path)
    {
        using JsonDocument document = JsonFile.Read(path);
        if (document.RootElement.ValueKind != JsonValueKind.Array)
        {
            throw new CheckpointException($"{path}: must be an array of modules");
        }
        var modules = new List<(long Index, string Type, string Path)>();
        var faults = new List<string>();
        foreach (JsonElement module in document.RootElement.EnumerateArray())
        {
            string? type = Text(module, "type"), place = Text(module, "path");
            if (type is null || place is null)
            {
                faults.Add($"module {modules.Count} needs 'type' and 'path', both text");
                continue;
            }
            // Files of before and after the library moved its classes differ in the package, not in the class.
            string name = type[(type.LastIndexOf('.') + 1)..];
            if (name is not ("Transformer" or "Pooling" or "Normalize"))
            {
                faults.Add($"module '{type}' is not supported; Transformer, Pooling and Normalize are");
            }
            else if (Path.IsPathRooted(place) || place.Split('/', '\\').Contains("..") || place.Contains('\0'))
            {
                faults.Add($"module '{type}' lies at '{place}'; a path inside the model's directory is needed");
            }
            long index = module.TryGetProperty("idx", out JsonElement number) && number.ValueKind == JsonValueKind.Number && number.TryGetInt64(out long order) ? order : modules.Count;
            modules.Add((index, name, place));
        }
        CheckpointException.ThrowIfAny(path, faults);
        return [.. modules.OrderBy(module => module.Index).Select(module => (module.Type, module.Path))];
    }

    private static PoolingMode ReadPooling(string path)
    {
        using JsonDocument document = JsonFile.Read(path);
        JsonElement root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new CheckpointException($"{path}: must be an object");
        }
        List<string> chosen = [.. root.EnumerateObject()
            .Where(property => property.Name.StartsWith(ModePrefix, StringComparison.Ordinal) && property.Value.ValueKind == JsonValueKind.True)
            .Select(property => property.Name[ModePrefix.Length..])];
        // Newer files name the mode instead.
        if (Text(root, "pooling_mode") is { } named)
        {
            chosen.Add(named);
        }
        return chosen switch
        {
            ["mean_tokens" or "mean"] => PoolingMode.Mean,
            ["cls_token" or "cls"] => PoolingMode.Cls,
            [] => throw new CheckpointException($"{path}: no pooling mode is true; pooling_mode_mean_tokens or pooling_mode_cls_token is needed"),
            [var one] => throw new CheckpointException($"{path}: pooling mode '{one}' is not supported; mean_tokens and cls_token are"),
            _ => throw new CheckpointException($"{path}: pooling modes {string.Join(", ", chosen)} together are not supported; mean_tokens or cls_token alone is"),
        };
    }

    private static (int? Length, bool LowerCase) ReadTransformer(string path)
    {
        if (!File.Exists(path))
        {
            return (null, false);
        }
        using JsonDocument document = JsonFile.Read(path);
        JsonElement root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new CheckpointException($"{path}: must be an object");
        }
        int? length = null;
        if (root.TryGetProperty("max_seq_length", out JsonElement number) && number.ValueKind != JsonValueKind.Null)
        {
            length = number.ValueKind == JsonValueKind.Number && number.TryGetInt32(out int whole) && whole >= 3
                ? whole
                : throw new CheckpointException($"{path}: max_seq_length is {number.GetRawText()}; a whole number of at least 3 ([CLS], a token, [SEP]) or null is needed");
        }
        bool lowerCase = false;
        if (root.TryGetProperty("do_lower_case", out JsonElement flag) && flag.ValueKind != JsonValueKind.Null)
        {
            lowerCase = flag.ValueKind is JsonValueKind.True or JsonValueKind.False
                ? flag.GetBoolean()
                : throw new CheckpointException($"{path}: do_lower_case is {flag.GetRawText()}; true or false is needed");
        }
        return (length, lowerCase);
    }

    private static string? Text(JsonElement element, string key) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
