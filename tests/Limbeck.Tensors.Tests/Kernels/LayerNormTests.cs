using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Tests.Kernels;

public sealed unsafe class LayerNormTests
{
    private const int Seed = 99;
    private const float Epsilon = 1e-12f;

    // Of numbers of magnitude 1 to 4. Worst seen: forward 3.6e-6, backward 2.7e-6.
    private const double ForwardError = 6e-6;
    private const double BackwardError = 1e-5;

    [Theory]
    [InlineData(0f, false)]
    [InlineData(0f, true)]
    [InlineData(0.3f, false)]
    [InlineData(0.3f, true)]
    public void Forward_and_backward_match_the_double_reference_for_every_length(float dropout, bool withResidual)
    {
        foreach (int columns in Enumerable.Range(2, 256).Concat([312, 768, 1024, 3001]))
        {
            Compare(new Case(3, columns, dropout, withResidual), KernelCheck.One);
        }
    }

    [Fact]
    public void A_row_far_from_zero_keeps_its_digits()
    {
        // Mean 10000, deviation 1: the input's own rounding (5e-4) is exact in the reference, which starts from the floats. Worst seen 7e-7.
        const double Allowed = 2e-5;
        const int Columns = 768;
        Random random = new(Seed);
        using GuardedArray x = GuardedArray.Random(random, Columns);
        for (int c = 0; c < Columns; c++)
        {
            x.Span[c] += 10_000;
        }

        using GuardedArray gamma = new(Columns);
        using GuardedArray beta = new(Columns);
        gamma.Span.Fill(1);
        beta.Span.Clear();
        double mean = x.Span.ToArray().Average(v => (double)v);
        double deviation = Math.Sqrt(x.Span.ToArray().Average(v => Math.Pow(v - mean, 2)) + Epsilon);
        double[] expected = [.. x.Span.ToArray().Select(v => (v - mean) / deviation)];
        LayerNorm.Forward(1, Columns, x.Pointer, null, 0, 0, gamma.Pointer, beta.Pointer, Epsilon, x.Pointer, null, null, KernelCheck.One);
        for (int c = 0; c < Columns; c++)
        {
            KernelCheck.Close(expected[c], x[c], Allowed, $"column {c}");
        }
    }

    [Fact]
    public void A_constant_row_gives_beta()
    {
        using GuardedArray x = new(100);
        using GuardedArray gamma = new(100);
        using GuardedArray beta = new(100);
        x.Span.Fill(3.3f);
        gamma.Span.Fill(2);
        beta.Span.Fill(-1.5f);
        LayerNorm.Forward(1, 100, x.Pointer, null, 0, 0, gamma.Pointer, beta.Pointer, 1e-5f, x.Pointer, null, null, KernelCheck.One);
        Assert.All(x.Span.ToArray(), value => KernelCheck.Close(-1.5, value, 1e-4, "beta"));
    }

    [Fact]
    public void Any_number_of_threads_gives_the_same_bits() =>
        KernelCheck.SameBitsOnAnyTeam(team => Compare(new Case(301, 312, 0.1f, true), team));

    private static float[] Compare(Case shape, WorkerTeam team)
    {
        (int rows, int columns, float dropout, bool withResidual) = shape;
        int n = rows * columns;
        uint key = DropoutMask.Key(Seed, 1, (uint)columns);
        Random random = new(Seed + columns);
        using GuardedArray x = GuardedArray.Random(random, n);
        using GuardedArray residual = GuardedArray.Random(random, n);
        using GuardedArray gamma = GuardedArray.Random(random, columns);
        using GuardedArray beta = GuardedArray.Random(random, columns);
        using GuardedArray dy = GuardedArray.Random(random, n);
        using GuardedArray y = new(n);
        using GuardedArray hat = new(n);
        using GuardedArray reciprocal = new(rows);
        using GuardedArray dSum = new(n);
        using GuardedArray dx = new(n);
        using GuardedArray dGamma = new(columns);
        using GuardedArray dBeta = new(columns);
        dGamma.Span.Fill(1);
        dBeta.Span.Fill(2);
        float* side = withResidual ? residual.Pointer : null;
        LayerNorm.Forward(rows, columns, x.Pointer, side, dropout, key, gamma.Pointer, beta.Pointer, Epsilon, y.Pointer, hat.Pointer, reciprocal.Pointer, team);
        LayerNorm.Backward(
            rows, columns, hat.Pointer, reciprocal.Pointer, gamma.Pointer, dy.Pointer, dSum.Pointer, dropout > 0 ? dx.Pointer : null, dropout, key, dGamma.Pointer, dBeta.Pointer, team);

        double[] wantedGamma = [.. Enumerable.Repeat(1.0, columns)];
        double[] wantedBeta = [.. Enumerable.Repeat(2.0, columns)];
        for (int r = 0; r < rows; r++)
        {
            double[] s = [.. Enumerable.Range(r * columns, columns).Select(i =>
                (dropout == 0 ? x[i] : DropoutMask.Keeps(key, (uint)i, dropout) ? x[i] / (1.0 - dropout) : 0) + (withResidual ? residual[i] : 0))];
            double mean = s.Average();
            double factor = 1 / Math.Sqrt(s.Average(v => (v - mean) * (v - mean)) + Epsilon);
            double[] normalized = [.. s.Select(v => (v - mean) * factor)];
            double[] g = [.. Enumerable.Range(0, columns).Select(c => (double)dy[(r * columns) + c] * gamma[c])];
            double meanG = g.Average();
            double meanDot = g.Zip(normalized, (a, b) => a * b).Average();

            // Two columns nearly equal make a huge factor: errors grow with it.
            double condition = Math.Max(1, factor);
            for (int c = 0; c < columns; c++)
            {
                int i = (r * columns) + c;
                KernelCheck.Close((normalized[c] * gamma[c]) + beta[c], y[i], ForwardError * condition, $"y {r},{c} of {shape}");
                KernelCheck.Close(normalized[c], hat[i], ForwardError * condition, $"normalized {r},{c} of {shape}");
                double d = factor * (g[c] - meanG - (normalized[c] * meanDot));
                KernelCheck.Close(d, dSum[i], BackwardError * condition * condition, $"dSum {r},{c} of {shape}");
                if (dropout > 0)
                {
                    Assert.Equal(DropoutMask.Keeps(key, (uint)i, dropout) ? dSum[i] * DropoutMask.Scale(dropout) : 0f, dx[i]);
                }

                wantedGamma[c] += dy[i] * normalized[c];
                wantedBeta[c] += dy[i];
            }
        }

        for (int c = 0; c < columns; c++)
        {
            KernelCheck.Close(wantedGamma[c], dGamma[c], BackwardError * rows, $"dGamma {c} of {shape}");
            KernelCheck.Close(wantedBeta[c], dBeta[c], BackwardError * rows, $"dBeta {c} of {shape}");
        }

        // In place, forward over x and over the residual, backward over dy: the same bits.
        using GuardedArray inPlace = new(x.Span);
        LayerNorm.Forward(rows, columns, inPlace.Pointer, side, dropout, key, gamma.Pointer, beta.Pointer, Epsilon, inPlace.Pointer, null, null, team);
        Assert.Equal(y.Span, inPlace.Span);
        if (withResidual)
        {
            LayerNorm.Forward(rows, columns, x.Pointer, side, dropout, key, gamma.Pointer, beta.Pointer, Epsilon, side, null, null, team);
            Assert.Equal(y.Span, residual.Span);
        }

        LayerNorm.Backward(rows, columns, hat.Pointer, reciprocal.Pointer, gamma.Pointer, dy.Pointer, dy.Pointer, null, dropout, key, null, null, team);
        Assert.Equal(dSum.Span, dy.Span);
        return [.. y.Span, .. dSum.Span, .. dGamma.Span, .. dBeta.Span];
    }

    private sealed record Case(int Rows, int Columns, float Dropout, bool WithResidual);
}
