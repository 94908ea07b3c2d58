using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Tests;

/// <summary>A tape whose dense layers multiply in bfloat16.</summary>
public sealed class TapePrecisionTests
{
    // Length of the difference to the float32 gradient as a share of its own: operands carry 2^-9 of rounding each. Worst seen 4.5e-3.
    private const double Tolerance = 1e-2;
    private const int Rows = 37;
    private const int Inner = 50;
    private const int Outer = 70;

    [Fact]
    public void Gradients_in_bfloat16_are_near_those_in_float32_and_not_the_same()
    {
        using WorkerTeam team = new(2);
        float[][] whole = Step(Precision.Float32, team);
        float[][] rounded = Step(Precision.Bf16, team);
        Assert.Equal(4, whole.Length);
        for (int i = 0; i < whole.Length; i++)
        {
            double difference = Math.Sqrt(whole[i].Zip(rounded[i], (a, b) => Math.Pow((double)a - b, 2)).Sum());
            double length = Math.Sqrt(whole[i].Sum(a => (double)a * a));
            Assert.True(difference > 0 && difference <= Tolerance * length, $"gradient {i} differs by {difference / length:G3} of its length");
        }
    }

    [Fact]
    public void A_step_in_bfloat16_has_the_same_bits_whatever_the_number_of_threads()
    {
        using WorkerTeam one = new(1);
        float[][] expected = Step(Precision.Bf16, one);
        foreach (int threads in (int[])[2, 3, 5])
        {
            using WorkerTeam some = new(threads);
            Assert.Equal(expected, Step(Precision.Bf16, some));
        }
    }

    [Fact]
    public void Inference_with_packed_weights_gives_the_bits_of_the_recorded_forward_pass_in_either_precision()
    {
        using WorkerTeam team = new(2);
        using Parameter weight = Filled("weight", 1, Outer, Inner);
        Tensor input = new(Rows, Inner);
        Fill(input, 2);
        float[][] outputs = [.. ((Precision[])[Precision.Float32, Precision.Bf16]).Select(precision =>
        {
            using Tape inference = new(recording: false, team) { Precision = precision };
            using Tape recording = new(recording: true, team) { Precision = precision };
            float[] output = inference.Linear(input, weight, null).ToArray();
            Assert.Equal(output, recording.Linear(input, weight, null).ToArray());
            return output;
        })];
        Assert.NotEqual(outputs[0], outputs[1]);
        weight.Value.Span.Clear();
        weight.Changed();
        using Tape after = new(recording: false, team) { Precision = Precision.Bf16 };
        Assert.All(after.Linear(input, weight, null).ToArray(), x => Assert.Equal(0f, x));
    }

    // The loss's input, both weights' gradients and a bias's.
    private static float[][] Step(Precision precision, WorkerTeam team)
    {
        using Parameter first = Filled("first", 1, Outer, Inner), second = Filled("second", 2, Inner, Outer), bias = Filled("bias", 3, Outer), below = Filled("below", 4, Inner, Inner);
        Tensor input = new(Rows, Inner);
        Fill(input, 5);
        using Tape tape = new(recording: true, team) { Precision = precision };
        Tensor output = tape.Linear(tape.Linear(tape.Linear(input, below, null), first, bias, Activation.Gelu), second, null);
        tape.MeanSquaredError(output, new float[output.Length]);
        tape.Backward();
        return [first.Gradient.ToArray(), second.Gradient.ToArray(), bias.Gradient.ToArray(), below.Gradient.ToArray()];
    }

    private static Parameter Filled(string name, ulong seed, params int[] shape)
    {
        Parameter parameter = new(name, shape);
        Fill(parameter.Value, seed);
        return parameter;
    }

    private static void Fill(Tensor tensor, ulong seed)
    {
        SeededRandom random = new(seed);
        foreach (ref float x in tensor.Span)
        {
            x = (float)((2 * random.NextDouble()) - 1) * 0.3f;
        }
    }
}
