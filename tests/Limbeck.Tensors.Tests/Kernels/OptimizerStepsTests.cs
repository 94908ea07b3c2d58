using System.Text.Json;
using Limbeck.Tensors.Kernels;
using Limbeck.TestData;
using Xunit.Abstractions;

namespace Limbeck.Tensors.Tests.Kernels;

/// <summary>Updates against PyTorch, transformers 2.4.0 and TinyBERT's BertAdam, and against a double-precision reference.</summary>
public sealed unsafe class OptimizerStepsTests(ITestOutputHelper output)
{
    private const int Seed = 12;

    // Of a tensor's largest magnitude, after 12 updates. Worst seen 4.1e-7; PyTorch's own float32 5e-7.
    private const double Tolerance = 2e-6;

    // One update of numbers of magnitude 1. Worst seen 1.2e-7.
    private const double StepError = 6e-7;

    [SkippableFact]
    public void Every_golden_trajectory_matches_at_every_update()
    {
        int trajectories = 0;
        foreach (string path in Directory.GetFiles(SharedData.Require("golden", "optim"), "*.safetensors").Order(StringComparer.Ordinal))
        {
            GoldenFile golden = new(path);
            if (golden.Sidecar.GetProperty("config").TryGetProperty("optimizer", out JsonElement optimizer))
            {
                double worst = Follow(golden, optimizer.GetString()!);
                output.WriteLine($"{Path.GetFileNameWithoutExtension(path)}: {worst:g3}");
                Assert.True(worst <= Tolerance, $"{path}: off by {worst:g3} of a tensor's largest magnitude");
                trajectories++;
            }
        }

        Assert.NotEqual(0, trajectories);
    }

    [SkippableFact]
    public void Every_golden_clipping_matches()
    {
        GoldenFile golden = new(SharedData.Require("golden", "optim", "clip.safetensors"));
        foreach (string name in golden.Names.Where(name => name.EndsWith(".norm", StringComparison.Ordinal)))
        {
            string which = name[..^".norm".Length];
            string[] tensors = [.. golden.Names.Where(tensor => tensor.StartsWith($"grad.{which}.", StringComparison.Ordinal)).Select(tensor => tensor["grad.".Length..])];
            double squares = 0;
            foreach (string tensor in tensors)
            {
                using GuardedArray gradient = new(golden.Floats($"grad.{tensor}"));
                squares += Elementwise.SumOfSquares(gradient.Pointer, gradient.Length, KernelCheck.One);
            }

            double norm = golden.Floats(name)[0];
            KernelCheck.Close(norm, Math.Sqrt(squares), Tolerance * norm, name);
            double factor = OptimizerSteps.ClipFactor(Math.Sqrt(squares), golden.Sidecar.GetProperty("config").GetProperty($"{which}.max_norm").GetDouble());
            foreach (string tensor in tensors)
            {
                using GuardedArray gradient = new(golden.Floats($"grad.{tensor}"));
                Elementwise.Scale(gradient.Pointer, (float)factor, gradient.Length, KernelCheck.One);
                double worst = KernelCheck.Worst(golden.Floats($"after.{tensor}"), gradient.Span);
                Assert.True(worst <= Tolerance, $"{tensor}: off by {worst:g3}");
            }
        }
    }

    [Fact]
    public void Each_rule_matches_the_double_reference_for_every_length()
    {
        Random random = new(Seed);
        foreach (int n in ElementwiseTests.Lengths)
        {
            for (int rule = 0; rule < 3; rule++)
            {
                using GuardedArray p = GuardedArray.Random(random, n);
                using GuardedArray g = GuardedArray.Random(random, n);
                using GuardedArray m = GuardedArray.Random(random, n, 0.1);
                using GuardedArray v = GuardedArray.Random(random, n, 0.1);
                for (int i = 0; i < n; i++)
                {
                    v.Span[i] = Math.Abs(v[i]);
                }

                float[] before = p.Span.ToArray();
                float[] first = m.Span.ToArray();
                float[] second = v.Span.ToArray();
                Step(rule, p, g, m, v, 0.01, 1e-6, 0.1, 5, 0.5);
                for (int i = 0; i < n; i++)
                {
                    double scaled = 0.5 * g[i];
                    double mi = (0.9 * first[i]) + (0.1 * scaled);
                    double vi = (0.999 * second[i]) + (0.001 * scaled * scaled);
                    double one = 1 - Math.Pow(0.9, 5);
                    double two = 1 - Math.Pow(0.999, 5);
                    double expected = rule switch
                    {
                        0 => (before[i] * (1 - 0.001)) - (0.01 * (mi / one) / (Math.Sqrt(vi / two) + 1e-6)),
                        1 => (before[i] - (0.01 * Math.Sqrt(two) / one * mi / (Math.Sqrt(vi) + 1e-6))) * (1 - 0.001),
                        _ => before[i] - (0.01 * ((mi / (Math.Sqrt(vi) + 1e-6)) + (0.1 * before[i]))),
                    };
                    KernelCheck.Close(expected, p[i], StepError * Math.Max(1, Math.Abs(expected)), $"rule {rule}, element {i} of {n}, seed {Seed}");
                    KernelCheck.Close(mi, m[i], StepError, $"first moment of rule {rule}");
                    KernelCheck.Close(vi, v[i], StepError, $"second moment of rule {rule}");
                }
            }
        }
    }

    [Fact]
    public void A_small_weight_decay_is_not_lost_in_rounding()
    {
        // lr wd = 5e-7. In float32 1 - lr wd is 1 - 4.77e-7, and all weights would decay 4.6 % too slowly; subtracting lr wd p, only its rounding is left,
        // up or down by chance. Worst seen 0.3 %.
        const double Allowed = 0.005;
        const int N = 20_000;
        Random random = new(Seed);
        using GuardedArray p = new(N);
        using GuardedArray zero = new(N);
        using GuardedArray m = new(N);
        using GuardedArray v = new(N);
        zero.Span.Clear();
        m.Span.Clear();
        v.Span.Clear();
        for (int i = 0; i < N; i++)
        {
            p.Span[i] = 1 + random.NextSingle();
        }

        double before = Elementwise.Sum(p.Pointer, N, KernelCheck.One);
        for (int step = 1; step <= 100; step++)
        {
            OptimizerSteps.AdamW(p.Pointer, zero.Pointer, m.Pointer, v.Pointer, N, 5e-5, 0.9, 0.999, 1e-8, 0.01, step, 1, KernelCheck.One);
        }

        double decayed = 1 - (Elementwise.Sum(p.Pointer, N, KernelCheck.One) / before);
        output.WriteLine($"decayed by {decayed:g6}");
        KernelCheck.Close(1 - Math.Pow(1 - 5e-7, 100), decayed, Allowed * 5e-5, "decay");
    }

    [Fact]
    public void Any_number_of_threads_gives_the_same_bits()
    {
        using GuardedArray start = GuardedArray.Random(new Random(Seed), 50_001);
        KernelCheck.SameBitsOnAnyTeam(team =>
        {
            using GuardedArray p = new(start.Span);
            using GuardedArray m = new(start.Span);
            using GuardedArray v = new(start.Length);
            v.Span.Fill(1);
            OptimizerSteps.AdamW(p.Pointer, start.Pointer, m.Pointer, v.Pointer, p.Length, 0.1, 0.9, 0.999, 1e-8, 0.01, 3, 1, team);
            return [.. p.Span, .. m.Span, .. v.Span];
        });
    }

    [Theory]
    [InlineData(0, 0.01)]
    [InlineData(1, 0.01)]
    [InlineData(2, 0.01)]
    [InlineData(2, 0)]
    public void Rows_without_a_gradient_get_the_same_bits_when_that_is_known(int rule, double decay)
    {
        foreach ((int rows, int columns) in ((int, int)[])[(1, 5), (70, 19), (300, 312), (3, 20_000)])
        {
            Random random = new(Seed);
            using GuardedArray p = GuardedArray.Random(random, rows * columns);
            using GuardedArray g = GuardedArray.Random(random, rows * columns);
            using GuardedArray m = GuardedArray.Random(random, rows * columns);
            using GuardedArray v = new(rows * columns);
            byte[] states = new byte[rows];
            for (int row = 0; row < rows; row++)
            {
                // In runs, as in a real table; the first rows in all orders.
                states[row] = (byte)(row < 9 ? row % 3 : row / 20 % 3);
                for (int i = row * columns; i < (row + 1) * columns; i++)
                {
                    v.Span[i] = m.Span[i] * m.Span[i];
                    g.Span[i] *= states[row] == TableRows.Touched ? 1 : 0;
                    m.Span[i] *= states[row] == TableRows.Untouched ? 0 : 1;
                    v.Span[i] *= states[row] == TableRows.Untouched ? 0 : 1;
                }
            }

            using GuardedArray p2 = new(p.Span);
            using GuardedArray m2 = new(m.Span);
            using GuardedArray v2 = new(v.Span);
            Step(rule, p, g, m, v, 0.01, 1e-6, decay, 3, 0.7);
            fixed (byte* first = states)
            {
                Step(rule, p2, g, m2, v2, 0.01, 1e-6, decay, 3, 0.7, new TableRows(first, columns));
            }

            Assert.Equal(p.Span, p2.Span);
            Assert.Equal(m.Span, m2.Span);
            Assert.Equal(v.Span, v2.Span);
        }
    }

    [Fact]
    public void The_squares_of_some_rows_are_those_of_a_matrix_whose_other_rows_are_zero()
    {
        using GuardedArray all = GuardedArray.Random(new Random(Seed), 500 * 37);
        int[] rows = [.. Enumerable.Range(0, 500).Where(row => row % 7 is 1 or 4).Reverse()];
        using GuardedArray some = new(all.Length);
        some.Span.Clear();
        foreach (int row in rows)
        {
            all.Span.Slice(row * 37, 37).CopyTo(some.Span.Slice(row * 37, 37));
        }

        double expected = Elementwise.SumOfSquares(some.Pointer, some.Length, KernelCheck.One);
        KernelCheck.Close(expected, Elementwise.SumOfSquares(all.Pointer, rows, 37, KernelCheck.One), 1e-12 * expected, "squares of rows");
        Assert.Equal(0, Elementwise.SumOfSquares(all.Pointer, [], 37, KernelCheck.One));
    }

    private static void Step(
        int rule, GuardedArray p, GuardedArray g, GuardedArray m, GuardedArray v, double rate, double epsilon, double decay, long step, double scale, TableRows rows = default)
    {
        switch (rule)
        {
            case 0:
                OptimizerSteps.AdamW(p.Pointer, g.Pointer, m.Pointer, v.Pointer, p.Length, rate, 0.9, 0.999, epsilon, decay, step, scale, KernelCheck.One, rows);
                break;
            case 1:
                OptimizerSteps.AdamWTransformers(p.Pointer, g.Pointer, m.Pointer, v.Pointer, p.Length, rate, 0.9, 0.999, epsilon, decay, step, scale, KernelCheck.One, rows);
                break;
            default:
                OptimizerSteps.BertAdam(p.Pointer, g.Pointer, m.Pointer, v.Pointer, p.Length, rate, 0.9, 0.999, epsilon, decay, scale, KernelCheck.One, rows);
                break;
        }
    }

    private static double Follow(GoldenFile golden, string optimizer)
    {
        JsonElement config = golden.Sidecar.GetProperty("config");
        int rule = optimizer.Contains("BertAdam", StringComparison.Ordinal) ? 2 : optimizer.Contains("transformers", StringComparison.Ordinal) ? 1 : 0;
        double epsilon = config.GetProperty(rule == 2 ? "e" : "eps").GetDouble();
        double decay = config.GetProperty("weight_decay").GetDouble();
        bool clipsAll = config.TryGetProperty("clip", out JsonElement clip) && clip.GetString()!.StartsWith("global norm 1", StringComparison.Ordinal);
        bool clipsEach = config.TryGetProperty("max_grad_norm", out JsonElement norm) && norm.GetString()!.StartsWith("1.0", StringComparison.Ordinal);
        double[] rates = [.. golden.Sidecar.GetProperty("learning_rates").EnumerateArray().Select(rate => rate.GetDouble())];
        string[] names = [.. golden.Names.Where(name => name.StartsWith("start.", StringComparison.Ordinal)).Select(name => name["start.".Length..])];
        Slot[] slots = [.. names.Select(name => new Slot(golden, name))];
        double worst = 0;
        for (int t = 0; t < rates.Length; t++)
        {
            double squares = slots.Sum(slot => slot.LoadGradient(t));
            foreach (Slot slot in slots)
            {
                double scale = clipsAll ? OptimizerSteps.ClipFactor(Math.Sqrt(squares), 1) : clipsEach ? OptimizerSteps.ClipFactor(Math.Sqrt(slot.Squares), 1) : 1;
                bool decays = !slot.Name.EndsWith(".bias", StringComparison.Ordinal) && slot.Name != "LayerNorm.weight";
                Step(rule, slot.P, slot.G, slot.M, slot.V, rates[t], epsilon, decays ? decay : 0, t + 1, scale);
                worst = Math.Max(worst, KernelCheck.Worst(slot.After.AsSpan(t * slot.P.Length, slot.P.Length), slot.P.Span));
            }
        }

        foreach (Slot slot in slots)
        {
            slot.Dispose();
        }

        return worst;
    }

    private sealed class Slot : IDisposable
    {
        private readonly float[] gradients;

        public Slot(GoldenFile golden, string name)
        {
            Name = name;
            P = new GuardedArray(golden.Floats($"start.{name}"));
            G = new GuardedArray(P.Length);
            M = new GuardedArray(P.Length);
            V = new GuardedArray(P.Length);
            M.Span.Clear();
            V.Span.Clear();
            gradients = golden.Floats($"grad.{name}");
            After = golden.Floats($"after.{name}");
        }

        public string Name { get; }

        public GuardedArray P { get; }

        public GuardedArray G { get; }

        public GuardedArray M { get; }

        public GuardedArray V { get; }

        public float[] After { get; }

        public double Squares { get; private set; }

        public double LoadGradient(int update)
        {
            gradients.AsSpan(update * P.Length, P.Length).CopyTo(G.Span);
            return Squares = Elementwise.SumOfSquares(G.Pointer, G.Length, KernelCheck.One);
        }

        public void Dispose()
        {
            P.Dispose();
            G.Dispose();
            M.Dispose();
            V.Dispose();
        }
    }
}
