using Limbeck.Training.Data;
using Limbeck.Training.Data.Corpus;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Tests.Data.Corpus;

public sealed class CorpusBatchesTests
{
    [Theory]
    [InlineData(1L << 26)]
    [InlineData(400)]
    public void Any_batch_can_be_had_at_once_whatever_was_read_before(long blockTokens)
    {
        using TinyCorpus corpus = new(documents: 120, seed: 1);
        CorpusBatches Make() => new(new CorpusSegments(corpus.Store, new SegmentOptions(SegmentKind.Pairs, 24), 9, 0, blockTokens), TinyWorld.Tokenizer, 8, 9);
        CorpusBatches whole = Make();
        for (int epoch = 0; epoch < 2; epoch++)
        {
            for (int i = 0; i < whole.BatchCount(epoch); i++)
            {
                TrainingBatch expected = whole.Batch(epoch, i);
                TrainingBatch resumed = Make().Batch(epoch, i);
                Assert.Equal(expected.Packed.Ids, resumed.Packed.Ids);
                Assert.Equal(expected.Packed.TypeIds, resumed.Packed.TypeIds);
                Assert.Equal(expected.Packed.Offsets, resumed.Packed.Offsets);
            }
        }

        Assert.Equal(whole.Fingerprint, Make().Fingerprint);
        Assert.Throws<ArgumentOutOfRangeException>(() => whole.Batch(0, whole.BatchCount(0)));
    }

    [Theory]
    [InlineData(1L << 26)]
    [InlineData(400)]
    public void An_epoch_has_every_sequence_once_without_padding_the_last_incomplete_batch_included(long blockTokens)
    {
        using TinyCorpus corpus = new(documents: 101, seed: 2);
        CorpusSegments segments = new(corpus.Store, new SegmentOptions(SegmentKind.Lines, 24), 9, 0, blockTokens);
        CorpusBatches batches = new(segments, TinyWorld.Tokenizer, 16, 9);
        List<TrainingBatch> all = [.. Enumerable.Range(0, batches.BatchCount(1)).Select(i => batches.Batch(1, i))];
        Assert.Equal(corpus.Store.SentenceCount, all.Sum(batch => batch.Packed.Sequences));
        Assert.Equal(corpus.Store.TokenCount + (2 * corpus.Store.SentenceCount), all.Sum(batch => batch.Packed.Tokens));
        Assert.Equal((corpus.Store.SentenceCount, all.Sum(batch => (long)batch.Packed.Tokens)), batches.Size(1));
        Assert.All(all, batch => Assert.InRange(batch.Packed.Sequences, 1, 16));

        // The reference leaves the incomplete batch out; so do we when asked.
        CorpusBatches dropping = new(segments, TinyWorld.Tokenizer, 16, 9, dropLast: true);
        Assert.All(Enumerable.Range(0, dropping.BatchCount(0)), i => Assert.Equal(16, dropping.Batch(0, i).Packed.Sequences));
        Assert.Equal(Enumerable.Range(0, segments.BlockCount).Sum(block => segments.Examples(0, block).Length / 16), dropping.BatchCount(0));
        Assert.Throws<DataException>(() => new CorpusBatches(segments, TinyWorld.Tokenizer, 100_000, 9, dropLast: true));
    }

    [Fact]
    public void Sequences_of_a_batch_are_of_similar_length()
    {
        using TinyCorpus corpus = new(documents: 400, seed: 3, longest: 20);
        CorpusBatches batches = new(new CorpusSegments(corpus.Store, new SegmentOptions(SegmentKind.Lines, 32), 9), TinyWorld.Tokenizer, 8, 9);
        double spread = Enumerable.Range(0, batches.BatchCount(0)).Select(i => batches.Batch(0, i).Packed).Average(packed =>
        {
            int[] lengths = [.. Enumerable.Range(0, packed.Sequences).Select(packed.LengthOf)];
            return lengths.Max() - lengths.Min();
        });
        Assert.True(spread < 2, $"lengths within a batch differ by {spread} on average");
    }

    [Fact]
    public void A_limit_of_tokens_becomes_the_update_in_which_it_is_reached()
    {
        using TinyCorpus corpus = new(documents: 60, seed: 4);
        CorpusBatches batches = new(new CorpusSegments(corpus.Store, new SegmentOptions(SegmentKind.Pairs, 24), 9), TinyWorld.Tokenizer, 4, 9);
        long tokens = 0;
        for (int i = 0; i < 9; i++)
        {
            tokens += batches.Batch(0, i).Packed.Tokens;
        }

        Assert.Equal(9, batches.StepsFor(tokens, 1, 3));
        Assert.Equal(10, batches.StepsFor(tokens + 1, 1, 3));
        Assert.Equal(3, batches.StepsFor(tokens, 4, 3));
        Assert.Equal(batches.BatchCount(0) + batches.BatchCount(1), batches.StepsFor(long.MaxValue, 1, 2));
    }
}
