using Limbeck.Tensors;
using Limbeck.Training.Data.Corpus;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Tests.Data.Corpus;

/// <summary>A token store of a few random documents.</summary>
internal sealed class TinyCorpus : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public TinyCorpus(string text)
    {
        Store = TokenStore.OpenOrBuild([folder.Write("corpus.txt", text)], TinyWorld.Tokenizer, folder.Path, new ProgressDisplay(new StringWriter(), terminal: false));
    }

    public TinyCorpus(int documents, ulong seed, int longest = 6)
        : this(Text(documents, seed, longest))
    {
    }

    public TokenStore Store { get; }

    /// <summary>Documents of 1 to 12 lines of up to some words.</summary>
    public static string Text(int documents, ulong seed, int longest = 6)
    {
        string[] words = ["good", "bad", "fine", "poor", "film", "food", "the", "was", "very", "not", "and", "is"];
        SeededRandom random = new(seed);
        return string.Join("\n\n", Enumerable.Range(0, documents).Select(_ =>
            string.Join('\n', Enumerable.Range(0, 1 + random.NextInt(12)).Select(_ =>
                string.Join(' ', Enumerable.Range(0, 1 + random.NextInt(longest)).Select(_ => words[random.NextInt(words.Length)]))))));
    }

    public List<int[]>[] Documents() =>
        [.. Enumerable.Range(0, (int)Store.DocumentCount).Select(d => Enumerable.Range((int)Store.DocumentStart(d), (int)(Store.DocumentStart(d + 1) - Store.DocumentStart(d))).Select(s => Store.Sentence(s)).ToList())];

    public int[] Tokens(long first, int count)
    {
        int[] ids = new int[count];
        Store.Copy(first, ids);
        return ids;
    }

    public int SentenceOf(long token) => Enumerable.Range(0, (int)Store.SentenceCount).Last(s => Store.SentenceStart(s) <= token);

    public int DocumentOf(long token)
    {
        int sentence = SentenceOf(token);
        return Enumerable.Range(0, (int)Store.DocumentCount).Last(d => Store.DocumentStart(d) <= sentence);
    }

    public void Dispose()
    {
        Store.Dispose();
        folder.Dispose();
    }
}
