using Limbeck.TestData;
using Limbeck.Tokenization;

namespace Limbeck.Tests.Tokenization;

public sealed class WordsTests
{
    private static readonly string[] Vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"];

    [Theory]
    [InlineData("", "")]
    [InlineData("  \t\n ", "")]
    [InlineData("Our friends won't buy this.", "our|friends|won|'|t|buy|this|.")]
    [InlineData("Café, NAÏVE!", "cafe|,|naive|!")]
    [InlineData("日本 x", "日|本|x")]
    [InlineData("a [MASK] b", "a|[MASK]|b")]
    [InlineData("$2.5", "$|2|.|5")]
    public void Words_are_normalised_and_cut_at_space_and_punctuation(string text, string expected) =>
        Assert.Equal(expected, string.Join('|', BertTokenizer.FromVocabulary(Vocabulary).Words(text)));

    [Fact]
    public void A_cased_tokenizer_keeps_capitals_and_accents() =>
        Assert.Equal(["Café", ",", "Naïve"], BertTokenizer.FromVocabulary(Vocabulary, new() { LowerCase = false }).Words("Café, Naïve"));

    [SkippableFact]
    public void Joined_by_spaces_they_encode_to_the_same_ids()
    {
        BertTokenizer tokenizer = BertTokenizer.FromDirectory(SharedData.Require("models", "all-MiniLM-L6-v2"));
        string folder = SharedData.Require("glue");
        foreach (string line in (string[])[.. File.ReadLines(Path.Combine(folder, "CoLA", "train.tsv")), .. File.ReadLines(Path.Combine(folder, "MRPC", "dev.tsv")), .. File.ReadLines(Path.Combine(folder, "AX", "diagnostic.tsv"))])
        {
            Assert.Equal(tokenizer.Tokenize(line), tokenizer.Tokenize(string.Join(' ', tokenizer.Words(line))));
        }
    }
}
