using Limbeck.Tensors.Kernels;

namespace Limbeck.Tensors.Tests.Kernels;

public sealed unsafe class DropoutTests
{
    // Standard deviations. The tests draw 184 statistics from fixed keys; the largest seen is 3.45.
    private const double Sigmas = 4.5;

    [Theory]
    [InlineData(0f)]
    [InlineData(0.1f)]
    [InlineData(0.5f)]
    [InlineData(0.9f)]
    public void The_vector_mask_is_the_scalar_mask_for_every_length_and_in_place(float p)
    {
        uint key = DropoutMask.Key(42, 7, 3);
        foreach (int n in ElementwiseTests.Lengths)
        {
            using GuardedArray x = GuardedArray.Random(new Random(n), n);
            using GuardedArray y = new(n);
            using GuardedArray dx = new(x.Span);
            Dropout.Forward(x.Pointer, y.Pointer, n, p, key, KernelCheck.One);
            Dropout.Backward(dx.Pointer, dx.Pointer, n, p, key, KernelCheck.One);
            for (int i = 0; i < n; i++)
            {
                Assert.Equal(DropoutMask.Keeps(key, (uint)i, p) ? x[i] * DropoutMask.Scale(p) : 0f, y[i]);
            }

            Assert.Equal(y.Span, dx.Span);
        }
    }

    [Fact]
    public void A_dropped_infinity_is_zero()
    {
        using GuardedArray x = new(1000);
        x.Span.Fill(float.PositiveInfinity);
        Dropout.Forward(x.Pointer, x.Pointer, 1000, 0.5f, 9, KernelCheck.One);
        Assert.All(x.Span.ToArray(), value => Assert.True(value is 0f or float.PositiveInfinity));
    }

    [Theory]
    [InlineData(-0.1f)]
    [InlineData(1f)]
    [InlineData(float.NaN)]
    public void A_probability_out_of_range_is_refused(float p)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Dropout.Forward(null, null, 0, p, 1, KernelCheck.One));
    }

    [Fact]
    public void The_share_of_dropped_elements_is_the_probability()
    {
        const int N = 1 << 18;
        foreach (float p in (float[])[0.01f, 0.1f, 0.5f, 0.9f])
        {
            for (uint site = 0; site < 16; site++)
            {
                uint key = DropoutMask.Key(1, 2, site);
                int dropped = Enumerable.Range(0, N).Count(i => !DropoutMask.Keeps(key, (uint)i, p));
                double deviations = (dropped - (N * (double)p)) / Math.Sqrt(N * p * (1.0 - p));
                Assert.True(Math.Abs(deviations) < Sigmas, $"p {p}, site {site}: {deviations:f2} standard deviations");
            }
        }
    }

    [Fact]
    public void Elements_at_any_distance_are_independent()
    {
        // Distances of neighbours, of common row lengths and of powers of two; for keys far apart and next to each other.
        foreach (uint key in (uint[])[1, 2, 0x80000000, DropoutMask.Key(5, 5, 5)])
        {
            foreach (int distance in (int[])[1, 2, 3, 4, 8, 16, 26, 64, 128, 312, 384, 768, 1024, 1200, 3072, 4096, 65536, 1 << 20])
            {
                double deviations = Correlation(i => DropoutMask.Keeps(key, i, 0.5f), i => DropoutMask.Keeps(key, i + (uint)distance, 0.5f));
                Assert.True(Math.Abs(deviations) < Sigmas, $"key {key}, distance {distance}: {deviations:f2} standard deviations");
            }
        }
    }

    [Fact]
    public void Masks_of_different_keys_are_independent_even_when_shifted()
    {
        uint first = DropoutMask.Key(1, 1, 0);
        foreach (uint second in (uint[])[first + 1, first - 1, first ^ 0x80000000, first + 65536, DropoutMask.Key(1, 1, 1), DropoutMask.Key(1, 2, 0), DropoutMask.Key(2, 1, 0)])
        {
            foreach (uint shift in (uint[])[0, 1, 16, first - second, second - first])
            {
                double deviations = Correlation(i => DropoutMask.Keeps(first, i, 0.5f), i => DropoutMask.Keeps(second, i + shift, 0.5f));
                Assert.True(Math.Abs(deviations) < Sigmas, $"key {second}, shift {shift}: {deviations:f2} standard deviations");
            }
        }
    }

    [Fact]
    public void Hashes_fill_their_range_evenly()
    {
        // Chi-squared over the high 10 bits: 1023 degrees of freedom.
        const int N = 1 << 20;
        const int Bins = 1024;
        for (uint site = 0; site < 8; site++)
        {
            uint key = DropoutMask.Key(3, 0, site);
            int[] counts = new int[Bins];
            for (uint i = 0; i < N; i++)
            {
                counts[DropoutMask.Hash(key, i) >> 22]++;
            }

            double chi = counts.Sum(count => Math.Pow(count - (N / Bins), 2) / (N / Bins));
            double deviations = (chi - (Bins - 1)) / Math.Sqrt(2.0 * (Bins - 1));
            Assert.True(Math.Abs(deviations) < Sigmas, $"site {site}: {deviations:f2} standard deviations");
        }
    }

    [Fact]
    public void Runs_of_kept_elements_have_their_geometric_lengths()
    {
        const int N = 1 << 20;
        uint key = DropoutMask.Key(9, 9, 9);
        int[] runs = new int[6];
        int run = 0;
        int ended = 0;
        for (uint i = 0; i < N; i++)
        {
            if (DropoutMask.Keeps(key, i, 0.5f))
            {
                run++;
                continue;
            }

            runs[Math.Min(run, 5)]++;
            ended++;
            run = 0;
        }

        for (int length = 0; length < 5; length++)
        {
            double p = Math.Pow(0.5, length + 1);
            double deviations = (runs[length] - (ended * p)) / Math.Sqrt(ended * p * (1 - p));
            Assert.True(Math.Abs(deviations) < Sigmas, $"runs of {length}: {deviations:f2} standard deviations");
        }
    }

    [Fact]
    public void The_mask_is_the_same_on_every_machine()
    {
        // Pinned: a resumed run must draw what the interrupted one would have drawn.
        Assert.Equal(PinnedKey, DropoutMask.Key(1, 2, 3));
        Assert.Equal(PinnedHash, DropoutMask.Hash(0x12345678, 1000));
    }

    private const uint PinnedKey = 0x4F9B5A2E;
    private const uint PinnedHash = 0x6E070387;

    private static double Correlation(Func<uint, bool> a, Func<uint, bool> b)
    {
        const int N = 1 << 16;
        int same = 0;
        for (uint i = 0; i < N; i++)
        {
            same += a(i) == b(i) ? 1 : -1;
        }

        return same / Math.Sqrt(N);
    }
}
