using Xunit.Abstractions;

namespace Limbeck.Tensors.Tests;

/// <summary>The generator: its published sequence, its distributions, its state.</summary>
public class SeededRandomTests(ITestOutputHelper output)
{
    [Fact]
    public void The_sequence_is_that_of_xoshiro256_starstar()
    {
        // State 1, 2, 3, 4: by hand from the published algorithm, rotl(s1 * 5, 7) * 9.
        var random = new SeededRandom(0) { State = [1, 2, 3, 4] };
        Assert.Equal(11520UL, random.NextUInt64());
        Assert.Equal(0UL, random.NextUInt64());
        Assert.Equal(1509978240UL, random.NextUInt64());
        Assert.Equal(1215971899390074240UL, random.NextUInt64());
    }

    [Fact]
    public void A_saved_state_continues_the_sequence()
    {
        var random = new SeededRandom(3, 1);
        _ = random.Gaussian();
        ulong[] state = random.State;
        double[] next = [random.Gaussian(), random.NextDouble(), random.NextInt(1000)];
        var resumed = new SeededRandom(99) { State = state };
        double[] got = [resumed.Gaussian(), resumed.NextDouble(), resumed.NextInt(1000)];
        Assert.Equal(next, got);
        Assert.Throws<ArgumentException>(() => resumed.State = [0, 0, 0, 0]);
        Assert.Throws<ArgumentException>(() => resumed.State = [1]);
    }

    [Fact]
    public void Seeds_and_streams_give_different_sequences()
    {
        ulong[] first = [new SeededRandom(0).NextUInt64(), new SeededRandom(1).NextUInt64(), new SeededRandom(0, 1).NextUInt64(), new SeededRandom(1, 1).NextUInt64()];
        Assert.Equal(4, first.Distinct().Count());
    }

    [Fact]
    public void Integers_below_a_bound_are_equally_likely()
    {
        var random = new SeededRandom(17);
        int[] counts = new int[7];
        for (int i = 0; i < 70_000; i++)
        {
            counts[random.NextInt(7)]++;
        }

        // Six deviations of a binomial count: sqrt(70000 * 1/7 * 6/7) = 93.
        Assert.All(counts, c => Assert.InRange(c, 10_000 - 560, 10_000 + 560));
        Assert.Equal(0, random.NextInt(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => random.NextInt(0));
    }

    [Fact]
    public void Every_order_of_three_is_equally_likely()
    {
        var random = new SeededRandom(23);
        var counts = new Dictionary<string, int>();
        for (int i = 0; i < 60_000; i++)
        {
            char[] items = ['a', 'b', 'c'];
            random.Shuffle(items.AsSpan());
            string order = new(items);
            counts[order] = counts.GetValueOrDefault(order) + 1;
        }

        Assert.Equal(6, counts.Count);
        Assert.All(counts.Values, c => Assert.InRange(c, 10_000 - 550, 10_000 + 550));
    }

    [Fact]
    public void Gaussian_draws_have_the_moments_and_tails_of_the_normal_distribution()
    {
        var random = new SeededRandom(29);
        float[] draws = new float[200_000];
        random.FillGaussian(draws, 0.02);
        double[] z = draws.Select(d => d / 0.02).ToArray();
        Assert.Equal(0, z.Average(), 0.015);
        Assert.Equal(1, z.Average(v => v * v), 0.02);
        Assert.Equal(3, z.Average(v => v * v * v * v), 0.15);
        Assert.Equal(0.0455, z.Count(v => Math.Abs(v) > 2) / 200_000.0, 0.003);
    }

    [Fact]
    public void The_logarithm_of_our_own_is_right_to_the_last_bits()
    {
        // Worst seen: 2.6e-16 of the larger of the value and 1.
        const double tolerance = 1e-15;
        double worst = 0;
        var random = new SeededRandom(31);
        for (int i = 0; i < 100_000; i++)
        {
            double x = random.NextDouble() + 1e-300;
            worst = Math.Max(worst, Math.Abs(Math.Log(x) - SeededRandom.Log(x)) / Math.Max(1, Math.Abs(Math.Log(x))));
        }

        Assert.True(worst <= tolerance, $"worst error {worst:E2}");
        output.WriteLine($"worst error {worst:E2}");
    }
}
