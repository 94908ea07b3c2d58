using System.Globalization;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Tests;

/// <summary>Every differentiable operation against finite differences, and the tape's bookkeeping.</summary>
public sealed class TapeTests
{
    // Central differences of float32 forward passes: the error is about |f| * 6e-8 / step plus step^2. Worst seen 4e-3 (attention with scores).
    private const double Tolerance = 1e-2;
    private const float Step = 2e-2f;
    private static readonly int[] Offsets = [0, 3, 4, 9];

    private delegate Tensor Operation(Tape tape, Tensor[] inputs);

    [Theory]
    [InlineData(Activation.None)]
    [InlineData(Activation.Gelu)]
    [InlineData(Activation.Tanh)]
    [InlineData(Activation.Relu)]
    public void Linear_matches_finite_differences(Activation activation) =>
        Check((tape, x) => tape.Linear(x[0], Weight("w", 7, 5, 11), AwayFromZero(), activation), [9, 5]);

    [Theory]
    [InlineData(Activation.Gelu)]
    [InlineData(Activation.Tanh)]
    public void Activations_match_finite_differences(Activation activation) => Check((tape, x) => tape.Activate(x[0], activation), [4, 6]);

    [Theory]
    [InlineData(0f)]
    [InlineData(0.4f)]
    public void Layer_norm_of_a_sum_matches_finite_differences(float dropout)
    {
        Check((tape, x) => tape.LayerNorm(x[0], x[1], Weight("g", 6, 0, 13, 1f), Weight("b", 6, 0, 14), 1e-12f, dropout), [5, 6], [5, 6]);
        Check((tape, x) => tape.LayerNorm(x[0], null, Weight("g", 6, 0, 13, 1f), Weight("b", 6, 0, 14), 1e-12f, dropout), [5, 6]);
    }

    [Fact]
    public void Layer_norm_whose_input_is_also_its_residual_matches_finite_differences() =>
        Check((tape, x) => tape.LayerNorm(tape.Scale(x[0], 2f), x[0], Weight("g", 6, 0, 13, 1f), Weight("b", 6, 0, 14), 1e-12f), [5, 6]);

    [Theory]
    [InlineData(0f)]
    [InlineData(0.3f)]
    public void Attention_matches_finite_differences(float dropout) =>
        Check((tape, x) => tape.Attention(x[0], Batch(), 2, dropout).Context, [9, 24]);

    [Fact]
    public void Attention_scores_match_finite_differences_alone_and_with_the_context()
    {
        Check((tape, x) => tape.Attention(x[0], Batch(), 2, 0f, withScores: true).Scores!, [9, 24]);
        Check(
            (tape, x) =>
            {
                (Tensor context, Tensor? scores) = tape.Attention(x[0], Batch(), 2, 0f, withScores: true);
                Tensor flat = tape.Gather(context, [0, 5]);
                tape.MeanSquaredError(scores!, new float[scores!.Length], 3f);
                return flat;
            },
            3.0,
            (tape, x) => tape.Attention(x[0], Batch(), 2, 0f, withScores: true).Scores!,
            [9, 24]);
    }

    [Fact]
    public void Rows_and_pooling_match_finite_differences()
    {
        Check((tape, x) => tape.Gather(x[0], [3, 3, 0, 8]), [9, 5]);
        Check((tape, x) => tape.FirstTokens(x[0], Batch()), [9, 5]);
        Check((tape, x) => tape.MeanPool(x[0], Batch()), [9, 5]);
        Check((tape, x) => tape.Normalize(x[0]), [4, 5]);
        Check((tape, x) => tape.Concatenate(x[0], x[1], x[0]), [4, 5], [4, 3]);
    }

    [Fact]
    public void Arithmetic_matches_finite_differences()
    {
        Check((tape, x) => tape.Add(x[0], x[1]), [4, 5], [4, 5]);
        Check((tape, x) => tape.Subtract(x[0], x[1]), [4, 5], [4, 5]);
        Check((tape, x) => tape.Multiply(x[0], x[1]), [4, 5], [4, 5]);
        Check((tape, x) => tape.Multiply(x[0], x[0]), [4, 5]);
        Check((tape, x) => tape.Scale(x[0], -1.5f), [4, 5]);
        Check((tape, x) => tape.Dropout(x[0], 0.3f), [4, 5]);
    }

    [Fact]
    public void Embeddings_match_finite_differences_and_spare_the_padding_row()
    {
        PackedBatch batch = Batch();
        Parameter word = Weight("word", 6, 4, 1);
        Parameter position = Weight("position", 8, 4, 2);
        Parameter type = Weight("type", 2, 4, 3);
        foreach (Parameter table in new[] { word, position, type })
        {
            CheckParameter((tape, _) => tape.Embed(batch, word, position, type), table);
        }

        using Tape tape = new(recording: true);
        tape.MeanSquaredError(tape.Embed(batch, word, position, type, paddingId: 1), new float[9 * 4]);
        word.ClearGradient();
        tape.Backward();
        Assert.All(word.Gradient.Row(1).ToArray(), value => Assert.Equal(0f, value));
        Assert.Contains(word.Gradient.Row(2).ToArray(), value => value != 0f);
    }

    [Fact]
    public void Parameters_of_every_fused_operation_match_finite_differences()
    {
        Tensor x = Numbers(5, 9, 5);
        Parameter weight = Weight("w", 7, 5, 6);
        Parameter bias = Weight("b", 7, 0, 7);
        CheckParameter((tape, _) => tape.Linear(x, weight, bias, Activation.Gelu), weight);
        CheckParameter((tape, _) => tape.Linear(x, weight, bias, Activation.Gelu), bias);
        Parameter gamma = Weight("g", 5, 0, 8, 1f);
        Parameter beta = Weight("be", 5, 0, 9);
        CheckParameter((tape, _) => tape.LayerNorm(x, null, gamma, beta, 1e-12f), gamma);
        CheckParameter((tape, _) => tape.LayerNorm(x, null, gamma, beta, 1e-12f), beta);
    }

    [Fact]
    public void Frozen_parameters_get_no_gradient_and_still_pass_it_on()
    {
        Parameter below = Weight("below", 5, 5, 1);
        Parameter frozen = Weight("frozen", 5, 5, 2);
        frozen.Trainable = false;
        using Tape tape = new(recording: true);
        Tensor y = tape.Linear(tape.Linear(Numbers(3, 4, 5), below, null), frozen, null, Activation.Tanh);
        tape.MeanSquaredError(y, new float[20]);
        tape.Backward();
        Assert.True(below.HasGradient);
        Assert.False(frozen.HasGradient);
    }

    [Fact]
    public void Gradients_of_several_backward_passes_add_up_until_they_are_cleared()
    {
        Parameter weight = Weight("w", 3, 4, 1);
        Tensor x = Numbers(2, 5, 4);
        float[] once = Pass();
        float[] twice = Pass();
        weight.ClearGradient();
        float[] again = Pass();
        Assert.Equal(once, again);
        for (int i = 0; i < once.Length; i++)
        {
            Assert.Equal(2 * once[i], twice[i], 1e-6);
        }

        float[] Pass()
        {
            using Tape tape = new(recording: true);
            tape.MeanSquaredError(tape.Linear(x, weight, null), new float[15]);
            tape.Backward();
            return weight.Gradient.ToArray();
        }
    }

    [Fact]
    public void A_steady_step_reserves_no_more_memory_and_leaves_nothing_taken()
    {
        Parameter weight = Weight("w", 64, 64, 1);
        Tensor x = Numbers(2, 100, 64);
        using Tape tape = new(recording: true);
        long peak = 0;
        for (int step = 0; step < 5; step++)
        {
            tape.Step = (ulong)step;
            Tensor y = tape.Dropout(tape.Linear(tape.Linear(x, weight, null, Activation.Gelu), weight, null), 0.1f);
            tape.MeanSquaredError(y, new float[6400]);
            tape.Backward();
            weight.ClearGradient();
            Assert.True(step == 0 || tape.PeakBytes == peak);
            peak = tape.PeakBytes;
        }
    }

    [Fact]
    public void The_same_seed_and_step_give_the_same_bits_with_any_number_of_threads()
    {
        float[]? expected = null;
        foreach (int threads in new[] { 1, 2, 3 })
        {
            using WorkerTeam team = new(threads);
            using Tape tape = new(recording: true, team) { Seed = 7, Step = 3 };
            Parameter weight = Weight("w", 72, 24, 1);
            Parameter gamma = Weight("g", 24, 0, 2, 1f);
            Parameter beta = Weight("b", 24, 0, 3);
            Tensor x = tape.LayerNorm(Numbers(4, 300, 24), null, gamma, beta, 1e-12f);
            int[] offsets = [.. Enumerable.Range(0, 31).Select(i => i * 10)];
            PackedBatch batch = new(new int[300], new int[300], offsets);
            (Tensor context, _) = tape.Attention(tape.Linear(x, weight, null), batch, 4, 0.1f);
            Tensor y = tape.LayerNorm(context, x, gamma, beta, 1e-12f, 0.1f);
            tape.MeanSquaredError(y, new float[300 * 24]);
            tape.Backward();
            float[] got = [.. weight.Gradient.ToArray(), .. gamma.Gradient.ToArray(), .. beta.Gradient.ToArray()];
            Assert.True(expected is null || got.AsSpan().SequenceEqual(expected), $"{threads} threads gave other bits");
            expected = got;
        }
    }

    [Fact]
    public void Shapes_that_do_not_fit_are_named()
    {
        using Tape tape = new(recording: false);
        ArgumentException exception = Assert.Throws<ArgumentException>(() => tape.Linear(Numbers(1, 2, 3), Weight("dense.weight", 4, 5, 1), null));
        Assert.Contains("dense.weight", exception.Message, StringComparison.Ordinal);
        Assert.Contains("[2, 3]", exception.Message, StringComparison.Ordinal);
        Assert.Contains("[4, 5]", exception.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(tape.Backward);
    }

    private static PackedBatch Batch() => new([0, 1, 2, 3, 4, 5, 1, 2, 2], [0, 0, 1, 0, 0, 1, 1, 0, 1], Offsets);

    private static Tensor Numbers(int seed, params int[] shape)
    {
        Tensor tensor = new(shape);
        Random random = new(seed);
        foreach (ref float value in tensor.Span)
        {
            value = (float)((random.NextDouble() * 2) - 1);
        }

        return tensor;
    }

    [Theory]
    [InlineData(33)]
    [InlineData(3001)]
    public void A_cross_entropy_that_overwrites_the_logits_leaves_the_same_gradients_in_less_memory(int classes)
    {
        int[] labels = [.. Enumerable.Range(0, 20).Select(r => r == 4 ? -100 : r * 31 % classes)];
        using Tensor input = new(20, 16);
        new SeededRandom(3).FillGaussian(input.Span, 1);
        float[][] gradients = [[], []];
        double[] values = new double[2];
        long[] peaks = new long[2];
        for (int k = 0; k < 2; k++)
        {
            using Parameter weight = new("w", classes, 16);
            new SeededRandom(4).FillGaussian(weight.Value.Span, 1);
            using Tape tape = new(recording: true);
            values[k] = tape.CrossEntropy(tape.Linear(input, weight, null), labels, 0.5f, overwrite: k == 1);
            tape.Backward();
            gradients[k] = weight.Gradient.ToArray();
            peaks[k] = tape.PeakBytes;
        }

        Assert.Equal(values[0], values[1]);
        Assert.Equal(gradients[0], gradients[1]);
        Assert.True(peaks[1] < 0.7 * peaks[0], $"{peaks[1]} bytes instead of {peaks[0]}");
    }

    private static Parameter Weight(string name, int rows, int columns, int seed, float centre = 0f)
    {
        Parameter parameter = columns == 0 ? new(name, rows) : new(name, rows, columns);
        Random random = new(seed);
        foreach (ref float value in parameter.Value.Span)
        {
            value = centre + (float)((random.NextDouble() - 0.5) * 0.8);
        }

        return parameter;
    }

    /// <summary>A bias that keeps sums away from ReLU's kink, where a finite difference means nothing.</summary>
    private static Parameter AwayFromZero()
    {
        Parameter bias = new("b", 7);
        for (int i = 0; i < 7; i++)
        {
            bias.Value.Span[i] = i % 2 == 0 ? 1.8f : -1.8f;
        }

        return bias;
    }

    private static void Check(Operation operation, params int[][] shapes) => Check(operation, 0, null, shapes);

    /// <summary>Inputs reach the tape through identity layers, whose weights' gradients tell the inputs': d loss / d input in any direction against a central difference.</summary>
    private static void Check(Operation operation, double extraWeight, Operation? extra, params int[][] shapes)
    {
        Tensor[] values = [.. shapes.Select((shape, i) => Numbers(100 + i, shape))];
        Tensor[] directions = [.. shapes.Select((shape, i) => Numbers(200 + i, shape))];
        float[] target = [];
        double analytic = 0;
        using (Tape tape = new(recording: true) { Seed = 5 })
        {
            Parameter[] carriers = [.. shapes.Select((shape, i) => Carrier(values[i]))];
            Tensor[] inputs = [.. carriers.Select((carrier, i) => Carry(tape, carrier, shapes[i]))];
            Tensor output = operation(tape, inputs);
            target = Numbers(300, (int)output.Length).ToArray();
            tape.MeanSquaredError(output, target);
            tape.Backward();
            for (int i = 0; i < shapes.Length; i++)
            {
                float[] gradient = carriers[i].Gradient.ToArray();
                for (int k = 0; k < gradient.Length; k++)
                {
                    analytic += (double)gradient[k] * directions[i].Span[k];
                }
            }
        }

        double numeric = (Loss(Step) - Loss(-Step)) / (2 * Step);
        Close(numeric, analytic);

        double Loss(float step)
        {
            using Tape tape = new(recording: true) { Seed = 5 };
            Tensor[] inputs = [.. shapes.Select((shape, i) => Carry(tape, Carrier(Moved(values[i], directions[i], step)), shape))];
            double loss = 0;
            if (extra is not null)
            {
                Tensor more = extra(tape, inputs);
                loss += extraWeight * tape.MeanSquaredError(more, new float[more.Length]);
                Tensor main = tape.Gather(tape.Attention(inputs[0], Batch(), 2).Context, [0, 5]);
                return loss + tape.MeanSquaredError(main, target);
            }

            return tape.MeanSquaredError(operation(tape, inputs), target);
        }
    }

    private static void CheckParameter(Operation operation, Parameter parameter)
    {
        Tensor direction = Numbers(400, parameter.Value.Shape.ToArray());
        float[] start = parameter.Value.ToArray();
        parameter.ClearGradient();
        float[] target;
        using (Tape tape = new(recording: true))
        {
            Tensor output = operation(tape, []);
            target = Numbers(300, (int)output.Length).ToArray();
            tape.MeanSquaredError(output, target);
            tape.Backward();
        }

        double analytic = 0;
        float[] gradient = parameter.Gradient.ToArray();
        for (int k = 0; k < gradient.Length; k++)
        {
            analytic += (double)gradient[k] * direction.Span[k];
        }

        double numeric = (Loss(Step) - Loss(-Step)) / (2 * Step);
        start.CopyTo(parameter.Value.Span);
        Close(numeric, analytic);

        double Loss(float step)
        {
            for (int k = 0; k < start.Length; k++)
            {
                parameter.Value.Span[k] = start[k] + (step * direction.Span[k]);
            }

            using Tape tape = new(recording: true);
            return tape.MeanSquaredError(operation(tape, []), target);
        }
    }

    /// <summary>A parameter that holds an input's numbers, so that 1 * carrier^T is the input as one row.</summary>
    private static Parameter Carrier(Tensor value)
    {
        Parameter carrier = new("carrier", (int)value.Length, 1);
        value.Span.CopyTo(carrier.Value.Span);
        return carrier;
    }

    private static Tensor Carry(Tape tape, Parameter carrier, int[] shape)
    {
        Tensor one = new(1, 1);
        one.Span[0] = 1f;
        Tensor row = tape.Linear(one, carrier, null); // [1, n]
        return tape.Reshape(row, shape);
    }

    private static Tensor Moved(Tensor value, Tensor direction, float step)
    {
        Tensor moved = new(value.Shape.ToArray());
        for (int i = 0; i < moved.Length; i++)
        {
            moved.Span[i] = value.Span[i] + (step * direction.Span[i]);
        }

        return moved;
    }

    private static void Close(double numeric, double analytic) =>
        Assert.True(
            Math.Abs(numeric - analytic) <= Tolerance * Math.Max(1e-2, Math.Abs(numeric)),
            string.Create(CultureInfo.InvariantCulture, $"finite differences give {numeric}, the backward pass {analytic}"));
}
