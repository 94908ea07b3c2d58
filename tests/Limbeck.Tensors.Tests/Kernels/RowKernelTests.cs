using Limbeck.Tensors.Kernels;

namespace Limbeck.Tensors.Tests.Kernels;

/// <summary>Softmax, column sums and the embedding sum.</summary>
public sealed unsafe class RowKernelTests
{
    private const int Seed = 2024;

    // Relative to the probability; the difference from the maximum is rounded too, which its size multiplies. Worst seen 0.93 of 6e-7 + 6.1e-8 * difference.
    private const double SoftmaxError = 1e-6;
    private const double DifferenceError = 6.1e-8;

    // Relative to the largest log-probability. Worst seen 1.2e-7.
    private const double LogSoftmaxError = 5e-7;

    // Relative to the sum of magnitudes. Worst seen 3.2e-7.
    private const double SumError = 1e-6;

    [Fact]
    public void Softmax_and_its_logarithm_match_the_double_reference_for_every_length_and_in_place()
    {
        Random random = new(Seed);
        foreach (int columns in Enumerable.Range(1, 257).Concat([1000, 30522]))
        {
            const int Rows = 3;
            using GuardedArray x = GuardedArray.Random(random, Rows * columns, 5);
            using GuardedArray y = new(x.Length);
            using GuardedArray log = new(x.Length);
            RowSoftmax.Forward(Rows, columns, x.Pointer, y.Pointer, KernelCheck.One);
            RowSoftmax.LogSoftmax(Rows, columns, x.Pointer, log.Pointer, KernelCheck.One);
            for (int r = 0; r < Rows; r++)
            {
                double[] row = [.. x.Span.Slice(r * columns, columns).ToArray().Select(v => (double)v)];
                double logSum = row.Max() + Math.Log(row.Sum(v => Math.Exp(v - row.Max())));
                for (int c = 0; c < columns; c++)
                {
                    double exact = Math.Exp(row[c] - logSum);
                    KernelCheck.Close(exact, y[(r * columns) + c], (SoftmaxError + (DifferenceError * (row.Max() - row[c]))) * exact, $"softmax {r},{c} of {columns}, seed {Seed}");
                    KernelCheck.Close(row[c] - logSum, log[(r * columns) + c], LogSoftmaxError * Math.Max(1, Math.Abs(row.Min() - logSum)), $"log {r},{c} of {columns}");
                }
            }

            using GuardedArray copy = new(x.Span);
            RowSoftmax.LogSoftmax(Rows, columns, copy.Pointer, copy.Pointer, KernelCheck.One);
            Assert.Equal(log.Span, copy.Span);
            RowSoftmax.Forward(Rows, columns, x.Pointer, x.Pointer, KernelCheck.One);
            Assert.Equal(y.Span, x.Span);
        }
    }

    [Theory]
    [InlineData(90f)]
    [InlineData(10_000f)]
    [InlineData(-10_000f)]
    [InlineData(3e38f)]
    public void Softmax_of_large_scores_stays_finite(float score)
    {
        using GuardedArray x = new([score, score, float.NegativeInfinity, score]);
        RowSoftmax.Forward(1, 4, x.Pointer, x.Pointer, KernelCheck.One);
        Assert.Equal([1 / 3f, 1 / 3f, 0f, 1 / 3f], x.Span.ToArray());
    }

    [Fact]
    public void A_NaN_makes_its_own_row_NaN_and_no_other()
    {
        for (int at = 0; at < 40; at++)
        {
            using GuardedArray x = GuardedArray.Random(new Random(Seed), 80);
            x.Span[at] = float.NaN;
            RowSoftmax.Forward(2, 40, x.Pointer, x.Pointer, KernelCheck.One);
            Assert.All(x.Span[..40].ToArray(), value => Assert.True(float.IsNaN(value)));
            Assert.All(x.Span[40..].ToArray(), value => Assert.True(float.IsFinite(value)));
        }
    }

    [Fact]
    public void Column_sums_match_the_double_reference_for_every_width()
    {
        Random random = new(Seed);
        foreach (int columns in Enumerable.Range(0, 258))
        {
            foreach (int rows in (int[])[0, 1, 5, 64, 131])
            {
                int ld = columns + 3;
                using GuardedArray x = GuardedArray.Random(random, rows * ld);
                using GuardedArray y = GuardedArray.Random(random, rows * ld);
                using GuardedArray sums = new(columns);
                using GuardedArray products = new(columns);
                sums.Span.Fill(1);
                products.Span.Fill(-1);
                ColumnSums.Accumulate(rows, columns, x.Pointer, ld, sums.Pointer, KernelCheck.One);
                ColumnSums.AccumulateProducts(rows, columns, x.Pointer, y.Pointer, ld, products.Pointer, KernelCheck.One);
                for (int c = 0; c < columns; c++)
                {
                    int[] column = [.. Enumerable.Range(0, rows).Select(r => (r * ld) + c)];
                    KernelCheck.Close(1 + column.Sum(i => (double)x[i]), sums[c], SumError * (1 + column.Sum(i => Math.Abs(x[i]))), $"sum {c} of {rows} x {columns}");
                    KernelCheck.Close(
                        -1 + column.Sum(i => (double)x[i] * y[i]), products[c], SumError * (1 + column.Sum(i => Math.Abs(x[i] * y[i]))), $"product {c} of {rows} x {columns}");
                }
            }
        }
    }

    [Fact]
    public void A_long_column_of_equal_numbers_is_summed_without_drift()
    {
        // 1e6 times 0.1: adding one by one in float32 gives 100958. Worst seen 5.6e-7 of the sum.
        const int Rows = 1_000_000;
        using GuardedArray x = new(Rows);
        using GuardedArray sum = new([0f]);
        x.Span.Fill(0.1f);
        ColumnSums.Accumulate(Rows, 1, x.Pointer, 1, sum.Pointer, KernelCheck.One);
        KernelCheck.Close(Rows * (double)0.1f, sum[0], 2e-6 * Rows * 0.1, "sum");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(64)]
    [InlineData(312)]
    public void The_embedding_sum_adds_three_rows_and_its_backward_pass_scatters(int hidden)
    {
        const int Tokens = 53;
        const int Words = 11;
        Random random = new(Seed);
        int[] ids = [.. Enumerable.Range(0, Tokens).Select(_ => random.Next(Words))];
        int[] types = [.. Enumerable.Range(0, Tokens).Select(_ => random.Next(2))];
        int[] positions = [.. Enumerable.Range(0, Tokens).Select(t => t % 20)];
        using GuardedArray word = GuardedArray.Random(random, Words * hidden);
        using GuardedArray type = GuardedArray.Random(random, 2 * hidden);
        using GuardedArray position = GuardedArray.Random(random, 20 * hidden);
        using GuardedArray y = new(Tokens * hidden);
        using GuardedArray dy = GuardedArray.Random(random, Tokens * hidden);
        using GuardedArray dWord = new(word.Length);
        using GuardedArray dType = new(type.Length);
        using GuardedArray dPosition = new(position.Length);
        dWord.Span.Clear();
        dType.Span.Clear();
        dPosition.Span.Clear();
        fixed (int* i = ids, t = types, p = positions)
        {
            EmbeddingSum.Forward(Tokens, hidden, i, t, p, word.Pointer, type.Pointer, position.Pointer, y.Pointer, KernelCheck.One);
            EmbeddingSum.Backward(Tokens, hidden, i, t, p, dy.Pointer, dWord.Pointer, dType.Pointer, dPosition.Pointer, 4, KernelCheck.One);
            EmbeddingSum.Backward(Tokens, hidden, i, t, p, dy.Pointer, null, null, null, -1, KernelCheck.One);
        }

        double[] wanted = new double[Words * hidden];
        double[] wantedType = new double[2 * hidden];
        double[] wantedPosition = new double[20 * hidden];
        for (int token = 0; token < Tokens; token++)
        {
            for (int c = 0; c < hidden; c++)
            {
                int at = (token * hidden) + c;
                Assert.Equal(word[(ids[token] * hidden) + c] + type[(types[token] * hidden) + c] + position[(positions[token] * hidden) + c], y[at]);
                wanted[(ids[token] * hidden) + c] += ids[token] == 4 ? 0 : dy[at];
                wantedType[(types[token] * hidden) + c] += dy[at];
                wantedPosition[(positions[token] * hidden) + c] += dy[at];
            }
        }

        Check(wanted, dWord);
        Check(wantedType, dType);
        Check(wantedPosition, dPosition);

        static void Check(double[] expected, GuardedArray actual)
        {
            for (int j = 0; j < expected.Length; j++)
            {
                KernelCheck.Close(expected[j], actual[j], SumError * 50, $"element {j}");
            }
        }
    }

    [Fact]
    public void Any_number_of_threads_gives_the_same_bits()
    {
        const int Rows = 500;
        const int Columns = 312;
        using GuardedArray x = GuardedArray.Random(new Random(Seed), Rows * Columns);
        int[] ids = [.. Enumerable.Range(0, Rows).Select(r => r * r % 17)];
        KernelCheck.SameBitsOnAnyTeam(team =>
        {
            using GuardedArray y = new(x.Length);
            using GuardedArray sums = new(Columns);
            using GuardedArray words = new(17 * Columns);
            sums.Span.Clear();
            words.Span.Clear();
            RowSoftmax.Forward(Rows, Columns, x.Pointer, y.Pointer, team);
            ColumnSums.Accumulate(Rows, Columns, x.Pointer, Columns, sums.Pointer, team);
            fixed (int* i = ids)
            {
                EmbeddingSum.Backward(Rows, Columns, i, i, i, x.Pointer, words.Pointer, null, null, -1, team);
            }

            return [.. y.Span, .. sums.Span, .. words.Span];
        });
    }
}
