using System.Text.Json;

namespace Limbeck.Tokenization;

/// <summary>Reads one <c>tokenizer.json</c> and notes every part of it that is not BERT's.</summary>
/// <param name="path">The file, for messages.</param>
/// <param name="root">Its root object.</param>
internal sealed class TokenizerFileReader(string path, JsonElement root)
{
    private readonly VocabularyBuilder builder = new(path);

    // One part of a template: a text ("A", "B") or a special token, with the type it gives.
    private readonly record struct Part(bool IsText, string Id, int Type)
    {
        public override string ToString() => $"{(IsText ? "$" : "")}{Id}:{Type}";
    }

    /// <summary>Reads it.</summary>
    /// <param name="padToken">Name of the padding token, which this file does not tell.</param>
    /// <param name="maskToken">Name of the masking token, which this file does not tell.</param>
    /// <param name="modelMaxLength">The longest input, or null.</param>
    /// <exception cref="TokenizerException">Something is not BERT's WordPiece; the message names it all.</exception>
    public TokenizerDefinition Read(string padToken, string maskToken, int? modelMaxLength)
    {
        BertTokenizerOptions options = new() { PadToken = padToken, MaskToken = maskToken };
        options = ReadModel(options);
        ReadAddedTokens();
        options = ReadNormalizer(options);
        RequireType("pre_tokenizer", "BertPreTokenizer", out _);
        options = ReadTemplate(options);
        options = ReadDecoder(options);
        return builder.Build(options, modelMaxLength);
    }

    private BertTokenizerOptions ReadModel(BertTokenizerOptions options)
    {
        if (!RequireType("model", "WordPiece", out JsonElement model))
        {
            return options;
        }

        if (!model.TryGetProperty("vocab", out JsonElement vocabulary) || vocabulary.ValueKind != JsonValueKind.Object)
        {
            builder.Fault("model.vocab is not an object of tokens and ids");
            return options;
        }

        foreach (JsonProperty token in vocabulary.EnumerateObject())
        {
            builder.AddPiece(token.Name, token.Value.GetInt32());
        }

        return options with
        {
            UnknownToken = TextOf(model, "unk_token") ?? options.UnknownToken,
            ContinuationPrefix = TextOf(model, "continuing_subword_prefix") ?? options.ContinuationPrefix,
            MaxCharactersPerWord = model.TryGetProperty("max_input_chars_per_word", out JsonElement most) ? most.GetInt32() : options.MaxCharactersPerWord,
        };
    }

    private void ReadAddedTokens()
    {
        if (root.TryGetProperty("added_tokens", out JsonElement tokens) && tokens.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement token in tokens.EnumerateArray())
            {
                builder.AddToken(TokenizerReader.ReadAddedToken(token, token.GetProperty("id").GetInt32()));
            }
        }
    }

    private BertTokenizerOptions ReadNormalizer(BertTokenizerOptions options) => !RequireType("normalizer", "BertNormalizer", out JsonElement normalizer) ? options : options with
    {
        CleanText = TokenizerReader.FlagOf(normalizer, "clean_text") ?? true,
        HandleChineseChars = TokenizerReader.FlagOf(normalizer, "handle_chinese_chars") ?? true,
        StripAccents = TokenizerReader.FlagOf(normalizer, "strip_accents"),
        LowerCase = TokenizerReader.FlagOf(normalizer, "lowercase") ?? true,
    };

    private BertTokenizerOptions ReadTemplate(BertTokenizerOptions options)
    {
        if (TypeOf("post_processor", out JsonElement processor) == "BertProcessing")
        {
            return options with { ClassToken = NamedToken(processor, "cls"), SeparatorToken = NamedToken(processor, "sep") };
        }

        if (!RequireType("post_processor", "TemplateProcessing", out processor))
        {
            return options;
        }

        List<Part> single = Template(processor, "single");
        List<Part> pair = Template(processor, "pair");
        Part first = single.FirstOrDefault();
        Part last = single.LastOrDefault();
        Part[] expected = [new(false, first.Id, 0), new(true, "A", 0), new(false, last.Id, 0), new(true, "B", 1), new(false, last.Id, 1)];
        if (!single.SequenceEqual(expected.Take(3)) || !pair.SequenceEqual(expected))
        {
            builder.Fault($"post_processor's templates are '{string.Join(' ', single)}' and '{string.Join(' ', pair)}', BERT's are '[CLS]:0 $A:0 [SEP]:0' and '[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1'");
            return options;
        }

        JsonElement special = processor.GetProperty("special_tokens");
        return options with { ClassToken = TemplateToken(special, first.Id), SeparatorToken = TemplateToken(special, last.Id) };
    }

    private BertTokenizerOptions ReadDecoder(BertTokenizerOptions options)
    {
        if (!RequireType("decoder", "WordPiece", out JsonElement decoder))
        {
            return options;
        }

        string prefix = TextOf(decoder, "prefix") ?? options.ContinuationPrefix;
        if (prefix != options.ContinuationPrefix)
        {
            builder.Fault($"decoder.prefix is '{prefix}' but model.continuing_subword_prefix is '{options.ContinuationPrefix}'");
        }

        return options with { CleanUpDecodedText = TokenizerReader.FlagOf(decoder, "cleanup") ?? true };
    }

    private static List<Part> Template(JsonElement processor, string name)
    {
        List<Part> parts = [];
        if (processor.TryGetProperty(name, out JsonElement template) && template.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonProperty part in template.EnumerateArray().SelectMany(p => p.EnumerateObject()))
            {
                parts.Add(new Part(part.Name == "Sequence", part.Value.GetProperty("id").GetString() ?? "", part.Value.GetProperty("type_id").GetInt32()));
            }
        }

        return parts;
    }

    private string TemplateToken(JsonElement special, string name)
    {
        JsonElement ids = special.GetProperty(name).GetProperty("ids");
        string token = name;
        if (special.GetProperty(name).TryGetProperty("tokens", out JsonElement tokens) && tokens.GetArrayLength() == 1)
        {
            token = tokens[0].GetString() ?? name;
        }

        if (ids.GetArrayLength() != 1 || ids[0].GetInt32() != builder.IdOf(token))
        {
            builder.Fault($"post_processor gives '{name}' the ids {ids.GetRawText()} but the vocabulary has it as {builder.IdOf(token)?.ToString() ?? "nothing"}");
        }

        return token;
    }

    private string NamedToken(JsonElement processor, string name)
    {
        JsonElement pair = processor.GetProperty(name);
        string token = pair[0].GetString() ?? "";
        if (pair[1].GetInt32() != builder.IdOf(token))
        {
            builder.Fault($"post_processor gives '{token}' the id {pair[1].GetInt32()} but the vocabulary has it as {builder.IdOf(token)?.ToString() ?? "nothing"}");
        }

        return token;
    }

    private bool RequireType(string part, string expected, out JsonElement element)
    {
        string type = TypeOf(part, out element);
        if (type == expected)
        {
            return true;
        }

        builder.Fault($"{part} is {type}, not {expected}");
        return false;
    }

    private string TypeOf(string part, out JsonElement element)
    {
        if (!root.TryGetProperty(part, out element) || element.ValueKind != JsonValueKind.Object)
        {
            return "absent";
        }

        return TextOf(element, "type") ?? (part == "model" && element.TryGetProperty("continuing_subword_prefix", out _) ? "WordPiece" : "without a type");
    }

    private static string? TextOf(JsonElement element, string name) =>
        element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value.GetString() : null;
}
