using System.Text.Json.Nodes;
using Limbeck.Tokenization;

namespace Limbeck.Tests.Tokenization;

public sealed class TokenizerFilesTests
{
    private static readonly string[] Words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world", "un", "##aff", "##able", "new", "york", "\"", "a", "##b"];

    private static readonly BertTokenizer Small = BertTokenizer.FromVocabulary(Words);

    /// <summary>The same tokenizer with one more token that is found in the text itself.</summary>
    internal static BertTokenizer WithAddedToken(
        BertTokenizer tokenizer, string content, bool special = false, bool singleWord = false, bool stripLeft = false, bool stripRight = false, bool normalized = false) =>
        Edited(tokenizer, root => root["added_tokens"]!.AsArray().Add(new JsonObject
        {
            ["id"] = tokenizer.VocabularySize,
            ["content"] = content,
            ["single_word"] = singleWord,
            ["lstrip"] = stripLeft,
            ["rstrip"] = stripRight,
            ["normalized"] = normalized,
            ["special"] = special,
        }));

    private static BertTokenizer Edited(BertTokenizer tokenizer, Action<JsonNode> edit)
    {
        using TemporaryDirectory directory = new();
        tokenizer.SaveTo(directory.Path);
        string path = directory.File("tokenizer.json");
        JsonNode root = JsonNode.Parse(File.ReadAllText(path))!;
        edit(root);
        File.WriteAllText(path, root.ToJsonString());
        return BertTokenizer.FromDirectory(directory.Path);
    }

    private static string Refusal(Action<JsonNode> edit) => Assert.Throws<TokenizerException>(() => Edited(Small, edit)).Message;

    private static string[] Tokens(BertTokenizer tokenizer, string text) => [.. tokenizer.Tokenize(text).Select(tokenizer.IdToToken)];

    [Fact]
    public void What_is_saved_is_read_back_the_same()
    {
        BertTokenizerOptions[] settings =
        [
            new(),
            new() { LowerCase = false, StripAccents = true, HandleChineseChars = false, CleanText = false, MaxCharactersPerWord = 7, CleanUpDecodedText = false },
            new() { ClassToken = "hello", SeparatorToken = "world", PadToken = "a", MaskToken = "new", UnknownToken = "york" },
        ];
        foreach (BertTokenizerOptions options in settings)
        {
            BertTokenizer tokenizer = BertTokenizer.FromVocabulary(Words, options);
            using TemporaryDirectory directory = new();
            tokenizer.SaveTo(directory.Path);
            tokenizer.SaveTo(directory.Path);
            Assert.Equal(["special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"], Directory.GetFiles(directory.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
            BertTokenizer again = BertTokenizer.FromDirectory(directory.Path);
            Assert.Equal(options, again.Options);
            Assert.Equal(tokenizer.Fingerprint, again.Fingerprint);
            Assert.Equal(string.Join('\n', Words) + "\n", File.ReadAllText(directory.File("vocab.txt")));
        }
    }

    [Fact]
    public void Without_tokenizer_json_the_configuration_beside_vocab_txt_counts()
    {
        using TemporaryDirectory directory = new();
        File.WriteAllText(directory.File("vocab.txt"), string.Join("\r\n", Words));
        Assert.Equal(Small.Fingerprint, BertTokenizer.FromDirectory(directory.Path).Fingerprint);

        File.WriteAllText(directory.File("tokenizer_config.json"), """
            {"do_lower_case": false, "strip_accents": true, "tokenize_chinese_chars": false, "model_max_length": 1000000000000000019884624838656, "tokenizer_class": "BertTokenizerFast",
             "additional_special_tokens": ["new"], "cls_token": {"content": "hello", "special": true}}
            """);
        File.WriteAllText(directory.File("special_tokens_map.json"), """{"cls_token": "world", "sep_token": "york"}""");
        File.WriteAllText(directory.File("added_tokens.json"), """{"<e>": 15}""");
        BertTokenizer tokenizer = BertTokenizer.FromDirectory(directory.Path);
        Assert.Equal(new BertTokenizerOptions { LowerCase = false, StripAccents = true, HandleChineseChars = false, ClassToken = "hello", SeparatorToken = "york" }, tokenizer.Options);
        Assert.Null(tokenizer.ModelMaxLength);
        Assert.Equal(16, tokenizer.VocabularySize);
        Assert.Equal([13, 15, 13, 10], tokenizer.Tokenize("a<e>anew"));
        Assert.Equal("a <e> a", tokenizer.Decode([13, 15, 13, 10]));
    }

    [Fact]
    public void Padding_and_truncation_of_tokenizer_json_are_not_used()
    {
        BertTokenizer tokenizer = Edited(Small, root =>
        {
            root["truncation"] = JsonNode.Parse("""{"max_length": 3, "strategy": "LongestFirst", "stride": 0}""");
            root["padding"] = JsonNode.Parse("""{"strategy": {"Fixed": 128}, "direction": "Right", "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}""");
        });
        Assert.Equal([2, 5, 6, 5, 3], tokenizer.Encode("hello world hello").Ids);
    }

    [Fact]
    public void The_older_form_of_the_template_is_read()
    {
        BertTokenizer tokenizer = Edited(Small, root => root["post_processor"] = JsonNode.Parse("""{"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}"""));
        Assert.Equal(Small.Fingerprint, tokenizer.Fingerprint);
    }

    [Fact]
    public void An_added_token_is_found_inside_words_and_is_no_piece()
    {
        BertTokenizer tokenizer = WithAddedToken(Small, "aff");
        Assert.Equal(["un", "aff", "[UNK]"], Tokens(tokenizer, "unaffable"));
        Assert.Equal(["un", "##aff", "##able"], Tokens(tokenizer, "unAffable"));
        Assert.Equal("un aff", tokenizer.Decode([7, 15]));
        BertTokenizer normalized = WithAddedToken(Small, "Äff", normalized: true);
        Assert.Equal(["un", "Äff", "[UNK]"], Tokens(normalized, "unAffable"));
        Assert.Equal([new TokenOffset(2, 6)], normalized.Encode("una\u0308ffable", withOffsets: true).Offsets![2..3]);
    }

    [Fact]
    public void An_added_token_may_want_to_stand_alone_and_may_swallow_spaces()
    {
        BertTokenizer alone = WithAddedToken(Small, "aff", singleWord: true);
        Assert.Equal(["un", "##aff", "##able"], Tokens(alone, "unaffable"));
        Assert.Equal(["un", "aff", "\"", "aff"], Tokens(alone, "un aff\"aff"));

        BertTokenizer strips = WithAddedToken(Small, "<e>", stripLeft: true, stripRight: true);
        Encoding encoding = strips.Encode("hello \t<e>  world", withOffsets: true);
        Assert.Equal([2, 5, 15, 6, 3], encoding.Ids);
        Assert.Equal(new TokenOffset(5, 12), encoding.Offsets![2]);
    }

    [Fact]
    public void The_longest_of_the_added_tokens_that_begin_together_is_taken()
    {
        BertTokenizer tokenizer = WithAddedToken(WithAddedToken(Small, "<e>"), "<e>x");
        Assert.Equal(["<e>x", "<e>", "hello"], Tokens(tokenizer, "<e>x<e>hello"));
    }

    [Fact]
    public void Added_tokens_survive_saving_and_trimming()
    {
        BertTokenizer tokenizer = WithAddedToken(WithAddedToken(Small, "<e>"), "<s>", special: true);
        using TemporaryDirectory directory = new();
        tokenizer.SaveTo(directory.Path);
        Assert.Equal(Words, File.ReadAllLines(directory.File("vocab.txt")));
        Assert.Equal(tokenizer.Fingerprint, BertTokenizer.FromDirectory(directory.Path).Fingerprint);
        File.Delete(directory.File("tokenizer.json"));
        Assert.Equal(tokenizer.Fingerprint, BertTokenizer.FromDirectory(directory.Path).Fingerprint);

        BertTokenizer trimmed = tokenizer.Trim([5], out int[] newToOld);
        Assert.Equal([0, 1, 2, 3, 4, 5, 16], newToOld);
        Assert.Equal([5, 6, 1, 1, 1], trimmed.Tokenize("hello<s><e>"));
        trimmed.SaveTo(directory.Path);
        Assert.Equal(trimmed.Fingerprint, BertTokenizer.FromDirectory(directory.Path).Fingerprint);
    }

    [Theory]
    [InlineData("model", """{"type": "BPE", "vocab": {}, "merges": []}""", "model is BPE")]
    [InlineData("model", """{"type": "Unigram", "vocab": []}""", "model is Unigram")]
    [InlineData("normalizer", """{"type": "NFC"}""", "normalizer is NFC")]
    [InlineData("normalizer", "null", "normalizer is absent")]
    [InlineData("pre_tokenizer", """{"type": "ByteLevel"}""", "pre_tokenizer is ByteLevel")]
    [InlineData("decoder", """{"type": "ByteLevel"}""", "decoder is ByteLevel")]
    [InlineData("decoder", """{"type": "WordPiece", "prefix": "@@"}""", "decoder.prefix is '@@'")]
    [InlineData("post_processor", """{"type": "RobertaProcessing"}""", "post_processor is RobertaProcessing")]
    [InlineData("post_processor", """{"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}], "pair": [], "special_tokens": {}}""", "'$A:0'")]
    public void A_part_that_is_not_BERTs_is_refused_by_name(string part, string value, string expected) =>
        Assert.Contains(expected, Refusal(root => root[part] = JsonNode.Parse(value)), StringComparison.Ordinal);

    [Fact]
    public void All_foreign_parts_are_named_at_once()
    {
        string message = Refusal(root =>
        {
            root["normalizer"] = null;
            root["pre_tokenizer"]!["type"] = "Metaspace";
            root["added_tokens"]!.AsArray().Add(JsonNode.Parse("""{"id": 5, "content": "<e>", "special": false}"""));
        });
        Assert.Contains("tokenizer.json", message, StringComparison.Ordinal);
        Assert.Contains("normalizer is absent", message, StringComparison.Ordinal);
        Assert.Contains("pre_tokenizer is Metaspace", message, StringComparison.Ordinal);
        Assert.Contains("the id 5 belongs to both 'hello' and '<e>'", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_hole_in_the_ids_is_refused_naming_it()
    {
        Assert.Contains("none has the id 6", Refusal(root => root["model"]!["vocab"]!.AsObject().Remove("world")), StringComparison.Ordinal);
        Assert.Contains("belongs to both", Refusal(root => root["model"]!["vocab"]!["world"] = 5), StringComparison.Ordinal);
        Assert.Contains("twice", Refusal(root => root["added_tokens"]![0]!["id"] = 77), StringComparison.Ordinal);
        Assert.Contains("negative", Refusal(root => root["model"]!["vocab"]!["world"] = -1), StringComparison.Ordinal);
        Assert.Contains("another type", Refusal(root => root["model"]!["vocab"]!["world"] = "six"), StringComparison.Ordinal);
        Assert.Contains("ids [9]", Refusal(root => root["post_processor"]!["special_tokens"]!["[SEP]"]!["ids"]![0] = 9), StringComparison.Ordinal);
    }

    [Fact]
    public void Files_that_are_missing_or_damaged_are_named()
    {
        using TemporaryDirectory directory = new();
        Assert.Contains("neither tokenizer.json nor vocab.txt", Assert.Throws<TokenizerException>(() => BertTokenizer.FromDirectory(directory.Path)).Message, StringComparison.Ordinal);
        Assert.Contains("absent.txt", Assert.Throws<TokenizerException>(() => BertTokenizer.FromVocabularyFile(directory.File("absent.txt"))).Message, StringComparison.Ordinal);

        File.WriteAllText(directory.File("tokenizer.json"), "{\"model\": ");
        Assert.Contains("tokenizer.json: this is not JSON", Assert.Throws<TokenizerException>(() => BertTokenizer.FromDirectory(directory.Path)).Message, StringComparison.Ordinal);
        File.WriteAllText(directory.File("tokenizer.json"), "[]");
        Assert.Contains("not an object", Assert.Throws<TokenizerException>(() => BertTokenizer.FromDirectory(directory.Path)).Message, StringComparison.Ordinal);

        File.WriteAllText(directory.File("vocab.txt"), "");
        Assert.Contains("vocab.txt: the file is empty", Assert.Throws<TokenizerException>(() => BertTokenizer.FromVocabularyFile(directory.File("vocab.txt"))).Message, StringComparison.Ordinal);
        File.WriteAllBytes(directory.File("vocab.txt"), [0xFF, 0xFE, 0x41]);
        Assert.Contains("not UTF-8", Assert.Throws<TokenizerException>(() => BertTokenizer.FromVocabularyFile(directory.File("vocab.txt"))).Message, StringComparison.Ordinal);
        File.WriteAllText(directory.File("vocab.txt"), "[UNK]\n[CLS]\n\n[SEP]\n");
        Assert.Contains("line 3", Assert.Throws<TokenizerException>(() => BertTokenizer.FromVocabularyFile(directory.File("vocab.txt"))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"tokenizer_class": "RobertaTokenizer"}""", "RobertaTokenizer")]
    [InlineData("""{"do_basic_tokenize": false}""", "do_basic_tokenize")]
    [InlineData("""{"do_lower_case": "yes"}""", "another type")]
    public void A_configuration_of_another_tokenizer_is_refused(string config, string expected)
    {
        using TemporaryDirectory directory = new();
        File.WriteAllLines(directory.File("vocab.txt"), Words);
        File.WriteAllText(directory.File("tokenizer_config.json"), config);
        Assert.Contains(expected, Assert.Throws<TokenizerException>(() => BertTokenizer.FromDirectory(directory.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_token_with_a_line_break_cannot_be_saved_to_vocab_txt()
    {
        using TemporaryDirectory directory = new();
        BertTokenizer tokenizer = BertTokenizer.FromVocabulary([.. Words, "x\ny"]);
        Assert.Contains("line break", Assert.Throws<TokenizerException>(() => tokenizer.SaveTo(directory.Path)).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(directory.Path));
    }
}
