using Limbeck.Tensors.Kernels;

namespace Limbeck.Tensors.Tests.Kernels;

public sealed unsafe class ActivationsTests
{
    private const int Seed = 815;

    // Times max(1, |x|). Worst seen: forward 9e-8; backward 5.3e-7 (GELU; dy up to 4).
    private const double ForwardError = 1.2e-7;
    private const double BackwardError = 7e-7;

    public static TheoryData<Activation> Kinds => [Activation.None, Activation.Gelu, Activation.Tanh, Activation.Relu];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Forward_and_backward_match_the_double_reference_for_every_length_and_in_place(Activation kind)
    {
        Random random = new(Seed);
        foreach (int n in ElementwiseTests.Lengths)
        {
            using GuardedArray x = GuardedArray.Random(random, n, 2);
            using GuardedArray dy = GuardedArray.Random(random, n);
            using GuardedArray y = new(n);
            using GuardedArray inPlace = new(x.Span);
            using GuardedArray dx = new(n);
            Activations.Forward(kind, x.Pointer, y.Pointer, n, KernelCheck.One);
            Activations.Forward(kind, inPlace.Pointer, inPlace.Pointer, n, KernelCheck.One);
            Assert.Equal(y.Span, inPlace.Span);
            bool readsInput = kind == Activation.Gelu;
            Activations.Backward(kind, readsInput ? x.Pointer : null, readsInput ? null : y.Pointer, dy.Pointer, dx.Pointer, n, KernelCheck.One);
            for (int i = 0; i < n; i++)
            {
                KernelCheck.Close(Value(kind, x[i]), y[i], ForwardError * Math.Max(1, Math.Abs(x[i])), $"{kind} of {x[i]}");
                KernelCheck.Close(dy[i] * Slope(kind, x[i]), dx[i], BackwardError, $"{kind}' of {x[i]}");
            }

            Activations.Backward(kind, x.Pointer, y.Pointer, dy.Pointer, dy.Pointer, n, KernelCheck.One);
            Assert.Equal(dx.Span, dy.Span);
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void NaN_stays_NaN_and_infinities_saturate(Activation kind)
    {
        using GuardedArray x = new([float.NaN, float.PositiveInfinity, float.NegativeInfinity, 0f]);
        Activations.Forward(kind, x.Pointer, x.Pointer, 4, KernelCheck.One);
        Assert.True(float.IsNaN(x[0]));
        Assert.Equal(kind == Activation.Tanh ? 1f : float.PositiveInfinity, x[1]);
        Assert.Equal(kind == Activation.None ? float.NegativeInfinity : kind == Activation.Tanh ? -1f : 0f, x[2]);
        Assert.Equal(0f, x[3]);
    }

    [Fact]
    public void Any_number_of_threads_gives_the_same_bits()
    {
        using GuardedArray x = GuardedArray.Random(new Random(Seed), 100_003);
        KernelCheck.SameBitsOnAnyTeam(team =>
        {
            using GuardedArray y = new(x.Length);
            Activations.Forward(Activation.Gelu, x.Pointer, y.Pointer, x.Length, team);
            return y.Span.ToArray();
        });
    }

    private static double Value(Activation kind, double x) => kind switch
    {
        Activation.Gelu => Reference.Gelu(x),
        Activation.Tanh => Math.Tanh(x),
        Activation.Relu => Math.Max(0, x),
        _ => x,
    };

    private static double Slope(Activation kind, double x) => kind switch
    {
        Activation.Gelu => Reference.GeluDerivative(x),
        Activation.Tanh => 1 - (Math.Tanh(x) * Math.Tanh(x)),
        Activation.Relu => x > 0 ? 1 : 0,
        _ => 1,
    };
}
