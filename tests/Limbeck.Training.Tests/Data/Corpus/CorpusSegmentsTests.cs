using Limbeck.Tensors;
using Limbeck.Training.Data;
using Limbeck.Training.Data.Corpus;

namespace Limbeck.Training.Tests.Data.Corpus;

public sealed class CorpusSegmentsTests
{
    private static readonly SegmentKind[] Kinds = [SegmentKind.Pairs, SegmentKind.Single, SegmentKind.Lines];

    [Theory]
    [InlineData(16, 0.0)]
    [InlineData(16, 0.5)]
    [InlineData(32, 0.1)]
    [InlineData(9, 1.0)]
    public void Pairs_are_those_of_the_authors_algorithm(int length, double shortShare)
    {
        using TinyCorpus corpus = new(documents: 60, seed: 7);
        SegmentOptions options = new(SegmentKind.Pairs, length, shortShare);
        const ulong Seed = 99;
        List<(int[] A, int[] B, bool IsRandomNext)> expected = [];
        ulong epochSeed = new SeededRandom(Seed ^ 0x7365676D656E7473UL, 2).NextUInt64();
        List<int[]>[] documents = corpus.Documents();
        long first = 0;
        for (int d = 0; d < documents.Length; d++)
        {
            expected.AddRange(Pregenerate(documents, d, length - 3, shortShare, new SeededRandom(epochSeed, (ulong)first)));
            first += documents[d].Count;
        }

        CorpusExample[] examples = new CorpusSegments(corpus.Store, options, Seed).Examples(2, 0);
        Assert.Equal(expected.Count, examples.Length);
        for (int i = 0; i < examples.Length; i++)
        {
            Assert.Equal(expected[i].A, corpus.Tokens(examples[i].First, examples[i].FirstLength));
            Assert.Equal(expected[i].B, corpus.Tokens(examples[i].Second, examples[i].SecondLength));
            Assert.Equal(expected[i].IsRandomNext, examples[i].IsRandomNext);
        }
    }

    [Fact]
    public void A_sequence_begins_with_CLS_has_two_SEP_fits_the_length_and_no_token_of_it_is_masked()
    {
        // The reference masks one token of every sequence even when the probability is 0.
        using TinyCorpus corpus = new(documents: 80, seed: 1);
        foreach (SegmentKind kind in Kinds)
        {
            CorpusSegments segments = new(corpus.Store, new SegmentOptions(kind, 20), 5);
            foreach (CorpusExample example in segments.Examples(0, 0))
            {
                int[] ids = new int[example.Length];
                int[] types = new int[example.Length];
                segments.Write(example, TinyWorld.Tokenizer.ClassId, TinyWorld.Tokenizer.SeparatorId, ids, types);
                Assert.InRange(ids.Length, 3, 20);
                Assert.Equal(TinyWorld.Tokenizer.ClassId, ids[0]);
                Assert.Equal(TinyWorld.Tokenizer.SeparatorId, ids[^1]);
                Assert.Equal(kind == SegmentKind.Pairs ? 2 : 1, ids.Count(id => id == TinyWorld.Tokenizer.SeparatorId));
                Assert.DoesNotContain(TinyWorld.Tokenizer.MaskId, ids);
                int firstEnd = Array.IndexOf(ids, TinyWorld.Tokenizer.SeparatorId) + 1;
                Assert.All(types[..firstEnd], type => Assert.Equal(0, type));
                Assert.All(types[firstEnd..], type => Assert.Equal(1, type));
                Assert.Equal(corpus.Tokens(example.First, example.FirstLength), ids[1..(firstEnd - 1)]);
                if (kind == SegmentKind.Pairs)
                {
                    Assert.Equal(corpus.Tokens(example.Second, example.SecondLength), ids[firstEnd..^1]);
                }
            }
        }
    }

    [Fact]
    public void A_random_next_segment_is_never_of_the_same_document_and_any_other_follows_its_first()
    {
        using TinyCorpus corpus = new(documents: 300, seed: 2);
        CorpusExample[] examples = new CorpusSegments(corpus.Store, new SegmentOptions(SegmentKind.Pairs, 24, 0), 3).Examples(0, 0);
        foreach (CorpusExample example in examples)
        {
            Assert.True(example.FirstLength > 0 && example.SecondLength > 0);
            Assert.Equal(corpus.DocumentOf(example.First), corpus.DocumentOf(example.First + example.FirstLength - 1));
            Assert.Equal(corpus.DocumentOf(example.Second), corpus.DocumentOf(example.Second + example.SecondLength - 1));
            Assert.Equal(example.IsRandomNext, corpus.DocumentOf(example.First) != corpus.DocumentOf(example.Second));
            Assert.True(example.IsRandomNext || example.Second >= example.First + example.FirstLength);
        }

        // Half of those with two sentences or more, and all with one.
        Assert.InRange(examples.Count(example => example.IsRandomNext) / (double)examples.Length, 0.5, 0.7);
    }

    [Fact]
    public void A_document_is_drawn_for_random_segments_as_often_as_it_has_sentences()
    {
        using TinyCorpus corpus = new(string.Join("\n\n", "good", string.Join('\n', Enumerable.Repeat("bad", 30)), string.Join('\n', Enumerable.Repeat("fine", 10)), "film\nfilm"));
        CorpusSegments segments = new(corpus.Store, new SegmentOptions(SegmentKind.Pairs, 8, 0), 11);
        int[] drawn = new int[4];
        for (int epoch = 0; epoch < 4000; epoch++)
        {
            // The first document's only sentence always has a random segment.
            drawn[corpus.DocumentOf(segments.Examples(epoch, 0)[0].Second)]++;
        }

        const double Slack = 0.03;
        Assert.Equal(0, drawn[0]);
        Assert.InRange(drawn[1] / 4000.0, (30.0 / 42) - Slack, (30.0 / 42) + Slack);
        Assert.InRange(drawn[2] / 4000.0, (10.0 / 42) - Slack, (10.0 / 42) + Slack);
    }

    [Fact]
    public void Sequences_are_a_function_of_seed_and_epoch_alone()
    {
        // The reference is unseeded, and goes through the same files again when there are fewer files than epochs.
        using TinyCorpus corpus = new(documents: 700, seed: 3);
        CorpusSegments Make(ulong seed, int threads) => new(corpus.Store, new SegmentOptions(SegmentKind.Pairs, 24), seed, threads);
        CorpusExample[] third = Make(1, 1).Examples(3, 0);
        CorpusSegments other = Make(1, 4);
        other.Examples(0, 0);
        Assert.Equal(third, other.Examples(3, 0));
        Assert.NotEqual(third, other.Examples(4, 0));
        Assert.NotEqual(third, Make(2, 1).Examples(3, 0));
        Assert.Equal(Make(1, 1).Fingerprint, other.Fingerprint);
        Assert.NotEqual(Make(2, 1).Fingerprint, other.Fingerprint);
    }

    [Theory]
    [InlineData(SegmentKind.Single)]
    [InlineData(SegmentKind.Lines)]
    public void Packed_sentences_and_lines_lose_nothing_of_the_corpus_long_paragraphs_included(SegmentKind kind)
    {
        using TinyCorpus corpus = new(documents: 50, seed: 4, longest: 90);
        CorpusExample[] examples = new CorpusSegments(corpus.Store, new SegmentOptions(kind, 20, 0.3), 3).Examples(0, 0);
        long at = 0;
        foreach (CorpusExample example in examples)
        {
            Assert.Equal(at, example.First);
            Assert.InRange(example.Length, 3, 20);
            at += example.FirstLength;
        }

        Assert.Equal(corpus.Store.TokenCount, at);
    }

    [Fact]
    public void A_paragraph_longer_than_a_sequence_becomes_pairs_of_its_pieces()
    {
        using TinyCorpus corpus = new(documents: 40, seed: 5, longest: 400);
        CorpusExample[] examples = new CorpusSegments(corpus.Store, new SegmentOptions(SegmentKind.Pairs, 32, 0), 3).Examples(0, 0);
        Assert.Contains(examples, example => !example.IsRandomNext && corpus.SentenceOf(example.First) == corpus.SentenceOf(example.Second));
        Assert.True(examples.Average(example => example.Length) > 28, "sequences are packed up to the length");
        Assert.All(examples, example => Assert.InRange(example.Length, 5, 32));

        // Of each sequence at most a piece or a sentence is cut off, so an epoch reads most of the corpus: 0.837 of it here.
        long read = examples.SelectMany(example => Enumerable.Range(0, example.FirstLength).Select(i => example.First + i)
            .Concat(example.IsRandomNext ? [] : Enumerable.Range(0, example.SecondLength).Select(i => example.Second + i))).Distinct().Count();
        Assert.True(read > 0.8 * corpus.Store.TokenCount, $"{read} of {corpus.Store.TokenCount} tokens are read");
    }

    [Fact]
    public void Single_documents_are_refused_for_pairs_only()
    {
        using TinyCorpus corpus = new("good film\nbad film");
        Assert.Contains("--segments single", Assert.Throws<DataException>(() => new CorpusSegments(corpus.Store, new SegmentOptions(), 1)).Message, StringComparison.Ordinal);
        Assert.Single(new CorpusSegments(corpus.Store, new SegmentOptions(SegmentKind.Single), 1).Examples(0, 0));
    }

    [Theory]
    [InlineData(SegmentKind.Pairs, 100)]
    [InlineData(SegmentKind.Single, 100)]
    [InlineData(SegmentKind.Lines, 1)]
    public void Blocks_part_a_large_corpus_without_loss_or_repetition(SegmentKind kind, long blockTokens)
    {
        using TinyCorpus corpus = new(documents: 60, seed: 6);
        SegmentOptions options = new(kind, 24, 0);
        CorpusSegments blocks = new(corpus.Store, options, 3, 1, blockTokens);
        CorpusExample[] parts = [.. Enumerable.Range(0, blocks.BlockCount).SelectMany(block => blocks.Examples(0, block))];
        Assert.True(blocks.BlockCount > 5);
        Assert.Equal(parts.Length, parts.Select(example => example.First).Distinct().Count());
        Assert.Equal(parts.OrderBy(example => example.First), parts);
        if (kind != SegmentKind.Pairs)
        {
            Assert.Equal(corpus.Store.TokenCount, parts.Sum(example => (long)example.FirstLength));
        }
        else
        {
            // Blocks end where documents do, so that the sequences are those of one block.
            Assert.Equal(new CorpusSegments(corpus.Store, options, 3).Examples(0, 0), parts);
        }
    }

    [Fact]
    public void A_document_larger_than_a_block_is_cut_at_a_sentence()
    {
        using TinyCorpus corpus = new(string.Join('\n', Enumerable.Repeat("the film was very good", 1000)));
        CorpusSegments blocks = new(corpus.Store, new SegmentOptions(SegmentKind.Single, 24, 0), 3, 1, 700);
        Assert.InRange(blocks.BlockCount, 5, 8);
        Assert.Equal(5000, Enumerable.Range(0, blocks.BlockCount).Sum(block => blocks.Examples(0, block).Sum(example => example.FirstLength)));
    }

    /// <summary>The authors' algorithm on lists of tokens, with the generator's draws in the same order. Sentences here are shorter than a sequence.</summary>
    private static List<(int[] A, int[] B, bool IsRandomNext)> Pregenerate(List<int[]>[] documents, int index, int most, double shortShare, SeededRandom random)
    {
        List<(int[], int[], bool)> instances = [];
        List<int[]> document = documents[index];
        int target = random.NextDouble() < shortShare ? 2 + random.NextInt(most - 1) : most;
        List<int[]> chunk = [];
        for (int i = 0; i < document.Count; i++)
        {
            chunk.Add(document[i]);
            if (i < document.Count - 1 && chunk.Sum(sentence => sentence.Length) < target)
            {
                continue;
            }

            int end = chunk.Count >= 2 ? 1 + random.NextInt(chunk.Count - 1) : 1;
            List<int> a = [.. chunk[..end].SelectMany(sentence => sentence)];
            List<int> b = [];
            bool isRandomNext = chunk.Count == 1 || random.NextDouble() < 0.5;
            if (isRandomNext)
            {
                (int Document, int Sentence)[] others = [.. documents.SelectMany((other, d) => d == index ? [] : Enumerable.Range(0, other.Count).Select(s => (d, s)))];
                (int chosen, int start) = others[(int)(random.NextDouble() * others.Length)];
                for (int j = start; j < documents[chosen].Count; j++)
                {
                    b.AddRange(documents[chosen][j]);
                    if (b.Count >= target - a.Count)
                    {
                        break;
                    }
                }

                i -= chunk.Count - end;
            }
            else
            {
                b.AddRange(chunk[end..].SelectMany(sentence => sentence));
            }

            while (a.Count + b.Count > most)
            {
                List<int> longer = a.Count > b.Count ? a : b;
                longer.RemoveAt(random.NextDouble() < 0.5 ? 0 : longer.Count - 1);
            }

            instances.Add(([.. a], [.. b], isRandomNext));
            chunk = [];
        }

        return instances;
    }
}
