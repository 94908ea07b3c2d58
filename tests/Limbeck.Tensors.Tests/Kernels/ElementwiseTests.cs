using Limbeck.Tensors.Kernels;

namespace Limbeck.Tensors.Tests.Kernels;

public sealed unsafe class ElementwiseTests
{
    private const int Seed = 4711;

    // Each is one rounding of float32, AddScaled at most two (portable tier, not fused). Worst seen 6e-8.
    private const double Rounding = 1.2e-7;

    // Sums are in double precision: relative to the sum of magnitudes. Worst seen 4.4e-14 (squares).
    private const double SumRounding = 1e-13;

    public static IEnumerable<int> Lengths => Enumerable.Range(0, 258).Concat([1000, 16383, 16384, 16385, 70001]);

    [Fact]
    public void Arithmetic_matches_the_double_reference_for_every_length_and_in_place()
    {
        Random random = new(Seed);
        foreach (int n in Lengths)
        {
            using GuardedArray a = GuardedArray.Random(random, n);
            using GuardedArray b = GuardedArray.Random(random, n);
            using GuardedArray y = new(n);
            Elementwise.Add(a.Pointer, b.Pointer, y.Pointer, n, KernelCheck.One);
            Check(y, i => a[i] + (double)b[i], "add");
            Elementwise.Multiply(a.Pointer, b.Pointer, y.Pointer, n, KernelCheck.One);
            Check(y, i => a[i] * (double)b[i], "multiply");
            Elementwise.Fill(y.Pointer, 2.5f, n, KernelCheck.One);
            Check(y, _ => 2.5, "fill");
            Elementwise.AddTo(y.Pointer, a.Pointer, n, KernelCheck.One);
            Check(y, i => 2.5 + a[i], "add to");
            Elementwise.Copy(a.Pointer, y.Pointer, n, KernelCheck.One);
            Check(y, i => a[i], "copy");
            Elementwise.AddScaled(y.Pointer, b.Pointer, -3f, n, KernelCheck.One);
            Check(y, i => a[i] - (3.0 * b[i]), "add scaled", 8);
            Elementwise.Copy(b.Pointer, y.Pointer, n, KernelCheck.One);
            Elementwise.Scale(y.Pointer, 1.7f, n, KernelCheck.One);
            Check(y, i => 1.7f * (double)b[i], "scale");
            Elementwise.Add(y.Pointer, y.Pointer, y.Pointer, n, KernelCheck.One);
            Check(y, i => 3.4f * (double)b[i], "add in place", 2);
        }
    }

    [Fact]
    public void Sums_are_those_of_double_precision_for_every_length()
    {
        Random random = new(Seed);
        foreach (int n in Lengths)
        {
            using GuardedArray x = GuardedArray.Random(random, n, 1e3);
            KernelCheck.Close(x.Span.ToArray().Sum(v => (double)v), Elementwise.Sum(x.Pointer, n, KernelCheck.One), SumRounding * 1e3 * (n + 1), $"sum of {n}");
            double squares = x.Span.ToArray().Sum(v => (double)v * v);
            KernelCheck.Close(squares, Elementwise.SumOfSquares(x.Pointer, n, KernelCheck.One), SumRounding * squares, $"squares of {n}");
        }
    }

    [Fact]
    public void The_squares_of_the_largest_floats_do_not_overflow()
    {
        using GuardedArray x = new(100);
        x.Span.Fill(float.MaxValue);
        Assert.Equal(100.0 * float.MaxValue * float.MaxValue, Elementwise.SumOfSquares(x.Pointer, 100, KernelCheck.One), 1e-10 * 1e79);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void One_bad_number_is_found_wherever_it_is(float bad)
    {
        foreach (int n in (int[])[1, 7, 8, 9, 31, 100, 16384, 40001])
        {
            using GuardedArray x = new(n);
            x.Span.Fill(float.MaxValue);
            Assert.False(Elementwise.AnyNonFinite(x.Pointer, n, KernelCheck.One));
            for (int i = 0; i < n; i += Math.Max(1, n / 37))
            {
                x.Span[i] = bad;
                Assert.True(Elementwise.AnyNonFinite(x.Pointer, n, KernelCheck.One), $"element {i} of {n}");
                x.Span[i] = -1;
            }
        }

        Assert.False(Elementwise.AnyNonFinite(null, 0, KernelCheck.One));
    }

    [Fact]
    public void Any_number_of_threads_gives_the_same_bits()
    {
        const int N = 300_001;
        using GuardedArray x = GuardedArray.Random(new Random(Seed), N);
        KernelCheck.SameBitsOnAnyTeam(team =>
        {
            using GuardedArray y = new(x.Span);
            Elementwise.AddScaled(y.Pointer, x.Pointer, 0.3f, N, team);
            return [.. y.Span, .. BitConverter.GetBytes(Elementwise.Sum(x.Pointer, N, team)).Concat(BitConverter.GetBytes(Elementwise.SumOfSquares(x.Pointer, N, team))).Select(b => (float)b)];
        });
    }

    [Fact]
    public void Kernels_allocate_nothing()
    {
        using GuardedArray x = GuardedArray.Random(new Random(Seed), 40_000);
        Work(x);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Work(x);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        static void Work(GuardedArray x)
        {
            Elementwise.Scale(x.Pointer, 0.5f, x.Length, KernelCheck.One);
            Elementwise.SumOfSquares(x.Pointer, x.Length, KernelCheck.One);
            Activations.Forward(Activation.Gelu, x.Pointer, x.Pointer, x.Length, KernelCheck.One);
            Dropout.Forward(x.Pointer, x.Pointer, x.Length, 0.1f, 1, KernelCheck.One);
            RowSoftmax.Forward(40, 1000, x.Pointer, x.Pointer, KernelCheck.One);
            Losses.MeanSquaredError(x.Length, x.Pointer, x.Pointer, x.Pointer, 1, KernelCheck.One);
        }
    }

    private static void Check(GuardedArray y, Func<int, double> expected, string what, double roundings = 1)
    {
        for (int i = 0; i < y.Length; i++)
        {
            double wanted = expected(i);
            KernelCheck.Close(wanted, y[i], roundings * Rounding * Math.Max(1, Math.Abs(wanted)), $"{what}, element {i} of {y.Length}, seed {Seed}");
        }
    }
}
