using Limbeck.Tensors.Kernels;
using Xunit.Abstractions;

namespace Limbeck.Tensors.Tests.Kernels;

/// <summary>Every function at every width that this process may use, against double precision over a dense sweep of arguments.</summary>
public sealed unsafe class VectorMathTests(ITestOutputHelper output)
{
    // In units of the last place of the exact result. Worst seen on any tier: 0.87, 0.79, 1.49.
    private const double ExpUlps = 2;
    private const double LogUlps = 2;
    private const double TanhUlps = 3;

    // Absolute. Worst seen 0.78e-7.
    private const double ErfError = 1.5e-7;

    // Absolute, times max(1, |x|) for GELU. Worst seen 0.61e-7; of the derivative 1.26e-7.
    private const double GeluError = 1e-7;
    private const double GeluDerivativeError = 1.5e-7;

    public static TheoryData<CpuTier> Tiers
    {
        get
        {
            var tiers = new TheoryData<CpuTier>();
            for (CpuTier tier = CpuTier.Portable; tier <= Cpu.Tier; tier++)
            {
                tiers.Add(tier);
            }

            return tiers;
        }
    }

    [Theory]
    [MemberData(nameof(Tiers))]
    public void Exp_is_within_two_units_in_the_last_place(CpuTier tier) =>
        CheckUlps(tier, Op.Exp, Sweep(-110, 95), Math.Exp, ExpUlps);

    [Theory]
    [MemberData(nameof(Tiers))]
    public void ExpNonPositive_is_within_two_units_and_zero_below_88(CpuTier tier)
    {
        CheckUlps(tier, Op.ExpNonPositive, Sweep(-87.3f, 0), Math.Exp, ExpUlps);
        foreach (float x in (float[])[-87.8f, -88, -100, -1e4f, -1e30f, float.NegativeInfinity])
        {
            Assert.Equal(0f, Apply(tier, Op.ExpNonPositive, x));
        }

        Assert.Equal(1f, Apply(tier, Op.ExpNonPositive, 0));
        Assert.True(float.IsNaN(Apply(tier, Op.ExpNonPositive, float.NaN)));
    }

    [Theory]
    [MemberData(nameof(Tiers))]
    public void Log_is_within_two_units_over_all_positive_numbers(CpuTier tier)
    {
        CheckUlps(tier, Op.Log, Sweep(0.4f, 2.5f), Math.Log, LogUlps);
        CheckUlps(tier, Op.Log, Enumerable.Range(1, 20000).Select(i => BitConverter.Int32BitsToSingle(i * 106_951)).Where(x => x < float.MaxValue), Math.Log, LogUlps);
        Assert.Equal(0f, Apply(tier, Op.Log, 1));
    }

    [Theory]
    [MemberData(nameof(Tiers))]
    public void Tanh_is_within_three_units_in_the_last_place(CpuTier tier)
    {
        CheckUlps(tier, Op.Tanh, Sweep(-12, 12), Math.Tanh, TanhUlps);
        CheckUlps(tier, Op.Tanh, Sweep(-1e-3f, 1e-3f), Math.Tanh, TanhUlps);
    }

    [Theory]
    [MemberData(nameof(Tiers))]
    public void Erf_is_within_its_error_bound(CpuTier tier)
    {
        Check(tier, Op.Erf, Sweep(-6, 6), Reference.Erf, _ => ErfError);
        Assert.Equal(1f, Apply(tier, Op.Erf, 4));
        Assert.Equal(-1f, Apply(tier, Op.Erf, -4));
    }

    [Theory]
    [MemberData(nameof(Tiers))]
    public void Gelu_is_within_its_error_bound(CpuTier tier)
    {
        Check(tier, Op.Gelu, Sweep(-12, 12), Reference.Gelu, x => GeluError * Math.Max(1, Math.Abs(x)));
        foreach (float x in (float[])[6, 100, 1e30f, float.PositiveInfinity])
        {
            Assert.Equal(x, Apply(tier, Op.Gelu, x));
            Assert.Equal(0f, Apply(tier, Op.Gelu, -x));
        }
    }

    [Theory]
    [MemberData(nameof(Tiers))]
    public void The_derivative_of_Gelu_is_within_its_error_bound(CpuTier tier) =>
        Check(tier, Op.GeluDerivative, Sweep(-12, 12).Append(float.PositiveInfinity).Append(float.NegativeInfinity), Reference.GeluDerivative, x => GeluDerivativeError);

    [Theory]
    [MemberData(nameof(Tiers))]
    public void Special_values_behave_as_in_Math(CpuTier tier)
    {
        foreach (Op op in Enum.GetValues<Op>())
        {
            Assert.True(float.IsNaN(Apply(tier, op, float.NaN)), $"{op} of NaN");
        }

        Assert.Equal(float.PositiveInfinity, Apply(tier, Op.Exp, float.PositiveInfinity));
        Assert.Equal(0f, Apply(tier, Op.Exp, float.NegativeInfinity));
        Assert.Equal(float.PositiveInfinity, Apply(tier, Op.Exp, 89));
        Assert.Equal(1f, Apply(tier, Op.Exp, 0));
        Assert.Equal(float.NegativeInfinity, Apply(tier, Op.Log, 0));
        Assert.Equal(float.NegativeInfinity, Apply(tier, Op.Log, -0f));
        Assert.Equal(float.PositiveInfinity, Apply(tier, Op.Log, float.PositiveInfinity));
        Assert.True(float.IsNaN(Apply(tier, Op.Log, -1)));
        Assert.True(float.IsNaN(Apply(tier, Op.Log, float.NegativeInfinity)));
        foreach (Op op in (Op[])[Op.Tanh, Op.Erf])
        {
            Assert.Equal(1f, Apply(tier, op, float.PositiveInfinity));
            Assert.Equal(-1f, Apply(tier, op, float.NegativeInfinity));
            Assert.Equal(0f, Apply(tier, op, 0));
        }

        Assert.Equal(0f, Apply(tier, Op.Gelu, 0));
    }

    private static IEnumerable<float> Sweep(float low, float high)
    {
        const int Steps = 100_003;
        for (int i = 0; i <= Steps; i++)
        {
            yield return (float)(low + (((double)high - low) * i / Steps));
        }
    }

    private static double Ulp(double exact)
    {
        float nearest = Math.Abs((float)exact);
        return nearest >= float.MaxValue ? 2.03e31 : MathF.BitIncrement(nearest) - (double)nearest;
    }

    private void CheckUlps(CpuTier tier, Op op, IEnumerable<float> arguments, Func<double, double> exact, double ulps)
    {
        double worst = 0;
        float at = 0;
        foreach (float x in arguments)
        {
            double wanted = exact(x);
            float got = Apply(tier, op, x);
            double error = wanted > float.MaxValue ? (float.IsPositiveInfinity(got) || got > 3.4e38f ? 0 : double.PositiveInfinity) : Math.Abs(got - wanted) / Ulp(wanted);
            if (!(error <= worst))
            {
                worst = error;
                at = x;
            }
        }

        output.WriteLine($"{op} {tier}: {worst:g3} ulp at {at:g9}");
        Assert.True(worst <= ulps, $"{op} {tier}: {worst:g3} ulp at {at:g9}");
    }

    private void Check(CpuTier tier, Op op, IEnumerable<float> arguments, Func<double, double> exact, Func<double, double> allowed)
    {
        double worst = 0;
        float at = 0;
        foreach (float x in arguments)
        {
            double error = Math.Abs(Apply(tier, op, x) - exact(x)) / allowed(x);
            if (x != 0 && !(error <= worst))
            {
                worst = error;
                at = x;
            }
        }

        output.WriteLine($"{op} {tier}: {worst:g3} of the bound at {at:g9}");
        Assert.True(worst <= 1, $"{op} {tier}: {worst:g3} of the bound at {at:g9}");
    }

    private enum Op
    {
        Exp,
        ExpNonPositive,
        Log,
        Tanh,
        Erf,
        Gelu,
        GeluDerivative,
    }

    private static float Apply(CpuTier tier, Op op, float x) => tier switch
    {
        CpuTier.Avx512 => Apply<Lanes16>(op, x),
        CpuTier.Avx2 => Apply<Lanes8>(op, x),
        _ => Apply<Lanes4>(op, x),
    };

    private static float Apply<V>(Op op, float x)
        where V : struct, ILanes<V>
    {
        float* result = stackalloc float[16];
        V argument = V.Create(x);
        V.Store(
            op switch
            {
                Op.Exp => VectorMath.Exp(argument),
                Op.ExpNonPositive => VectorMath.ExpNonPositive(argument),
                Op.Log => VectorMath.Log(argument),
                Op.Tanh => VectorMath.Tanh(argument),
                Op.Erf => VectorMath.Erf(argument),
                Op.Gelu => VectorMath.Gelu(argument),
                _ => VectorMath.GeluDerivative(argument),
            },
            result);
        return result[V.Count - 1];
    }
}
