using System.Globalization;
using Limbeck.Tensors.Kernels;
using Limbeck.TestData;
using Xunit.Abstractions;

namespace Limbeck.Tensors.Tests.Kernels;

/// <summary>Losses against PyTorch's values and gradients, and against finite differences.</summary>
public sealed unsafe class LossesTests(ITestOutputHelper output)
{
    private const int Seed = 31;

    // Of a tensor's largest magnitude. Worst seen 1.2e-7 (the goldens are float32).
    private const double Tolerance = 2e-5;

    // Of a distillation loss at temperature 10 and above, a difference of nearly equal numbers. Worst seen 4.7e-8.
    private const double HotTolerance = 1e-4;

    // Central differences of a double-valued loss of float32 inputs, relative to the largest gradient. Worst seen 4e-8.
    private const double DifferenceError = 1e-5;

    // Of each element: an exponential and a factor in float32. Worst seen 1.4e-7.
    private const double GradientRounding = 2.5e-7;

    // A vocabulary's losses in float32 lanes, of 1 + the value. Worst seen 2.1e-7 (all tiers).
    private const double WideError = 4e-7;

    // A vocabulary's gradients, of |gradient| + p (1 + |log p|) for each probability: an exponent's rounding grows with it. Worst seen 1e-7 (all tiers).
    private const double WideGradientError = 2e-7;

    private delegate double Loss(float* x, float* gradient, float scale);

    [SkippableFact]
    public void Every_golden_loss_of_logits_and_rows_matches_with_its_gradient()
    {
        int checkedLosses = 0;
        foreach (string path in Directory.GetFiles(SharedData.Require("golden", "losses"), "*.safetensors").Order(StringComparer.Ordinal))
        {
            string family = Path.GetFileNameWithoutExtension(path);
            if (!family.StartsWith("logits", StringComparison.Ordinal) && !family.StartsWith("cosine", StringComparison.Ordinal))
            {
                output.WriteLine($"{family}: not a loss of single rows; its method's own tests look at it");
                continue;
            }

            GoldenFile golden = new(path);
            foreach (string name in golden.Names.Where(name => name.StartsWith("loss.", StringComparison.Ordinal)))
            {
                CheckGolden(golden, family, name["loss.".Length..]);
                checkedLosses++;
            }
        }

        Assert.NotEqual(0, checkedLosses);
    }

    [Fact]
    public void Cross_entropy_gradient_matches_finite_differences()
    {
        int[] labels = [1, -100, 0, 4];
        fixed (int* y = labels)
        {
            int* pointer = y;
            CheckDifferences(4 * 5, 1.5, (x, gradient, scale) => Losses.CrossEntropy(4, 5, x, pointer, gradient, scale));
        }
    }

    [Theory]
    [InlineData(1f, false)]
    [InlineData(3f, true)]
    public void Distillation_gradients_match_finite_differences(float temperature, bool mean)
    {
        using GuardedArray teacher = GuardedArray.Random(new Random(Seed + 1), 3 * 7, 2);
        CheckDifferences(21, 2, (x, gradient, scale) => Losses.SoftCrossEntropy(3, 7, x, teacher.Pointer, temperature, mean, gradient, scale));
        CheckDifferences(21, 2, (x, gradient, scale) => Losses.KnowledgeDistillation(3, 7, x, teacher.Pointer, temperature, mean, gradient, scale));
        CheckDifferences(21, 2, (x, gradient, scale) => Losses.KullbackLeibler(3, 7, x, teacher.Pointer, gradient, scale));
    }

    [Fact]
    public void Mean_squared_error_and_cosine_gradients_match_finite_differences()
    {
        using GuardedArray target = GuardedArray.Random(new Random(Seed + 2), 3 * 13);
        CheckDifferences(39, 1, (x, gradient, scale) => Losses.MeanSquaredError(39, x, target.Pointer, gradient, scale));
        CheckDifferences(39, 1, (x, gradient, scale) => Losses.Cosine(3, 13, x, target.Pointer, gradient, scale));
    }

    [Fact]
    public void A_student_equal_to_its_teacher_has_no_divergence()
    {
        foreach (int classes in (int[])[1, 2, 3, 4, 5, 8, 31, 1000])
        {
            using GuardedArray z = GuardedArray.Random(new Random(Seed), 2 * classes, 10);
            using GuardedArray gradient = new(z.Length);
            KernelCheck.Close(0, Losses.KnowledgeDistillation(2, classes, z.Pointer, z.Pointer, 5, false, gradient.Pointer, 1), 1e-14, "divergence");
            Assert.All(gradient.Span.ToArray(), value => Assert.Equal(0f, value));
            KernelCheck.Close(0, Losses.Cosine(2, classes, z.Pointer, z.Pointer, gradient.Pointer, 1), 1e-10, "cosine");
            Assert.Equal(0, Losses.MeanSquaredError(z.Length, z.Pointer, z.Pointer, null, 1));
        }
    }

    [Fact]
    public void Every_number_of_classes_gives_the_reference_cross_entropy()
    {
        Random random = new(Seed);
        foreach (int classes in Enumerable.Range(1, 100).Append(Losses.WideClasses))
        {
            using GuardedArray z = GuardedArray.Random(random, classes, 4);
            using GuardedArray gradient = new(classes);
            int label = random.Next(classes);
            double logSum = Math.Log(z.Span.ToArray().Sum(v => Math.Exp(v)));
            KernelCheck.Close(logSum - z[label], Losses.CrossEntropy(1, classes, z.Pointer, &label, gradient.Pointer, 2), 1e-12 * (1 + Math.Abs(logSum - z[label])), $"{classes} classes");
            for (int c = 0; c < classes; c++)
            {
                double exact = 2 * (Math.Exp(z[c] - logSum) - (c == label ? 1 : 0));
                KernelCheck.Close(exact, gradient[c], (GradientRounding * Math.Abs(exact)) + 1e-15, $"class {c} of {classes}");
            }
        }
    }

    [Theory]
    [InlineData(1025, 4)]
    [InlineData(1039, 4)]
    [InlineData(1056, 40)]
    [InlineData(30522, 1)]
    [InlineData(30522, 8)]
    [InlineData(30522, 1000)]
    public void A_vocabularys_losses_and_gradients_match_the_double_reference(int classes, double spread)
    {
        const int Rows = 3;
        const float Scale = 0.7f;
        Random random = new(Seed + classes);
        using GuardedArray z = GuardedArray.Random(random, Rows * classes, spread);
        using GuardedArray teacher = GuardedArray.Random(random, Rows * classes, spread);
        using GuardedArray gradient = new(z.Length);
        int[] labels = [random.Next(classes), Losses.IgnoredLabel, classes - 1];
        double worst = 0;
        double worstGradient = 0;
        void Check(double expected, double value, Func<int, int, double> slope, Func<int, int, double> size, string what)
        {
            worst = Math.Max(worst, Math.Abs(expected - value) / (1 + Math.Abs(expected)));
            KernelCheck.Close(expected, value, WideError * (1 + Math.Abs(expected)), $"{what}, seed {Seed + classes}");
            for (int r = 0; r < Rows; r++)
            {
                for (int c = 0; c < classes; c++)
                {
                    double allowed = (WideGradientError * Scale * (Math.Abs(slope(r, c)) + size(r, c))) + 1e-15;
                    double error = Math.Abs((Scale * slope(r, c)) - gradient[(r * classes) + c]);
                    worstGradient = Math.Max(worstGradient, WideGradientError * error / allowed);
                    Assert.True(error <= allowed, $"{what}: gradient of row {r}, class {c} is {gradient[(r * classes) + c]:g9}, expected {Scale * slope(r, c):g9}, seed {Seed + classes}");
                }
            }
        }

        static double Size(double log) => Math.Exp(log) * (1 + Math.Abs(log));
        double[][] logP = [.. Enumerable.Range(0, Rows).Select(r => LogSoftmax(z.Span.Slice(r * classes, classes), 1))];
        double hard = (-logP[0][labels[0]] - logP[2][labels[2]]) / 2;
        double Hard(int r, int c) => labels[r] < 0 ? 0 : (Math.Exp(logP[r][c]) - (c == labels[r] ? 1 : 0)) / 2;
        fixed (int* y = labels)
        {
            Check(hard, Losses.CrossEntropy(Rows, classes, z.Pointer, y, gradient.Pointer, Scale), Hard, (r, c) => labels[r] < 0 ? 0 : Size(logP[r][c]) / 2, "cross entropy");
            Assert.Equal(
                Losses.CrossEntropy(Rows, classes, z.Pointer, y, null, 1), Losses.CrossEntropy(Rows, classes, z.Pointer, y, gradient.Pointer, Scale));
        }

        foreach (float temperature in (float[])[1, 2])
        {
            double[][] logS = [.. Enumerable.Range(0, Rows).Select(r => LogSoftmax(z.Span.Slice(r * classes, classes), temperature))];
            double[][] logT = [.. Enumerable.Range(0, Rows).Select(r => LogSoftmax(teacher.Span.Slice(r * classes, classes), temperature))];
            double soft = Enumerable.Range(0, Rows).Average(r => logT[r].Zip(logS[r]).Sum(pair => -Math.Exp(pair.First) * pair.Second));
            double divergence = Enumerable.Range(0, Rows).Average(r => logT[r].Zip(logS[r]).Sum(pair => Math.Exp(pair.First) * (pair.First - pair.Second)));
            double Slope(int r, int c) => (Math.Exp(logS[r][c]) - Math.Exp(logT[r][c])) / temperature / Rows;
            double Sizes(int r, int c) => (Size(logS[r][c]) + Size(logT[r][c])) / temperature / Rows;
            double squared = temperature * temperature;
            Check(
                soft, Losses.SoftCrossEntropy(Rows, classes, z.Pointer, teacher.Pointer, temperature, false, gradient.Pointer, Scale),
                Slope, Sizes, $"soft cross entropy at {temperature}");
            Check(
                squared * divergence, Losses.KnowledgeDistillation(Rows, classes, z.Pointer, teacher.Pointer, temperature, false, gradient.Pointer, Scale),
                (r, c) => squared * Slope(r, c), (r, c) => squared * Sizes(r, c), $"distillation at {temperature}");
        }

        output.WriteLine($"{classes} classes, spread {spread}: values off by {worst:g3}, gradients by {worstGradient:g3}");
    }

    [Fact]
    public void A_vocabularys_cross_entropy_changes_along_its_gradient_as_finite_differences_say()
    {
        const int Classes = 30522;
        const float Step = 0.05f;
        using GuardedArray z = GuardedArray.Random(new Random(Seed), Classes, 2);
        using GuardedArray gradient = new(Classes);
        using GuardedArray moved = new(Classes);
        const int Label = 17;
        int label = Label;
        Losses.CrossEntropy(1, Classes, z.Pointer, &label, gradient.Pointer, 1);
        double squares = gradient.Span.ToArray().Sum(g => (double)g * g);
        double Along(float step)
        {
            for (int c = 0; c < Classes; c++)
            {
                moved.Span[c] = z[c] + (step * gradient[c]);
            }

            int y = Label;
            return Losses.CrossEntropy(1, Classes, moved.Pointer, &y, null, 1);
        }

        // The third derivative leaves step^2 times a small constant; rounding of the values leaves about 1e-6 / step.
        KernelCheck.Close(squares, (Along(Step) - Along(-Step)) / (2 * Step), 1e-4 * squares, "slope along the gradient");

        // The gradient may overwrite the logits.
        Losses.CrossEntropy(1, Classes, z.Pointer, &label, z.Pointer, 1);
        Assert.Equal(gradient.Span, z.Span);
    }

    [Fact]
    public void A_vocabularys_student_equal_to_its_teacher_has_no_divergence_and_a_nan_is_not_lost()
    {
        const int Classes = 30522;
        using GuardedArray z = GuardedArray.Random(new Random(Seed), Classes, 10);
        using GuardedArray gradient = new(Classes);
        Assert.Equal(0, Losses.KnowledgeDistillation(1, Classes, z.Pointer, z.Pointer, 5, false, gradient.Pointer, 1));
        Assert.All(gradient.Span.ToArray(), value => Assert.Equal(0f, value));
        z.Span[Classes - 3] = float.NaN;
        int label = 5;
        Assert.True(double.IsNaN(Losses.CrossEntropy(1, Classes, z.Pointer, &label, gradient.Pointer, 1)));
    }

    [Fact]
    public void Rows_that_are_all_ignored_have_no_loss_and_no_gradient()
    {
        int[] labels = [-100, -100];
        using GuardedArray z = GuardedArray.Random(new Random(Seed), 6);
        using GuardedArray gradient = new(6);
        fixed (int* y = labels)
        {
            Assert.Equal(0, Losses.CrossEntropy(2, 3, z.Pointer, y, gradient.Pointer, 1));
        }

        Assert.All(gradient.Span.ToArray(), value => Assert.Equal(0f, value));
    }

    [Fact]
    public void A_temperature_of_zero_is_refused()
    {
        using GuardedArray z = new(3);
        Assert.Throws<ArgumentOutOfRangeException>(() => Losses.SoftCrossEntropy(1, 3, z.Pointer, z.Pointer, 0, false, null, 1));
    }

    [Fact]
    public void Any_number_of_threads_gives_the_same_bits()
    {
        SameBits(700, 37);
        SameBits(23, 1501);
    }

    private static void SameBits(int rows, int classes)
    {
        using GuardedArray a = GuardedArray.Random(new Random(Seed), rows * classes);
        using GuardedArray b = GuardedArray.Random(new Random(Seed + 1), rows * classes);
        int[] labels = [.. Enumerable.Range(0, rows).Select(r => r % 5 == 0 ? -100 : r % classes)];
        KernelCheck.SameBitsOnAnyTeam(team =>
        {
            using GuardedArray gradient = new(a.Length);
            double[] values = new double[4];
            fixed (int* y = labels)
            {
                values[0] = Losses.CrossEntropy(rows, classes, a.Pointer, y, gradient.Pointer, 1, team);
            }

            values[1] = Losses.KnowledgeDistillation(rows, classes, a.Pointer, b.Pointer, 2, false, null, 1, team);
            values[2] = Losses.MeanSquaredError(a.Length, a.Pointer, b.Pointer, null, 1, team);
            values[3] = Losses.Cosine(rows, classes, a.Pointer, b.Pointer, null, 1, team);
            return [.. gradient.Span, .. values.SelectMany(BitConverter.GetBytes).Select(bits => (float)bits)];
        });
    }

    private static double[] LogSoftmax(ReadOnlySpan<float> z, double temperature)
    {
        double[] scaled = [.. z.ToArray().Select(value => value / temperature)];
        double largest = scaled.Max();
        double log = largest + Math.Log(scaled.Sum(value => Math.Exp(value - largest)));
        return [.. scaled.Select(value => value - log)];
    }

    private static void CheckDifferences(int n, double spread, Loss loss)
    {
        const float Step = 1e-3f;
        const float Scale = 0.7f;
        using GuardedArray x = GuardedArray.Random(new Random(Seed), n, spread);
        using GuardedArray gradient = new(n);
        double value = loss(x.Pointer, gradient.Pointer, Scale);
        Assert.Equal(value, loss(x.Pointer, null, Scale));
        double largest = gradient.Span.ToArray().Max(Math.Abs);
        for (int i = 0; i < n; i++)
        {
            float old = x[i];
            x.Span[i] = old + Step;
            double high = x[i];
            double above = loss(x.Pointer, null, 1);
            x.Span[i] = old - Step;
            double numeric = Scale * (above - loss(x.Pointer, null, 1)) / (high - x[i]);
            x.Span[i] = old;
            KernelCheck.Close(numeric, gradient[i], DifferenceError * largest, $"element {i}, seed {Seed}");
        }

        // The gradient may overwrite the input.
        loss(x.Pointer, x.Pointer, Scale);
        Assert.Equal(gradient.Span, x.Span);
    }

    private void CheckGolden(GoldenFile golden, string family, string name)
    {
        string[] gradients = [.. golden.Names.Where(tensor => tensor.StartsWith($"grad.{name}.", StringComparison.Ordinal))];
        string tensor = gradients.Length > 0 ? gradients[0][$"grad.{name}.".Length..] : "logits";
        float[] student = golden.Floats($"student.{tensor}");
        int[] shape = golden.Shape($"student.{tensor}");
        (int rows, int columns) = (shape[0], shape[^1]);
        using GuardedArray x = new(student);
        using GuardedArray y = new(golden.Floats($"teacher.{tensor}"));
        using GuardedArray gradient = new(student.Length);
        float temperature = 1;
        string kind = name;
        if (name[0] == 't' && name.IndexOf('.', StringComparison.Ordinal) is int dot and > 0
            && float.TryParse(name[1..dot], NumberStyles.Float, CultureInfo.InvariantCulture, out temperature))
        {
            kind = name[(dot + 1)..];
        }

        double value;
        switch (kind)
        {
            case "cross_entropy":
            case "cross_entropy_ignore":
                value = CrossEntropy(golden, kind == "cross_entropy" ? "input.labels" : "input.labels_ignored", x, gradient, 1);
                break;
            case "mse":
                value = Losses.MeanSquaredError(x.Length, x.Pointer, y.Pointer, gradient.Pointer, 1);
                break;
            case "soft_cross_entropy":
            case "soft_cross_entropy_mean_over_classes":
                value = Losses.SoftCrossEntropy(rows, columns, x.Pointer, y.Pointer, temperature, kind.EndsWith("classes", StringComparison.Ordinal), gradient.Pointer, 1);
                break;
            case "kd":
            case "kd_mean_over_classes":
                value = Losses.KnowledgeDistillation(rows, columns, x.Pointer, y.Pointer, temperature, kind.EndsWith("classes", StringComparison.Ordinal), gradient.Pointer, 1);
                break;
            case "pkd_kd":
                double alpha = golden.Sidecar.GetProperty("config").GetProperty("alpha").GetDouble();
                using (GuardedArray hard = new(student.Length))
                {
                    value = (alpha * Losses.KnowledgeDistillation(rows, columns, x.Pointer, y.Pointer, temperature, true, gradient.Pointer, (float)alpha))
                        + ((1 - alpha) * CrossEntropy(golden, "input.labels", x, hard, (float)(1 - alpha)));
                    Elementwise.AddTo(gradient.Pointer, hard.Pointer, hard.Length, KernelCheck.One);
                }

                break;
            case "distilbert":
            case "small":
                value = Losses.Cosine(rows, columns, x.Pointer, y.Pointer, gradient.Pointer, 1);
                break;
            case "first_token_half":
                int[] offsets = golden.Int64s("input.offsets");
                gradient.Span.Clear();
                value = 0;
                for (int s = 0; s + 1 < offsets.Length; s++)
                {
                    int at = offsets[s] * columns;
                    float share = 0.5f / (offsets.Length - 1);
                    value += share * Losses.Cosine(1, columns, x.Pointer + at, y.Pointer + at, gradient.Pointer + at, share);
                }

                break;
            default:
                output.WriteLine($"{family}: {name} is not a loss of these kernels");
                return;
        }

        double expected = golden.Floats($"loss.{name}")[0];
        double tolerance = kind.Contains("kd", StringComparison.Ordinal) && temperature >= 10 ? HotTolerance : Tolerance;
        double worst = gradients.Length > 0 ? KernelCheck.Worst(golden.Floats(gradients[0]), gradient.Span) : 0;
        output.WriteLine($"{family} {name}: value off by {Math.Abs(value - expected) / Math.Abs(expected):g3}, gradient by {worst:g3}");
        KernelCheck.Close(expected, value, tolerance * Math.Abs(expected), $"{family} {name}");
        Assert.True(worst <= Tolerance, $"{family} {name}: gradient off by {worst:g3} of its largest magnitude");
    }

    private static double CrossEntropy(GoldenFile golden, string labels, GuardedArray x, GuardedArray gradient, float scale)
    {
        int[] values = golden.Int64s(labels);
        fixed (int* y = values)
        {
            return Losses.CrossEntropy(values.Length, x.Length / values.Length, x.Pointer, y, gradient.Pointer, scale);
        }
    }
}
