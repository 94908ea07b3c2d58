using System.Text;
using Limbeck.Tokenization;
using Encoding = Limbeck.Tokenization.Encoding;

namespace Limbeck.Tests.Tokenization;

public sealed class TokenizerTests
{
    private const int Seed = 20240611;

    private static readonly string[] Words =
    [
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world", "un", "##aff", "##able", "##a", ",", "!", "'", "t", "a", "b", "##b", "中", "cafe", "i", "##s", "ß",
        "😀", "##😀", ".", "ᄒ", "##ᅡ", "##ᆫ",
    ];

    private static readonly BertTokenizer Small = BertTokenizer.FromVocabulary(Words);

    private static string[] Tokens(BertTokenizer tokenizer, string text) => [.. tokenizer.Tokenize(text).Select(tokenizer.IdToToken)];

    [Theory]
    [InlineData("", "")]
    [InlineData("hello world", "hello world")]
    [InlineData("  HELLO\tWorld\n", "hello world")]
    [InlineData("unaffable", "un ##aff ##able")]
    [InlineData("unaffablex", "[UNK]")]
    [InlineData("hello,world!", "hello , world !")]
    [InlineData("a中b", "a 中 b")]
    [InlineData("café cafe\u0301 CAFÉ", "cafe cafe cafe")]
    [InlineData("he\u0000l\u200Blo wor\u00ADld", "hello world")]
    [InlineData("hello\u0085", "hello")]
    [InlineData("a[SEP]b", "a [SEP] b")]
    [InlineData("[MASK]a", "[MASK] a")]
    [InlineData("[mask]", "[UNK] [UNK] [UNK]")]
    [InlineData("İ", "i")]
    [InlineData("ẞ", "ß")]
    [InlineData("a😀 😀", "a ##😀 😀")]
    [InlineData("한", "ᄒ ##ᅡ ##ᆫ")]
    public void A_text_is_cut_into_the_expected_tokens(string text, string expected) =>
        Assert.Equal(expected.Split(' ', StringSplitOptions.RemoveEmptyEntries), Tokens(Small, text));

    [Fact]
    public void Half_of_a_surrogate_pair_is_removed_as_the_replacement_character_is()
    {
        Assert.Equal(["hello"], Tokens(Small, "he\uD83Dllo"));
        Assert.Equal(["hello"], Tokens(Small, "he\uDE00llo"));
        Assert.Equal(["hello"], Tokens(Small, "hello\uD83D"));
        Assert.Equal([new TokenOffset(0, 6)], Small.Encode("he\uD83Dllo", withOffsets: true).Offsets![1..2]);
        Assert.Equal("a\uFFFDb", BertTokenizer.FromVocabulary(Words, new BertTokenizerOptions { CleanText = false }).Normalize("a\uD83Db"));
    }

    [Fact]
    public void Offsets_point_into_the_source_in_UTF_16_units()
    {
        string text = "\uFEFFhello, 😀 cafe\u0301 unaffable";
        Encoding encoding = Small.Encode(text, withOffsets: true);
        string[] sources = [.. encoding.Offsets!.Skip(1).SkipLast(1).Select(o => text[o.Start..o.End])];
        Assert.Equal(["hello", ",", "😀", "cafe", "un", "aff", "able"], sources);
        Assert.Equal(default, encoding.Offsets![0]);
        Assert.Equal(default, encoding.Offsets[^1]);
        Assert.Null(Small.Encode(text).Offsets);
    }

    [Fact]
    public void A_word_may_have_a_hundred_code_points_and_no_more()
    {
        string faces = string.Concat(Enumerable.Repeat("😀", 100));
        Assert.Equal(100, Small.Tokenize(faces).Length);
        Assert.Equal([Small.UnknownId], Small.Tokenize(faces + "😀"));
        Assert.Equal(100, Small.Tokenize("a" + new string('b', 99)).Length);
        Assert.Equal([Small.UnknownId], Small.Tokenize("a" + new string('b', 100)));
        Assert.Equal([Small.UnknownId], BertTokenizer.FromVocabulary(Words, new BertTokenizerOptions { MaxCharactersPerWord = 1 }).Tokenize("ab"));
    }

    [Theory]
    [InlineData(5, 2, 10, 5, 2)]
    [InlineData(5, 2, 9, 4, 2)]
    [InlineData(2, 5, 9, 2, 4)]
    [InlineData(5, 5, 8, 2, 3)]
    [InlineData(5, 5, 9, 3, 3)]
    [InlineData(6, 5, 8, 3, 2)]
    [InlineData(5, 6, 8, 2, 3)]
    [InlineData(1, 9, 4, 0, 1)]
    [InlineData(5, 5, 3, 0, 0)]
    [InlineData(0, 5, 5, 0, 2)]
    public void A_pair_is_cut_from_the_longer_text_and_evenly_when_both_are_long(int first, int second, int maxLength, int keptFirst, int keptSecond)
    {
        string a = string.Join(' ', Enumerable.Repeat("a", first));
        string b = string.Join(' ', Enumerable.Repeat("b", second));
        Encoding encoding = Small.Encode(a, b, maxLength);
        int idA = Small.TokenToId("a")!.Value;
        int idB = Small.TokenToId("b")!.Value;
        Assert.Equal([Small.ClassId, .. Enumerable.Repeat(idA, keptFirst), Small.SeparatorId, .. Enumerable.Repeat(idB, keptSecond), Small.SeparatorId], encoding.Ids);
        Assert.Equal([.. Enumerable.Repeat(0, keptFirst + 2), .. Enumerable.Repeat(1, keptSecond + 1)], encoding.TypeIds);
        Assert.Equal(first + second - keptFirst - keptSecond, encoding.RemovedTokens);
        Assert.Equal(encoding.RemovedTokens > 0, encoding.Truncated);
    }

    [Fact]
    public void An_empty_second_text_is_a_pair_and_null_is_none()
    {
        Assert.Equal([Small.ClassId, Small.SeparatorId, Small.SeparatorId], Small.Encode("", "").Ids);
        Assert.Equal([0, 0, 1], Small.Encode("", "").TypeIds);
        Assert.Equal([Small.ClassId, Small.SeparatorId], Small.Encode("", null).Ids);
    }

    [Fact]
    public void A_maximum_length_below_the_special_tokens_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Small.Encode("a", maxLength: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Small.Encode("a", "b", maxLength: 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => Small.EncodeBatch([("a", null), ("a", "b")], 2));
        Assert.Equal(2, Small.Encode("a", maxLength: 2).Ids.Length);
    }

    [Fact]
    public void A_batch_is_refused_before_work_begins_when_a_text_is_null()
    {
        ArgumentException fault = Assert.Throws<ArgumentException>(() => Small.EncodeBatch([("a", null), (null!, null)], null));
        Assert.Contains("Text 1", fault.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => Small.EncodeBatch([("a", null)], null, threads: -1));
        Assert.Empty(Small.EncodeBatch([], null));
    }

    [Fact]
    public void Random_texts_have_the_same_tokens_in_a_batch_on_any_number_of_threads_and_offsets_that_ascend()
    {
        Random random = new(Seed);
        string[] parts = ["hello", "un", "affable", " ", "\t", "é", "e\u0301", "\u0323", "中", "😀", "[SEP]", "[MASK", ",", "\u0000", "\uD83D", "\uFEFF", "İ", "한", "B", "'t", "豈"];
        (string, string?)[] texts =
        [
            .. Enumerable.Range(0, 2000).Select(_ => (
                string.Concat(Enumerable.Range(0, random.Next(20)).Select(_ => parts[random.Next(parts.Length)])),
                random.Next(2) == 0 ? null : string.Concat(Enumerable.Range(0, random.Next(20)).Select(_ => parts[random.Next(parts.Length)])))),
        ];
        Encoding[] one = Small.EncodeBatch(texts, 16, withOffsets: true, threads: 1);
        Encoding[] many = Small.EncodeBatch(texts, 16, withOffsets: true, threads: 4);
        for (int i = 0; i < texts.Length; i++)
        {
            Assert.True(one[i].Ids.SequenceEqual(many[i].Ids) && one[i].Offsets!.SequenceEqual(many[i].Offsets!), $"text {i}, seed {Seed}");
            for (int t = 0; t < one[i].Ids.Length; t++)
            {
                TokenOffset offset = one[i].Offsets![t];
                string source = one[i].TypeIds[t] == 0 ? texts[i].Item1 : texts[i].Item2!;
                Assert.True(offset.Start <= offset.End && offset.End <= source.Length, $"text {i} token {t}, seed {Seed}");
            }
        }
    }

    [Fact]
    public void A_text_of_ASCII_gives_the_same_tokens_as_the_way_through_normalised_text()
    {
        // A token that is looked for in normalised text sends every text the long way; it never occurs here.
        Random random = new(Seed);
        foreach (BertTokenizerOptions options in (BertTokenizerOptions[])[new(), new() { CleanText = false }, new() { LowerCase = false }])
        {
            BertTokenizer shortWay = BertTokenizer.FromVocabulary(Words, options);
            BertTokenizer longWay = TokenizerFilesTests.WithAddedToken(shortWay, "\"zzz\"", normalized: true);
            for (int round = 0; round < 3000; round++)
            {
                StringBuilder text = new();
                for (int i = random.Next(30); i > 0; i--)
                {
                    text.Append(random.Next(3) == 0 ? (char)random.Next(128) : random.Next(12) == 0 ? 'é' : "ab ,un"[random.Next(6)]);
                }

                Encoding quick = shortWay.Encode(text.ToString(), withOffsets: true);
                Encoding slow = longWay.Encode(text.ToString(), withOffsets: true);
                Assert.True(quick.Ids.SequenceEqual(slow.Ids) && quick.Offsets!.SequenceEqual(slow.Offsets!), $"round {round}, seed {Seed}, {options}");
            }
        }
    }

    [Fact]
    public void Long_runs_of_marks_are_put_in_canonical_order_like_short_ones()
    {
        // Marks outside the class that is stripped stay: U+1D165 (class 216), U+302E (224), U+1D16D (226).
        foreach (int length in (int[])[3, 10, 32, 33, 200])
        {
            string[] marks = ["\U0001D16D", "\u302E", "\U0001D165"];
            string text = "a" + string.Concat(Enumerable.Range(0, length).Select(i => marks[i % 3]));
            IEnumerable<string> expected = Enumerable.Range(0, length).Select(i => i % 3).OrderDescending().Select(i => marks[i]);
            Assert.Equal("a" + string.Concat(expected), Small.Normalize(text));
        }
    }

    [Fact]
    public void Lower_case_is_that_of_Unicode_17_and_U_0130_is_left_to_the_normaliser()
    {
        // The platform's table is some versions older; what it knows must agree.
        List<string> later = [];
        for (int c = 0; c < 0x110000; c++)
        {
            if (c is >= 0xD800 and < 0xE000)
            {
                continue;
            }

            int platform = Rune.ToLowerInvariant(new Rune(c)).Value;
            int ours = CharacterClasses.ToLower(c);
            Assert.Equal(ours != c || c == 0x130, (CharacterClasses.Of(c) & CharacterFlags.Cased) != 0);
            if (ours != platform)
            {
                Assert.True(platform == c, $"U+{c:X4}: {ours:X4}, the platform has {platform:X4}");
                later.Add($"{c:X4}");
            }
        }

        string[] known = ["A7CE", "A7D2", "A7D4", .. Enumerable.Range(0x16EA0, 25).Select(c => $"{c:X4}")];
        Assert.Equal(known, later);
        Assert.Equal("i\u0307", BertTokenizer.FromVocabulary(Words, new BertTokenizerOptions { StripAccents = false }).Normalize("\u0130"));
    }

    [Theory]
    [InlineData(0x00E9, "0065 0301")]
    [InlineData(0x1F82, "03B1 0313 0300 0345")]
    [InlineData(0xAC00, "1100 1161")]
    [InlineData(0xAC01, "1100 1161 11A8")]
    [InlineData(0xD7A3, "1112 1175 11C2")]
    [InlineData(0x212B, "0041 030A")]
    [InlineData(0xF900, "8C48")]
    [InlineData(0x2F800, "4E3D")]
    [InlineData(0x11938, "11938")]
    [InlineData(0x0041, "0041")]
    public void A_code_point_decomposes_as_in_Unicode_9(int codePoint, string expected)
    {
        Span<int> parts = stackalloc int[4];
        int count = CharacterClasses.Decompose(codePoint, parts);
        Assert.Equal(expected, string.Join(' ', parts[..count].ToArray().Select(c => $"{c:X4}")));
    }

    [Fact]
    public void Decoding_joins_continuations_and_takes_spaces_before_punctuation_away()
    {
        int[] ids = Small.Encode("hello, unaffable world!").Ids;
        Assert.Equal("hello, unaffable world!", Small.Decode(ids));
        Assert.Equal("[CLS] hello, unaffable world! [SEP]", Small.Decode(ids, skipSpecialTokens: false));
        Assert.Equal("##aff", Small.Decode([Small.TokenToId("##aff")!.Value]));
        Assert.Equal("hello world", Small.Decode([5, Small.UnknownId, 6]));
        Assert.Equal("", Small.Decode([]));
        Assert.Equal("hello , world", BertTokenizer.FromVocabulary(Words, new BertTokenizerOptions { CleanUpDecodedText = false }).Decode([5, 11, 6]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Small.Decode([Words.Length]));
    }

    [Fact]
    public void Ids_and_tokens_translate_both_ways()
    {
        Assert.Equal(Words.Length, Small.VocabularySize);
        for (int id = 0; id < Words.Length; id++)
        {
            Assert.Equal(Words[id], Small.IdToToken(id));
            Assert.Equal(id, Small.TokenToId(Words[id]));
        }

        Assert.Null(Small.TokenToId("absent"));
        Assert.Throws<ArgumentOutOfRangeException>(() => Small.IdToToken(-1));
        Assert.Equal((0, 1, 2, 3, 4), (Small.PadId, Small.UnknownId, Small.ClassId, Small.SeparatorId, Small.MaskId));
    }

    [Fact]
    public void A_vocabulary_without_its_special_tokens_is_refused_naming_all_that_are_missing()
    {
        TokenizerException fault = Assert.Throws<TokenizerException>(() => BertTokenizer.FromVocabulary(["[CLS]", "a"]));
        Assert.Contains("[UNK], [SEP]", fault.Message, StringComparison.Ordinal);
        BertTokenizer bare = BertTokenizer.FromVocabulary(["[UNK]", "[CLS]", "[SEP]", "a"]);
        Assert.Equal((-1, -1), (bare.PadId, bare.MaskId));
    }

    [Fact]
    public void A_vocabulary_with_a_token_twice_or_empty_or_broken_is_refused_naming_the_ids()
    {
        string[] special = ["[UNK]", "[CLS]", "[SEP]"];
        Assert.Contains("'a' is there twice, as id 3 and as id 5", Assert.Throws<TokenizerException>(() => BertTokenizer.FromVocabulary([.. special, "a", "b", "a"])).Message, StringComparison.Ordinal);
        Assert.Contains("id 3", Assert.Throws<TokenizerException>(() => BertTokenizer.FromVocabulary([.. special, ""])).Message, StringComparison.Ordinal);
        Assert.Contains("surrogate", Assert.Throws<TokenizerException>(() => BertTokenizer.FromVocabulary([.. special, "\uD83D"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Special_tokens_can_have_other_names_and_continuations_another_prefix()
    {
        BertTokenizer tokenizer = BertTokenizer.FromVocabulary(
            ["<u>", "<c>", "<s>", "un", "@@do"], new BertTokenizerOptions { UnknownToken = "<u>", ClassToken = "<c>", SeparatorToken = "<s>", ContinuationPrefix = "@@" });
        Assert.Equal([1, 3, 4, 2, 0, 2], tokenizer.Encode("undo<s>x").Ids);
        Assert.Equal("undo", tokenizer.Decode([1, 3, 4, 2]));
    }

    [Fact]
    public void Trimming_keeps_order_and_special_tokens_and_tells_the_old_ids()
    {
        BertTokenizer trimmed = Small.Trim([Small.TokenToId("##able")!.Value, Small.TokenToId("un")!.Value, Small.TokenToId("##aff")!.Value], out int[] newToOld);
        Assert.Equal(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##aff", "##able"], trimmed.Vocabulary);
        Assert.Equal([0, 1, 2, 3, 4, 7, 8, 9], newToOld);
        Assert.Equal(["un", "##aff", "##able", "[UNK]", "[MASK]"], Tokens(trimmed, "unaffable hello [MASK]"));
        Assert.Equal(Small.Options, trimmed.Options);
        Assert.Throws<ArgumentOutOfRangeException>(() => Small.Trim([Words.Length], out _));
    }

    [Fact]
    public void The_fingerprint_tells_vocabularies_and_options_apart()
    {
        Assert.Matches("^[0-9a-f]{64}$", Small.Fingerprint);
        Assert.Equal(Small.Fingerprint, BertTokenizer.FromVocabulary(Words).Fingerprint);
        Assert.Equal(Small.Fingerprint, BertTokenizer.FromVocabulary(Words, new BertTokenizerOptions { StripAccents = true }).Fingerprint);
        string[] others =
        [
            Small.Fingerprint,
            BertTokenizer.FromVocabulary([.. Words, "more"]).Fingerprint,
            BertTokenizer.FromVocabulary(Words, new BertTokenizerOptions { LowerCase = false }).Fingerprint,
            BertTokenizer.FromVocabulary(Words, new BertTokenizerOptions { CleanText = false }).Fingerprint,
            BertTokenizer.FromVocabulary(Words, new BertTokenizerOptions { MaxCharactersPerWord = 50 }).Fingerprint,
        ];
        Assert.Equal(others.Length, others.Distinct().Count());
    }
}
