using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Limbeck.TestData;
using Limbeck.Tokenization;

namespace Limbeck.Tests.Tokenization;

/// <summary>The tokenizer against what the reference library made of the same texts. Nothing is approximate.</summary>
public sealed class ReferenceTests
{
    private const int FailuresShown = 5;

    private static readonly Lazy<BertTokenizer> Shared = new(() => BertTokenizer.FromDirectory(ModelDirectory()));

    private static string ModelDirectory() => SharedData.Require("models", "all-MiniLM-L6-v2");

    private static BertTokenizer Tokenizer()
    {
        ModelDirectory();
        return Shared.Value;
    }

    private static IEnumerable<JsonElement> Lines(string file)
    {
        string path = SharedData.Require("golden", "tokenizer", file);
        foreach (string line in File.ReadLines(path))
        {
            using JsonDocument document = JsonDocument.Parse(line);
            yield return document.RootElement.Clone();
        }
    }

    private static int[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(n => n.GetInt32())];

    private static TokenOffset[] Spans(JsonElement array) => [.. array.EnumerateArray().Select(p => new TokenOffset(p[0].GetInt32(), p[1].GetInt32()))];

    private static int CodePoints(string text, int units)
    {
        int count = 0;
        for (int i = 0; i < units; i++)
        {
            count += char.IsLowSurrogate(text[i]) ? 0 : 1;
        }

        return count;
    }

    private static TokenOffset[] InCodePoints(Encoding encoding, string text, string? pair) =>
        [.. encoding.Offsets!.Select((o, i) => (o, t: encoding.TypeIds[i] == 0 ? text : pair!)).Select(x => new TokenOffset(CodePoints(x.t, x.o.Start), CodePoints(x.t, x.o.End)))];

    private static void Compare<T>(List<string> failures, string where, IEnumerable<T> expected, IEnumerable<T> got)
    {
        if (!expected.SequenceEqual(got))
        {
            failures.Add($"{where}: expected {string.Join(' ', expected)}, got {string.Join(' ', got)}");
        }
    }

    private static void Report(List<string> failures, int count)
    {
        Assert.True(count > 0, "the file has no cases");
        Assert.True(failures.Count == 0, $"{failures.Count} differences in {count} cases\n{string.Join('\n', failures.Take(FailuresShown))}");
    }

    [SkippableFact]
    public void Every_line_has_the_ids_types_tokens_offsets_and_decoded_text_of_the_reference()
    {
        BertTokenizer tokenizer = Tokenizer();
        List<string> failures = [];
        List<(string, string?)> batch = [];
        List<int[]> batchIds = [];
        int number = 0;
        foreach (JsonElement line in Lines("lines.jsonl"))
        {
            number++;
            string text = line.GetProperty("text").GetString()!;
            string? pair = line.GetProperty("pair").GetString();
            int? most = line.GetProperty("max_length").ValueKind == JsonValueKind.Null ? null : line.GetProperty("max_length").GetInt32();
            string where = $"line {number} ({line.GetProperty("group").GetString()})";

            Encoding encoding = tokenizer.Encode(text, pair, most, withOffsets: true);
            Compare(failures, where + " ids", Numbers(line.GetProperty("ids")), encoding.Ids);
            Compare(failures, where + " types", Numbers(line.GetProperty("type_ids")), encoding.TypeIds);
            Compare(failures, where + " tokens", line.GetProperty("tokens").EnumerateArray().Select(t => t.GetString()!), encoding.Ids.Select(tokenizer.IdToToken));
            Compare(failures, where + " UTF-16 offsets", Spans(line.GetProperty("offsets_utf16")), encoding.Offsets!);
            Compare(failures, where + " offsets", Spans(line.GetProperty("offsets")), InCodePoints(encoding, text, pair));
            Compare(failures, where + " decoded", [line.GetProperty("decoded").GetString()!], [tokenizer.Decode(encoding.Ids)]);
            Compare(failures, where + " without offsets", encoding.Ids, tokenizer.Encode(text, pair, most).Ids);
            int whole = tokenizer.Tokenize(text).Length + (pair is null ? 2 : tokenizer.Tokenize(pair).Length + 3);
            Compare(failures, where + " removed", [whole - encoding.Ids.Length], [encoding.RemovedTokens]);
            Compare(failures, where + " truncated", [whole > encoding.Ids.Length], [encoding.Truncated]);
            if (most is null)
            {
                batch.Add((text, pair));
                batchIds.Add(encoding.Ids);
            }
        }

        foreach (int threads in (int[])[0, 1, 3])
        {
            Encoding[] encodings = tokenizer.EncodeBatch(batch, null, threads: threads);
            for (int i = 0; i < batch.Count; i++)
            {
                Compare(failures, $"text {i} of a batch on {threads} threads", batchIds[i], encodings[i].Ids);
            }
        }

        Report(failures, number);
    }

    [SkippableFact]
    public void Every_setting_of_the_normaliser_gives_the_text_ids_and_offsets_of_the_reference()
    {
        string[] vocabulary = [.. Tokenizer().Vocabulary];
        Dictionary<BertTokenizerOptions, BertTokenizer> tokenizers = [];
        List<string> failures = [];
        int number = 0;
        foreach (JsonElement line in Lines("variants.jsonl"))
        {
            number++;
            BertTokenizerOptions options = new()
            {
                LowerCase = line.GetProperty("lowercase").GetBoolean(),
                StripAccents = line.GetProperty("strip_accents").ValueKind == JsonValueKind.Null ? null : line.GetProperty("strip_accents").GetBoolean(),
                HandleChineseChars = line.GetProperty("handle_chinese_chars").GetBoolean(),
                CleanText = line.GetProperty("clean_text").GetBoolean(),
            };
            if (!tokenizers.TryGetValue(options, out BertTokenizer? tokenizer))
            {
                tokenizers[options] = tokenizer = BertTokenizer.FromVocabulary(vocabulary, options);
            }

            string text = line.GetProperty("text").GetString()!;
            string where = $"line {number} ({options})";
            Encoding encoding = tokenizer.Encode(text, withOffsets: true);
            Compare(failures, where + " normalized", line.GetProperty("normalized").GetString()!.Select(c => (int)c), tokenizer.Normalize(text).Select(c => (int)c));
            Compare(failures, where + " ids", Numbers(line.GetProperty("ids")), encoding.Ids);
            Compare(failures, where + " tokens", line.GetProperty("tokens").EnumerateArray().Select(t => t.GetString()!), encoding.Ids.Select(tokenizer.IdToToken));
            Compare(failures, where + " UTF-16 offsets", Spans(line.GetProperty("offsets_utf16")), encoding.Offsets!);
            Compare(failures, where + " offsets", Spans(line.GetProperty("offsets")), InCodePoints(encoding, text, null));
        }

        Report(failures, number);
    }

    [SkippableFact]
    public void Every_sequence_of_ids_decodes_as_in_the_reference()
    {
        BertTokenizer tokenizer = Tokenizer();
        List<string> failures = [];
        int number = 0;
        foreach (JsonElement line in Lines("decode.jsonl"))
        {
            number++;
            int[] ids = Numbers(line.GetProperty("ids"));
            Compare(failures, $"line {number}", [line.GetProperty("decoded").GetString()!], [tokenizer.Decode(ids)]);
            Compare(failures, $"line {number} with special", [line.GetProperty("decoded_with_special").GetString()!], [tokenizer.Decode(ids, skipSpecialTokens: false)]);
        }

        Report(failures, number);
    }

    [SkippableTheory]
    [InlineData("clean_text_removes", (int)CharacterFlags.Removed)]
    [InlineData("clean_text_makes_space", (int)CharacterFlags.MadeSpace)]
    [InlineData("chinese", (int)CharacterFlags.Chinese)]
    [InlineData("strip_accents_removes", (int)CharacterFlags.Stripped)]
    [InlineData("splits_as_white_space", (int)CharacterFlags.WhiteSpace)]
    [InlineData("splits_as_punctuation", (int)CharacterFlags.Punctuation)]
    public void The_table_has_the_code_points_of_the_class(string name, int flag)
    {
        string path = SharedData.Require("golden", "tokenizer", "classes.json");
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
        HashSet<int> members = [];
        foreach (JsonElement range in document.RootElement.GetProperty(name).EnumerateArray())
        {
            members.UnionWith(Enumerable.Range(range[0].GetInt32(), range[1].GetInt32() - range[0].GetInt32() + 1));
        }

        for (int c = 0; c < 0x110000; c++)
        {
            bool member = ((int)CharacterClasses.Of(c) & flag) != 0;
            Assert.True(member == members.Contains(c), $"U+{c:X4} {(member ? "is" : "is not")} in the table's {name}");
        }
    }

    [SkippableFact]
    [Trait("Category", "Corpus")]
    public void Every_code_point_of_Unicode_has_the_ids_of_the_reference()
    {
        BertTokenizer tokenizer = Tokenizer();
        List<string> failures = [];
        int number = 0;
        foreach (JsonElement line in Lines("code_points.jsonl"))
        {
            number++;
            int first = line.GetProperty("first").GetInt32();
            int last = line.GetProperty("last").GetInt32();
            using HashOfIds hash = new();
            for (int c = first; c <= last; c++)
            {
                string text = char.ConvertFromUtf32(c);
                hash.Add(tokenizer.Tokenize(text));
                hash.Add(tokenizer.Tokenize("a" + text + "b"));
                hash.Add(tokenizer.Tokenize("x " + text + " y"));
            }

            Compare(failures, $"U+{first:X4}..U+{last:X4}", [line.GetProperty("sha256").GetString()!], [hash.Current()]);
        }

        Report(failures, number);
    }

    [SkippableFact]
    [Trait("Category", "Corpus")]
    public void Every_text_of_every_file_has_the_ids_of_the_reference()
    {
        BertTokenizer tokenizer = Tokenizer();
        List<string> failures = [];
        int number = 0;
        foreach (JsonElement line in Lines("files.jsonl"))
        {
            number++;
            string file = line.GetProperty("file").GetString()!;
            int[] columns = Numbers(line.GetProperty("columns"));
            string where = $"{file} column {string.Join(',', columns)}";
            Dictionary<int, string> checkpoints = line.GetProperty("checkpoints").EnumerateArray().ToDictionary(p => p[0].GetInt32(), p => p[1].GetString()!);
            using HashOfIds hash = new();
            int lines = 0;
            long tokens = 0;
            foreach (string row in RawLines(SharedData.Require([.. file.Split('/')])).Skip(line.GetProperty("header").GetBoolean() ? 1 : 0))
            {
                lines++;
                foreach (int column in columns)
                {
                    int[] ids = tokenizer.Tokenize(Column(row, column));
                    tokens += ids.Length;
                    hash.Add(ids);
                }

                if (checkpoints.TryGetValue(lines, out string? expected) && hash.Current() != expected)
                {
                    failures.Add($"{where}: the hash over the first {lines} texts differs");
                }
            }

            Compare(failures, where + " lines", [line.GetProperty("lines").GetInt32()], [lines]);
            Compare(failures, where + " tokens", [line.GetProperty("tokens").GetInt64()], [tokens]);
            Compare(failures, where + " hash", [line.GetProperty("sha256").GetString()!], [hash.Current()]);
        }

        Report(failures, number);
    }

    [SkippableFact]
    public void The_hash_of_ids_is_the_one_the_reference_describes()
    {
        BertTokenizer tokenizer = Tokenizer();
        using HashOfIds hash = new();
        foreach (string text in (string[])["hello world", "", "Café"])
        {
            hash.Add(tokenizer.Tokenize(text));
        }

        Assert.Equal("bb8730843ba26bd8bbac9949270e1ad9e82c75199005d3ad8f136c7a12932b6f", hash.Current());
    }

    [SkippableFact]
    public void A_directory_with_vocab_txt_alone_gives_the_same_tokenizer()
    {
        string model = ModelDirectory();
        using TemporaryDirectory directory = new();
        File.Copy(Path.Combine(model, "vocab.txt"), directory.File("vocab.txt"));
        BertTokenizer bare = BertTokenizer.FromDirectory(directory.Path);
        Assert.Equal(Tokenizer().Fingerprint, bare.Fingerprint);
        File.Copy(Path.Combine(model, "tokenizer_config.json"), directory.File("tokenizer_config.json"));
        File.Copy(Path.Combine(model, "special_tokens_map.json"), directory.File("special_tokens_map.json"));
        Assert.Equal(Tokenizer().Fingerprint, BertTokenizer.FromDirectory(directory.Path).Fingerprint);
        Assert.Equal(512, BertTokenizer.FromDirectory(directory.Path).ModelMaxLength);
        Assert.Equal(Tokenizer().Fingerprint, BertTokenizer.FromVocabularyFile(directory.File("vocab.txt")).Fingerprint);
    }

    [SkippableFact]
    public void What_is_saved_has_the_content_of_the_original_files()
    {
        string model = ModelDirectory();
        using TemporaryDirectory directory = new();
        Tokenizer().SaveTo(directory.Path);
        Assert.Equal(File.ReadAllText(Path.Combine(model, "vocab.txt")).TrimEnd('\n'), File.ReadAllText(directory.File("vocab.txt")).TrimEnd('\n'));

        using JsonDocument expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(model, "tokenizer.json")));
        using JsonDocument saved = JsonDocument.Parse(File.ReadAllBytes(directory.File("tokenizer.json")));
        foreach (JsonProperty property in expected.RootElement.EnumerateObject())
        {
            JsonElement got = saved.RootElement.GetProperty(property.Name);
            if (property.Name is "truncation" or "padding")
            {
                Assert.Equal(JsonValueKind.Null, got.ValueKind);
            }
            else
            {
                Assert.True(JsonElement.DeepEquals(property.Value, got), property.Name);
            }
        }

        BertTokenizer again = BertTokenizer.FromDirectory(directory.Path);
        Assert.Equal(Tokenizer().Fingerprint, again.Fingerprint);
        Assert.Equal(Tokenizer().ModelMaxLength, again.ModelMaxLength);
    }

    private static string Column(string row, int column)
    {
        // A file of one column is cut nowhere, whatever its texts hold.
        int start = 0;
        for (; column > 0; column--)
        {
            start = row.IndexOf('\t', start) + 1;
        }

        int end = row.IndexOf('\t', start);
        return end < 0 ? row[start..] : row[start..end];
    }

    private static IEnumerable<string> RawLines(string path)
    {
        string text = System.Text.Encoding.UTF8.GetString(File.ReadAllBytes(path));
        for (int start = 0; start < text.Length;)
        {
            int end = text.IndexOf('\n', start);
            end = end < 0 ? text.Length : end;
            yield return text[start..(end > start && text[end - 1] == '\r' ? end - 1 : end)];
            start = end + 1;
        }
    }

    private sealed class HashOfIds : IDisposable
    {
        private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private byte[] bytes = new byte[1024];

        public void Add(int[] ids)
        {
            int length = 4 * (ids.Length + 1);
            if (bytes.Length < length)
            {
                bytes = new byte[2 * length];
            }

            for (int i = 0; i < ids.Length; i++)
            {
                BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4 * i), ids[i]);
            }

            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(length - 4), -1);
            hash.AppendData(bytes, 0, length);
        }

        public string Current() => Convert.ToHexStringLower(hash.GetCurrentHash());

        public void Dispose() => hash.Dispose();
    }
}
