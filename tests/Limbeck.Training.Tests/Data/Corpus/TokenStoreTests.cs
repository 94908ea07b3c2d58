using Limbeck.Tensors;
using Limbeck.TestData;
using Limbeck.Tokenization;
using Limbeck.Training.Data.Corpus;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Tests.Data.Corpus;

public sealed class TokenStoreTests
{
    private static readonly string[] Words = ["good", "bad", "fine", "poor", "film", "food", "the", "was", "very", "not", "and", "is", "unheard"];

    private static TokenStoreHeader OwnHeader => new(new string('a', 64), "{}", 2);

    [Fact]
    public void A_store_holds_what_the_tokenizer_makes_of_every_line()
    {
        using TemporaryFolder folder = new();
        string file = folder.Write("corpus.txt", "the film was good\nnot bad\n\n\u0000\nfine and poor\n\nvery\u0000\n");
        using TokenStore store = Open(folder, TinyWorld.Tokenizer, file);
        Assert.Equal((3, 4, 10), (store.DocumentCount, store.SentenceCount, store.TokenCount));
        string[] lines = ["the film was good", "not bad", "fine and poor", "very"];
        for (int i = 0; i < lines.Length; i++)
        {
            Assert.Equal(TinyWorld.Tokenizer.Tokenize(lines[i]), store.Sentence(i));
        }

        // The line without a token is left out, but the document that it begins begins all the same.
        Assert.Equal([0L, 2, 3, 4], Enumerable.Range(0, 4).Select(d => store.DocumentStart(d)));
        Assert.Equal([0L, 4, 6, 9, 10], Enumerable.Range(0, 5).Select(s => store.SentenceStart(s)));
        int[] across = new int[3];
        store.Copy(3, across);
        Assert.Equal(TinyWorld.Tokenizer.Tokenize("good not bad"), across);
        long[] counts = store.Counts(TinyWorld.Tokenizer.VocabularySize);
        Assert.Equal((10, 1, 0), (counts.Sum(), counts[TinyWorld.Tokenizer.TokenToId("film")!.Value], counts[TinyWorld.Tokenizer.TokenToId("is")!.Value]));
        Assert.Throws<ArgumentException>(() => store.Counts(8));
        Assert.Throws<ArgumentOutOfRangeException>(() => store.Sentence(4));
        Assert.Throws<ArgumentOutOfRangeException>(() => store.Copy(8, across));
        Assert.Throws<ArgumentOutOfRangeException>(() => store.DocumentStart(-1));
    }

    [Fact]
    public void A_second_call_reads_the_store_and_other_texts_or_tokenizers_have_another()
    {
        using TemporaryFolder folder = new();
        string file = folder.Write("corpus.txt", Text(40, 1));
        string copy = folder.Write("copy.txt", Text(40, 1));
        string other = folder.Write("other.txt", Text(40, 2));
        StringWriter messages = new();
        using TokenStore first = Open(folder, TinyWorld.Tokenizer, messages, file);
        Assert.Contains("MB", messages.ToString(), StringComparison.Ordinal);
        messages = new();
        using TokenStore second = Open(folder, TinyWorld.Tokenizer, messages, copy);
        Assert.Equal("", messages.ToString());
        Assert.Equal(first.Path, second.Path);
        using TokenStore third = Open(folder, TinyWorld.Tokenizer, other);
        using TokenStore fourth = Open(folder, TinyWorld.Tokenizer, file, other);
        using TokenStore fifth = Open(folder, BertTokenizer.FromVocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", .. Words]), file);
        Assert.Equal(4, new[] { first.Key, third.Key, fourth.Key, fifth.Key }.Distinct().Count());
        Assert.Equal(first.TokenCount + third.TokenCount, fourth.TokenCount);
    }

    [Fact]
    public void A_large_vocabulary_is_stored_in_four_bytes()
    {
        using TemporaryFolder folder = new();
        BertTokenizer tokenizer = BertTokenizer.FromVocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", .. Enumerable.Range(0, 70_000).Select(i => $"w{i}")]);
        using TokenStore store = Open(folder, tokenizer, folder.Write("corpus.txt", "w1 w69999\nw65600"));
        Assert.Equal([6, 70_004], store.Sentence(0));
        Assert.Equal([65_605], store.Sentence(1));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void The_bytes_do_not_depend_on_threads_or_blocks(int threads)
    {
        using TemporaryFolder folder = new();
        string file = folder.Write("corpus.txt", Text(500, 3));
        using TokenStore whole = Open(folder, TinyWorld.Tokenizer, file);
        byte[] blocks = Build(folder, file, "blocks", threads, 50, CancellationToken.None);
        Assert.Equal(File.ReadAllBytes(whole.Path)[new TokenStoreHeader(whole.Key, whole.Description, 2).Bytes..], blocks[OwnHeader.Bytes..]);
    }

    [Fact]
    public void An_interrupted_build_is_taken_up_where_it_stopped_and_gives_the_same_bytes()
    {
        using TemporaryFolder folder = new();
        string file = folder.Write("corpus.txt", Text(2000, 4));
        byte[] whole = Build(folder, file, "whole", 1, 400, CancellationToken.None);
        using CancellationTokenSource stop = new();
        CountingWriter messages = new(stop, 30);
        Assert.ThrowsAny<OperationCanceledException>(() => Build(folder, file, "broken", 1, 400, stop.Token, messages));
        string part = Path.Combine(folder.Path, "broken.tokens.part");
        string journal = Path.Combine(folder.Path, "broken.tokens.journal");
        Assert.True(File.Exists(part) && File.Exists(journal));
        byte[] partBytes = File.ReadAllBytes(part);
        byte[] journalBytes = File.ReadAllBytes(journal);
        StringWriter again = new();
        Assert.Equal(whole, Build(folder, file, "broken", 2, 400, CancellationToken.None, again));
        Assert.Contains("tokenizing goes on after", again.ToString(), StringComparison.Ordinal);

        // Killed within a write: the torn end is done again, what is whole is not.
        SeededRandom random = new(11);
        for (int i = 0; i < 20; i++)
        {
            int kept = random.NextInt(partBytes.Length);
            int noted = random.NextInt(journalBytes.Length);
            File.Delete(Path.Combine(folder.Path, "broken.tokens"));
            File.WriteAllBytes(part, i % 2 == 0 ? partBytes[..kept] : partBytes);
            File.WriteAllBytes(journal, i % 2 == 0 ? journalBytes : journalBytes[..noted]);
            Assert.Equal(whole, Build(folder, file, "broken", 1, 400, CancellationToken.None));
        }

        // Killed between the last write and the rename.
        File.Move(Path.Combine(folder.Path, "broken.tokens"), part);
        Assert.Equal(whole, Build(folder, file, "broken", 1, 400, CancellationToken.None));
    }

    [Fact]
    public async Task A_store_that_another_process_is_making_is_waited_for()
    {
        using TemporaryFolder folder = new();
        string file = folder.Write("corpus.txt", Text(40, 1));
        string path;
        using (TokenStore store = Open(folder, TinyWorld.Tokenizer, file))
        {
            path = store.Path;
        }

        File.Delete(path);
        StringWriter messages = new();
        FileLock other = FileLock.TryTake(path + ".lock")!;
        Task<TokenStore> waiting = Task.Run(() => TokenStore.OpenOrBuild(
            [file], TinyWorld.Tokenizer, folder.Path, new ProgressDisplay(messages, terminal: false)));
        Assert.NotSame(waiting, await Task.WhenAny(waiting, Task.Delay(200)));
        other.Dispose();
        using TokenStore made = await waiting;
        Assert.Contains("another process is tokenizing", messages.ToString(), StringComparison.Ordinal);
        Assert.True(made.TokenCount > 0);
        Assert.False(File.Exists(path + ".lock"));
    }

    [Fact]
    public void A_damaged_store_is_said_and_made_again()
    {
        using TemporaryFolder folder = new();
        string file = folder.Write("corpus.txt", Text(200, 5));
        string path;
        byte[] good;
        using (TokenStore store = Open(folder, TinyWorld.Tokenizer, file))
        {
            path = store.Path;
            good = File.ReadAllBytes(path);
        }

        foreach ((int at, string why) in ((int, string)[])[(0, "it is not a token store"), (8, "its format is"), (40, "its header is not what was written"), (good.Length - 9, "its tokens are not what was written")])
        {
            byte[] bad = [.. good];
            bad[at] ^= 0x55;
            File.WriteAllBytes(path, bad);
            File.Delete(path + ".ok");
            StringWriter messages = new();
            using TokenStore made = Open(folder, TinyWorld.Tokenizer, messages, file);
            Assert.Contains(why, messages.ToString(), StringComparison.Ordinal);
            Assert.Equal(good, File.ReadAllBytes(path));
        }

        File.WriteAllBytes(path, good[..^1]);
        using TokenStore last = Open(folder, TinyWorld.Tokenizer, file);
        Assert.Equal(good, File.ReadAllBytes(path));
    }

    [Fact]
    public void The_cache_lists_and_removes_stores_whole_or_not()
    {
        using TemporaryFolder folder = new();
        string file = folder.Write("corpus.txt", Text(2000, 6));
        using (Open(folder, TinyWorld.Tokenizer, file))
        {
        }

        using CancellationTokenSource stop = new();
        Assert.ThrowsAny<OperationCanceledException>(() => Build(folder, file, "broken", 1, 400, stop.Token, new CountingWriter(stop, 20)));
        CacheDirectory cache = new(folder.Path);
        Assert.Equal(2, cache.List().Count);
        CacheEntry whole = Assert.Single(cache.List(), entry => entry.Complete);
        Assert.Contains("corpus.txt", whole.Description, StringComparison.Ordinal);
        CacheEntry part = Assert.Single(cache.List(), entry => !entry.Complete);
        Assert.Equal("broken", part.Key);
        Assert.Equal(2, cache.Remove().Count);
        Assert.Equal(["corpus.txt"], Directory.GetFiles(folder.Path).Select(Path.GetFileName));
    }

    [SkippableFact]
    public void A_real_corpus_keeps_every_line_and_document()
    {
        string file = SharedData.Require("corpus", "general.txt");
        BertTokenizer tokenizer = BertTokenizer.FromDirectory(SharedData.Require("models", "all-MiniLM-L6-v2"));
        using TemporaryFolder folder = new();
        using TokenStore store = Open(folder, tokenizer, file);
        string[] lines = [.. File.ReadLines(file).Prepend("")];
        Assert.Equal(lines.Count(line => line.Trim().Length > 0), store.SentenceCount);
        Assert.Equal(lines.Zip(lines.Skip(1)).Count(pair => pair.First.Trim().Length == 0 && pair.Second.Trim().Length > 0), store.DocumentCount);
        long sentence = 0;
        foreach (CorpusLine line in new TextCorpus([file]).Lines().Take(5000))
        {
            Assert.Equal(tokenizer.Tokenize(line.Text), store.Sentence(sentence++));
        }
    }

    private static string Text(int lines, ulong seed)
    {
        SeededRandom random = new(seed);
        return string.Join('\n', Enumerable.Range(0, lines).Select(_ =>
            random.NextInt(7) == 0 ? "" : string.Join(' ', Enumerable.Range(0, 1 + random.NextInt(12)).Select(_ => Words[random.NextInt(Words.Length)]))));
    }

    private static TokenStore Open(TemporaryFolder folder, BertTokenizer tokenizer, params string[] files) => Open(folder, tokenizer, new StringWriter(), files);

    private static TokenStore Open(TemporaryFolder folder, BertTokenizer tokenizer, StringWriter messages, params string[] files) =>
        TokenStore.OpenOrBuild(files, tokenizer, folder.Path, new ProgressDisplay(messages, terminal: false));

    private static byte[] Build(TemporaryFolder folder, string file, string name, int threads, int blockCharacters, CancellationToken cancellation, StringWriter? messages = null)
    {
        string path = Path.Combine(folder.Path, name + ".tokens");
        TokenStoreBuilder.Build(
            new TextCorpus([file]), TinyWorld.Tokenizer, OwnHeader, path,
            new ProgressDisplay(messages ?? new StringWriter(), terminal: false, TimeSpan.Zero), threads, cancellation, blockCharacters);
        return File.ReadAllBytes(path);
    }

    /// <summary>Signals when some lines have been written.</summary>
    private sealed class CountingWriter(CancellationTokenSource stop, int lines) : StringWriter
    {
        private int written;

        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            if (++written == lines)
            {
                stop.Cancel();
            }
        }
    }
}
