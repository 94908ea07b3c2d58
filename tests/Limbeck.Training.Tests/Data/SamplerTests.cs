using Limbeck.Tensors;
using Limbeck.Training.Data;

namespace Limbeck.Training.Tests.Data;

/// <summary>Batches: every row once, the same for the same seed and epoch, of similar length.</summary>
public class SamplerTests
{
    [Theory]
    [InlineData(1, 32)]
    [InlineData(31, 32)]
    [InlineData(32, 32)]
    [InlineData(33, 32)]
    [InlineData(1000, 7)]
    [InlineData(10_007, 32)]
    [InlineData(5000, 1)]
    public void Every_epoch_has_every_row_once(int rows, int batchSize)
    {
        var sampler = new LengthBucketedSampler(Lengths(rows), batchSize, 42);
        for (int epoch = 0; epoch < 3; epoch++)
        {
            int[][] batches = sampler.Batches(epoch);
            Assert.Equal(sampler.BatchesPerEpoch, batches.Length);
            Assert.Equal(Enumerable.Range(0, rows), batches.SelectMany(b => b).Order());
            Assert.All(batches[..^1], b => Assert.Equal(batchSize, b.Length));
        }
    }

    [Fact]
    public void The_last_incomplete_batch_can_be_dropped_and_other_rows_miss_each_epoch()
    {
        var sampler = new LengthBucketedSampler(Lengths(100), 32, 1, dropLast: true);
        Assert.Equal(3, sampler.BatchesPerEpoch);
        int[] first = sampler.Batches(0).SelectMany(b => b).Order().ToArray();
        int[] second = sampler.Batches(1).SelectMany(b => b).Order().ToArray();
        Assert.Equal(96, first.Distinct().Count());
        Assert.NotEqual(first, second);
        Assert.Throws<ArgumentException>(() => new LengthBucketedSampler(Lengths(10), 32, 1, dropLast: true));
    }

    [Fact]
    public void An_epochs_batches_depend_on_seed_and_epoch_alone()
    {
        int[] lengths = Lengths(3000);
        var a = new LengthBucketedSampler(lengths, 32, 5);
        var b = new LengthBucketedSampler(lengths, 32, 5);
        _ = b.Batches(0);
        Assert.Equal(a.Batches(4), b.Batches(4));
        Assert.NotEqual(a.Batches(4), a.Batches(5));
        Assert.NotEqual(a.Batches(4), new LengthBucketedSampler(lengths, 32, 6).Batches(4));
    }

    [Fact]
    public void Rows_of_a_batch_are_of_similar_length_and_batches_in_random_order()
    {
        int[] lengths = Lengths(20_000);
        double Spread(int window) => new LengthBucketedSampler(lengths, 32, 3, windowBatches: window)
            .Batches(0).Average(b => b.Max(i => lengths[i]) - b.Min(i => lengths[i]));
        Assert.True(Spread(64) < Spread(1) / 8, $"{Spread(64)} against {Spread(1)}");

        double[] order = new LengthBucketedSampler(lengths, 32, 3).Batches(0).Select(b => b.Average(i => lengths[i])).ToArray();
        int rises = Enumerable.Range(1, order.Length - 1).Count(i => order[i] > order[i - 1]);
        Assert.InRange(rises, 0.4 * order.Length, 0.6 * order.Length);
    }

    [Fact]
    public void Sequential_batches_keep_the_order_and_the_last_rows()
    {
        Assert.Equal([[0, 1, 2], [3, 4, 5], [6]], SequentialBatches.Of(7, 3));
        Assert.Empty(SequentialBatches.Of(0, 3));
    }

    private static int[] Lengths(int rows)
    {
        var random = new SeededRandom(11);
        return Enumerable.Range(0, rows).Select(_ => 3 + random.NextInt(126)).ToArray();
    }
}
