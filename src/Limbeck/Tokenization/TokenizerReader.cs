using System.Text.Json;

namespace Limbeck.Tokenization;

/// <summary>Reads the files of a tokenizer, and refuses by name whatever is not BERT's WordPiece.</summary>
internal static class TokenizerReader
{
    /// <summary>The whole tokenizer in one file.</summary>
    public const string TokenizerFile = "tokenizer.json";

    /// <summary>One token a line.</summary>
    public const string VocabularyFile = "vocab.txt";

    /// <summary>Options, for transformers.</summary>
    public const string ConfigFile = "tokenizer_config.json";

    /// <summary>Names of the special tokens.</summary>
    public const string SpecialTokensFile = "special_tokens_map.json";

    private const string AddedTokensFile = "added_tokens.json";

    // Classes of transformers that read vocab.txt as BERT does.
    private static readonly string[] KnownClasses =
    [
        "Bert", "DistilBert", "Electra", "MobileBert", "ConvBert", "SqueezeBert", "Lxmert", "LayoutLM", "RetriBert",
        "DPRQuestionEncoder", "DPRContextEncoder", "DPRReader",
    ];

    /// <summary>The five special tokens, each once.</summary>
    /// <param name="options">Their names.</param>
    public static IEnumerable<string> SpecialTokens(BertTokenizerOptions options) =>
        new[] { options.PadToken, options.UnknownToken, options.ClassToken, options.SeparatorToken, options.MaskToken }.Distinct(StringComparer.Ordinal);

    /// <summary>Reads a model directory.</summary>
    /// <param name="directory">Its path.</param>
    /// <exception cref="TokenizerException">See <see cref="BertTokenizer.FromDirectory"/>.</exception>
    public static TokenizerDefinition Read(string directory)
    {
        string tokenizer = Path.Combine(directory, TokenizerFile);
        if (File.Exists(tokenizer))
        {
            return ReadTokenizer(tokenizer, directory);
        }

        string vocabulary = Path.Combine(directory, VocabularyFile);
        if (File.Exists(vocabulary))
        {
            return ReadVocabularyDirectory(vocabulary, directory);
        }

        throw new TokenizerException($"{directory}: there is neither {TokenizerFile} nor {VocabularyFile}. Copy the tokenizer's files into the model's directory, or name the directory that has them.");
    }

    /// <summary>Reads a <c>vocab.txt</c>.</summary>
    /// <param name="path">Its path.</param>
    /// <exception cref="TokenizerException">It cannot be read, is no UTF-8 or is empty.</exception>
    public static string[] ReadVocabulary(string path)
    {
        string text;
        try
        {
            ReadOnlySpan<byte> bytes = ReadBytes(path);
            text = new System.Text.UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
        }
        catch (ArgumentException fault)
        {
            throw new TokenizerException($"{path}: this is not UTF-8 text. Save the vocabulary as UTF-8, one token a line.", fault);
        }

        List<string> lines = [.. text.Split('\n')];
        if (lines[^1].Length == 0)
        {
            lines.RemoveAt(lines.Count - 1);
        }

        if (lines.Count == 0)
        {
            throw new TokenizerException($"{path}: the file is empty. It needs one token a line: use the vocabulary saved with the model.");
        }

        return [.. lines.Select(line => line.EndsWith('\r') ? line[..^1] : line)];
    }

    private static TokenizerDefinition ReadTokenizer(string path, string directory)
    {
        using JsonDocument document = Parse(path);
        using JsonDocument? config = ParseOptional(Path.Combine(directory, ConfigFile));
        using JsonDocument? names = ParseOptional(Path.Combine(directory, SpecialTokensFile));
        try
        {
            TokenizerFileReader reader = new(path, document.RootElement);
            BertTokenizerOptions defaults = new();
            return reader.Read(
                Name("pad_token", defaults.PadToken, config, names),
                Name("mask_token", defaults.MaskToken, config, names),
                MaxLength(config));
        }
        catch (Exception fault) when (fault is InvalidOperationException or FormatException or KeyNotFoundException or IndexOutOfRangeException)
        {
            throw new TokenizerException($"{path}: a value has another type than a tokenizer's file has there ({fault.Message}) Save the tokenizer again with the library that made it.", fault);
        }
    }

    private static TokenizerDefinition ReadVocabularyDirectory(string path, string directory)
    {
        string configPath = Path.Combine(directory, ConfigFile);
        using JsonDocument? config = ParseOptional(configPath);
        using JsonDocument? names = ParseOptional(Path.Combine(directory, SpecialTokensFile));
        string addedPath = Path.Combine(directory, AddedTokensFile);
        using JsonDocument? added = ParseOptional(addedPath);
        try
        {
            RefuseOtherClasses(config, configPath);
            BertTokenizerOptions defaults = new();
            BertTokenizerOptions options = defaults with
            {
                LowerCase = Flag(config, "do_lower_case") ?? true,
                StripAccents = Flag(config, "strip_accents"),
                HandleChineseChars = Flag(config, "tokenize_chinese_chars") ?? true,
                UnknownToken = Name("unk_token", defaults.UnknownToken, config, names),
                ClassToken = Name("cls_token", defaults.ClassToken, config, names),
                SeparatorToken = Name("sep_token", defaults.SeparatorToken, config, names),
                PadToken = Name("pad_token", defaults.PadToken, config, names),
                MaskToken = Name("mask_token", defaults.MaskToken, config, names),
            };
            VocabularyBuilder builder = new(path);
            string[] pieces = ReadVocabulary(path);
            for (int id = 0; id < pieces.Length; id++)
            {
                builder.AddPiece(pieces[id], id);
            }

            AddFromConfig(builder, config);
            HashSet<string> special = [.. SpecialTokens(options), .. AdditionalSpecialTokens(config), .. AdditionalSpecialTokens(names)];
            if (added is not null)
            {
                foreach (JsonProperty token in added.RootElement.EnumerateObject())
                {
                    bool isSpecial = special.Contains(token.Name);
                    builder.AddToken(new AddedToken(token.Value.GetInt32(), token.Name, isSpecial, false, false, false, !isSpecial));
                }
            }

            foreach (string token in special)
            {
                builder.AddSpecialIfKnown(token);
            }

            return builder.Build(options, MaxLength(config));
        }
        catch (Exception fault) when (fault is InvalidOperationException or FormatException or KeyNotFoundException or IndexOutOfRangeException)
        {
            throw new TokenizerException(
                $"{configPath}, {SpecialTokensFile} or {AddedTokensFile}: a value has another type than it should ({fault.Message}) Save the tokenizer again with the library that made it.", fault);
        }
    }

    private static void AddFromConfig(VocabularyBuilder builder, JsonDocument? config)
    {
        if (config is not null && config.RootElement.TryGetProperty("added_tokens_decoder", out JsonElement tokens) && tokens.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty token in tokens.EnumerateObject())
            {
                builder.AddToken(ReadAddedToken(token.Value, int.Parse(token.Name, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture)));
            }
        }
    }

    /// <summary>Reads one added token.</summary>
    /// <param name="token">An object with <c>content</c> and flags.</param>
    /// <param name="id">Its id.</param>
    public static AddedToken ReadAddedToken(JsonElement token, int id)
    {
        bool special = FlagOf(token, "special") ?? false;
        return new AddedToken(
            id,
            token.GetProperty("content").GetString() ?? "",
            special,
            FlagOf(token, "single_word") ?? false,
            FlagOf(token, "lstrip") ?? false,
            FlagOf(token, "rstrip") ?? false,
            FlagOf(token, "normalized") ?? !special);
    }

    /// <summary>A boolean of an object; null when it is absent or null.</summary>
    /// <param name="element">The object.</param>
    /// <param name="name">Its property.</param>
    public static bool? FlagOf(JsonElement element, string name) =>
        element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value.GetBoolean() : null;

    private static bool? Flag(JsonDocument? document, string name) => document is null ? null : FlagOf(document.RootElement, name);

    private static void RefuseOtherClasses(JsonDocument? config, string path)
    {
        if (config is null)
        {
            return;
        }

        if (config.RootElement.TryGetProperty("tokenizer_class", out JsonElement name) && name.ValueKind == JsonValueKind.String)
        {
            string text = name.GetString()!;
            string stem = text.EndsWith("TokenizerFast", StringComparison.Ordinal) ? text[..^13] : text.EndsWith("Tokenizer", StringComparison.Ordinal) ? text[..^9] : text;
            if (!KnownClasses.Contains(stem, StringComparer.Ordinal))
            {
                throw new TokenizerException($"{path}: tokenizer_class is '{text}'; only BERT's WordPiece (BertTokenizer) can be read from a {VocabularyFile}. Save the model with its {TokenizerFile}.");
            }
        }

        if (Flag(config, "do_basic_tokenize") == false)
        {
            throw new TokenizerException($"{path}: do_basic_tokenize is false; splitting words is part of BERT's tokenizer here. Use a tokenizer saved with do_basic_tokenize true.");
        }
    }

    private static IEnumerable<string> AdditionalSpecialTokens(JsonDocument? document)
    {
        foreach (string property in (string[])["additional_special_tokens", "extra_special_tokens"])
        {
            if (document is not null && document.RootElement.TryGetProperty(property, out JsonElement list) && list.ValueKind == JsonValueKind.Array)
            {
                foreach (JsonElement token in list.EnumerateArray())
                {
                    if (Content(token) is { Length: > 0 } content)
                    {
                        yield return content;
                    }
                }
            }
        }
    }

    private static string Name(string property, string otherwise, params JsonDocument?[] documents)
    {
        foreach (JsonDocument? document in documents)
        {
            if (document is not null && document.RootElement.TryGetProperty(property, out JsonElement token) && Content(token) is { Length: > 0 } content)
            {
                return content;
            }
        }

        return otherwise;
    }

    // A token is written as a string or as an object with its content.
    private static string? Content(JsonElement token) => token.ValueKind switch
    {
        JsonValueKind.String => token.GetString(),
        JsonValueKind.Object => token.GetProperty("content").GetString(),
        _ => null,
    };

    // transformers writes 1e30 where it knows no limit.
    private static int? MaxLength(JsonDocument? config) =>
        config is not null && config.RootElement.TryGetProperty("model_max_length", out JsonElement value) && value.ValueKind == JsonValueKind.Number
            && value.TryGetInt32(out int length) && length > 0 ? length : null;

    private static JsonDocument? ParseOptional(string path) => File.Exists(path) ? Parse(path) : null;

    private static JsonDocument Parse(string path)
    {
        ReadOnlyMemory<byte> bytes = ReadBytes(path);
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(bytes);
        }
        catch (JsonException fault)
        {
            throw new TokenizerException($"{path}: this is not JSON ({fault.Message}) The file is damaged: download or save it again.", fault);
        }

        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            JsonValueKind kind = document.RootElement.ValueKind;
            document.Dispose();
            throw new TokenizerException($"{path}: the file holds a JSON {kind}, not an object. Download or save it again.");
        }

        return document;
    }

    private static byte[] ReadBytes(string path)
    {
        try
        {
            byte[] bytes = File.ReadAllBytes(path);
            return bytes.AsSpan().StartsWith("\uFEFF"u8) ? bytes[3..] : bytes;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new TokenizerException($"{path}: the file cannot be read: {fault.Message} Check the path and its permissions.", fault);
        }
    }
}
