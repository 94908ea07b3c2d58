using System.Text.Encodings.Web;
using System.Text.Json;

namespace Limbeck.Tokenization;

public sealed partial class BertTokenizer
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes <c>vocab.txt</c>, <c>tokenizer.json</c>, <c>tokenizer_config.json</c> and <c>special_tokens_map.json</c>, as Hugging Face's libraries read them.</summary>
    /// <param name="directory">Made if it is not there. Each file is written beside its place and then renamed, so that a broken run leaves the old file or the new one.</param>
    /// <exception cref="TokenizerException">A token holds a line break, which <c>vocab.txt</c> cannot have.</exception>
    public void SaveTo(string directory)
    {
        ArgumentNullException.ThrowIfNull(directory);

        // Tokens added after the last piece are not in vocab.txt: a reader would spell words with them.
        int lines = Array.LastIndexOf(definition.IsPiece, true) + 1;
        for (int id = 0; id < lines; id++)
        {
            if (vocabulary[id].Contains('\n', StringComparison.Ordinal) || vocabulary[id].EndsWith('\r'))
            {
                throw new TokenizerException($"{Path.Combine(directory, TokenizerReader.VocabularyFile)}: the token of id {id} holds a line break, which a vocab.txt cannot have. Trim the vocabulary without it.");
            }
        }

        Directory.CreateDirectory(directory);
        Replace(Path.Combine(directory, TokenizerReader.VocabularyFile), stream =>
        {
            using StreamWriter writer = new(stream, new System.Text.UTF8Encoding(false), leaveOpen: true) { NewLine = "\n" };
            for (int id = 0; id < lines; id++)
            {
                writer.WriteLine(vocabulary[id]);
            }
        });
        ReplaceJson(Path.Combine(directory, TokenizerReader.SpecialTokensFile), WriteNames);
        ReplaceJson(Path.Combine(directory, TokenizerReader.ConfigFile), WriteConfig);
        ReplaceJson(Path.Combine(directory, TokenizerReader.TokenizerFile), WriteTokenizer);
    }

    private void WriteNames(Utf8JsonWriter json)
    {
        json.WriteString("cls_token", Options.ClassToken);
        json.WriteString("mask_token", Options.MaskToken);
        json.WriteString("pad_token", Options.PadToken);
        json.WriteString("sep_token", Options.SeparatorToken);
        json.WriteString("unk_token", Options.UnknownToken);
    }

    private void WriteConfig(Utf8JsonWriter json)
    {
        json.WriteStartObject("added_tokens_decoder");
        foreach (AddedToken token in definition.Added.OrderBy(t => t.Id))
        {
            json.WriteStartObject(token.Id.ToString(System.Globalization.CultureInfo.InvariantCulture));
            json.WriteString("content", token.Content);
            json.WriteBoolean("lstrip", token.StripLeft);
            json.WriteBoolean("normalized", token.Normalized);
            json.WriteBoolean("rstrip", token.StripRight);
            json.WriteBoolean("single_word", token.SingleWord);
            json.WriteBoolean("special", token.Special);
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteBoolean("clean_up_tokenization_spaces", false);
        json.WriteString("cls_token", Options.ClassToken);
        json.WriteBoolean("do_lower_case", Options.LowerCase);
        json.WriteString("mask_token", Options.MaskToken);
        if (ModelMaxLength is int length)
        {
            json.WriteNumber("model_max_length", length);
        }

        json.WriteString("pad_token", Options.PadToken);
        json.WriteString("sep_token", Options.SeparatorToken);
        WriteFlag(json, "strip_accents", Options.StripAccents);
        json.WriteBoolean("tokenize_chinese_chars", Options.HandleChineseChars);
        json.WriteString("tokenizer_class", "BertTokenizer");
        json.WriteString("unk_token", Options.UnknownToken);
    }

    private void WriteTokenizer(Utf8JsonWriter json)
    {
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        json.WriteStartArray("added_tokens");
        foreach (AddedToken token in definition.Added.OrderBy(t => t.Id))
        {
            json.WriteStartObject();
            json.WriteNumber("id", token.Id);
            json.WriteString("content", token.Content);
            json.WriteBoolean("single_word", token.SingleWord);
            json.WriteBoolean("lstrip", token.StripLeft);
            json.WriteBoolean("rstrip", token.StripRight);
            json.WriteBoolean("normalized", token.Normalized);
            json.WriteBoolean("special", token.Special);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartObject("normalizer");
        json.WriteString("type", "BertNormalizer");
        json.WriteBoolean("clean_text", Options.CleanText);
        json.WriteBoolean("handle_chinese_chars", Options.HandleChineseChars);
        WriteFlag(json, "strip_accents", Options.StripAccents);
        json.WriteBoolean("lowercase", Options.LowerCase);
        json.WriteEndObject();
        json.WriteStartObject("pre_tokenizer");
        json.WriteString("type", "BertPreTokenizer");
        json.WriteEndObject();
        WriteTemplate(json);
        json.WriteStartObject("decoder");
        json.WriteString("type", "WordPiece");
        json.WriteString("prefix", Options.ContinuationPrefix);
        json.WriteBoolean("cleanup", Options.CleanUpDecodedText);
        json.WriteEndObject();
        json.WriteStartObject("model");
        json.WriteString("type", "WordPiece");
        json.WriteString("unk_token", Options.UnknownToken);
        json.WriteString("continuing_subword_prefix", Options.ContinuationPrefix);
        json.WriteNumber("max_input_chars_per_word", Options.MaxCharactersPerWord);
        json.WriteStartObject("vocab");
        for (int id = 0; id < vocabulary.Length; id++)
        {
            if (definition.IsPiece[id])
            {
                json.WriteNumber(vocabulary[id], id);
            }
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private void WriteTemplate(Utf8JsonWriter json)
    {
        (string Kind, string Id, int Type)[] parts =
        [
            ("SpecialToken", Options.ClassToken, 0), ("Sequence", "A", 0), ("SpecialToken", Options.SeparatorToken, 0),
            ("Sequence", "B", 1), ("SpecialToken", Options.SeparatorToken, 1),
        ];
        json.WriteStartObject("post_processor");
        json.WriteString("type", "TemplateProcessing");
        foreach ((string name, int count) in ((string, int)[])[("single", 3), ("pair", 5)])
        {
            json.WriteStartArray(name);
            foreach ((string kind, string id, int type) in parts.Take(count))
            {
                json.WriteStartObject();
                json.WriteStartObject(kind);
                json.WriteString("id", id);
                json.WriteNumber("type_id", type);
                json.WriteEndObject();
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        json.WriteStartObject("special_tokens");
        foreach ((string token, int id) in new[] { (Options.ClassToken, ClassId), (Options.SeparatorToken, SeparatorId) }.Distinct())
        {
            json.WriteStartObject(token);
            json.WriteString("id", token);
            json.WriteStartArray("ids");
            json.WriteNumberValue(id);
            json.WriteEndArray();
            json.WriteStartArray("tokens");
            json.WriteStringValue(token);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteFlag(Utf8JsonWriter json, string name, bool? value)
    {
        if (value is bool flag)
        {
            json.WriteBoolean(name, flag);
        }
        else
        {
            json.WriteNull(name);
        }
    }

    private static void ReplaceJson(string path, Action<Utf8JsonWriter> write) => Replace(path, stream =>
    {
        using Utf8JsonWriter json = new(stream, Indented);
        json.WriteStartObject();
        write(json);
        json.WriteEndObject();
    });

    private static void Replace(string path, Action<Stream> write)
    {
        string temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            using (FileStream stream = new(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }
}
