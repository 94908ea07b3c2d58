using System.Runtime.CompilerServices;

namespace Limbeck.Tensors.Kernels;

/// <summary>Elementary functions of float32 lanes, written once for every vector width. Not for arrays: the kernels loop over them.</summary>
/// <remarks>
/// Every polynomial is a minimax fit made for this file (weighted least squares, iterated until the error is level, in 40 digits).
/// A clamp always has its constant first, Min(c, x) and Max(c, x): the x86 instructions return the second operand when one is NaN,
/// and so a NaN argument gives a NaN result in every function here.
/// </remarks>
internal static class VectorMath
{
    private const float Log2E = 1.44269502f;

    // ln 2 in two parts; the high one has nine significant bits, so that its product with an exponent is exact.
    private const float Ln2High = 0.693359375f;
    private const float Ln2Low = -0.000212194442f;

    // 1.5 * 2^23: added to a small float, it leaves the nearest integer in the low bits.
    private const float RoundingBias = 12582912f;

    // The bits of sqrt(1/2): where Log cuts the range of the mantissa.
    private const int SqrtHalfBits = 0x3f3504f3;

    /// <summary>exp(x) over the whole range: infinity above 88.72, denormals below -87.3, 0 below -103.97. Error under 2 ulp.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<V>(V x)
        where V : struct, ILanes<V>
    {
        x = V.Min(V.Create(89f), V.Max(V.Create(-105f), x));
        V n = V.MultiplyAdd(x, V.Create(Log2E), V.Create(RoundingBias)) - V.Create(RoundingBias);
        V p = ExpReduced(x, n);

        // Two factors, for 2^n itself may be out of range where the result is not (128) or is a denormal (-150).
        V half = V.Round(n * V.Create(0.5f));
        return p * V.PowerOfTwo(half) * V.PowerOfTwo(n - half);
    }

    /// <summary>exp(x) for x &lt;= 0, or at most 88: for softmax. Exactly 0 below -87.7. Error under 2 ulp where the result is a normal number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V ExpNonPositive<V>(V x)
        where V : struct, ILanes<V>
    {
        // The bias holds the exponent's 127 too: shifted left by 23 the sum's bits are those of 2^n, and of 0 for n = -127.
        x = V.Max(V.Create(-88f), x);
        V biased = V.MultiplyAdd(x, V.Create(Log2E), V.Create(RoundingBias + 127f));
        V n = biased - V.Create(RoundingBias + 127f);
        return ExpReduced(x, n) * V.ShiftLeft(biased, 23);
    }

    /// <summary>Natural logarithm: -infinity at 0, NaN below, denormals included. Error under 2 ulp.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Log<V>(V x)
        where V : struct, ILanes<V>
    {
        V infinity = V.Create(float.PositiveInfinity);
        V denormal = V.LessThan(x, V.Create(1.17549435e-38f));
        V scaled = V.Select(denormal, x * V.Create(8388608f), x);

        // scaled = 2^e * (1 + f), 1 + f in [sqrt(1/2), sqrt 2).
        V shifted = V.AddInt(scaled, V.CreateBits(0x3f800000 - SqrtHalfBits));
        V exponent = V.AddInt(V.ShiftRightLogical(shifted, 23), V.CreateBits(0x4b000000)) - V.Select(denormal, V.Create(8388608f + 150f), V.Create(8388608f + 127f));
        V f = V.AddInt(V.And(shifted, V.CreateBits(0x007fffff)), V.CreateBits(SqrtHalfBits)) - V.Create(1f);

        V p = V.Create(0.0691433102f);
        p = V.MultiplyAdd(p, f, V.Create(-0.117892794f));
        p = V.MultiplyAdd(p, f, V.Create(0.118731625f));
        p = V.MultiplyAdd(p, f, V.Create(-0.123844512f));
        p = V.MultiplyAdd(p, f, V.Create(0.142186463f));
        p = V.MultiplyAdd(p, f, V.Create(-0.166692451f));
        p = V.MultiplyAdd(p, f, V.Create(0.200022265f));
        p = V.MultiplyAdd(p, f, V.Create(-0.249999866f));
        p = V.MultiplyAdd(p, f, V.Create(0.333333105f));

        V square = f * f;
        V tail = V.MultiplyAdd(p * f, square, exponent * V.Create(Ln2Low));
        tail = V.MultiplyAdd(V.Create(-0.5f), square, tail);
        V result = V.MultiplyAdd(exponent, V.Create(Ln2High), f + tail);

        result = V.Select(V.LessThan(x, infinity), result, x); // +infinity and NaN stay what they are
        result = V.Select(V.LessThan(V.Zero, V.Abs(x)), result, x - infinity); // 0 -> -infinity, NaN -> NaN
        return V.Select(V.LessThan(x, V.Zero), V.Create(float.NaN), result);
    }

    /// <summary>tanh(x). Error under 3 ulp.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Tanh<V>(V x)
        where V : struct, ILanes<V>
    {
        V a = V.Abs(x);
        V t = x * x;
        V p = V.Create(-0.00571689475f);
        p = V.MultiplyAdd(p, t, V.Create(0.0206504408f));
        p = V.MultiplyAdd(p, t, V.Create(-0.0537434481f));
        p = V.MultiplyAdd(p, t, V.Create(0.133314908f));
        p = V.MultiplyAdd(p, t, V.Create(-0.333332837f));
        V small = V.MultiplyAdd(p * t, x, x);

        V e = ExpNonPositive(V.Create(-2f) * a);
        V large = (V.Create(1f) - e) / (V.Create(1f) + e);
        V sign = V.And(x, V.CreateBits(int.MinValue));
        return V.Select(V.LessThan(a, V.Create(0.625f)), small, V.Xor(large, sign));
    }

    /// <summary>The error function. Absolute error under 1.2e-7, relative error the same near 0; exactly +-1 beyond 3.9.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Erf<V>(V x)
        where V : struct, ILanes<V>
    {
        V a = V.Min(V.Create(GeluLimit), V.Abs(x) * V.Create(1.41421356f));
        V half = V.Min(V.Create(0.5f), a * HalfNormalOverX(a * a));
        return V.Xor(half + half, V.And(x, V.CreateBits(int.MinValue)));
    }

    /// <summary>GELU in its exact form, x * Phi(x), Phi the standard normal distribution function. Error under 1e-7 * max(1, |x|).</summary>
    /// <remarks>max(x, 0) + n (1/2 + n P(n^2)) with n = -|x| clamped where the tail is below the error bound: no exponential, no division.
    /// Exactly x or 0 beyond 5.5, infinities included.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gelu<V>(V x)
        where V : struct, ILanes<V>
    {
        V n = V.Max(V.Create(-GeluLimit), V.Or(x, V.CreateBits(int.MinValue)));
        V tail = V.Max(V.Zero, V.MultiplyAdd(n, HalfNormalOverX(n * n), V.Create(0.5f)));
        return V.MultiplyAdd(n, tail, V.Max(V.Zero, x));
    }

    /// <summary>d Gelu / dx = Phi(x) + x phi(x). Error under 2e-7; within that of 0 or 1 beyond 5.8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V GeluDerivative<V>(V x)
        where V : struct, ILanes<V>
    {
        V c = V.Min(V.Create(5.8f), V.Max(V.Create(-5.8f), x));
        V u = V.MultiplyAdd(c * c, V.Create(0.0594530329f), V.Create(-1f));
        V p = V.Create(-0.00321151363f);
        p = V.MultiplyAdd(p, u, V.Create(0.00747323828f));
        p = V.MultiplyAdd(p, u, V.Create(-0.00179759273f));
        p = V.MultiplyAdd(p, u, V.Create(-0.000154251087f));
        p = V.MultiplyAdd(p, u, V.Create(-0.0197344162f));
        p = V.MultiplyAdd(p, u, V.Create(0.035755489f));
        p = V.MultiplyAdd(p, u, V.Create(-0.0349378958f));
        p = V.MultiplyAdd(p, u, V.Create(0.0431144126f));
        p = V.MultiplyAdd(p, u, V.Create(-0.0611005314f));
        p = V.MultiplyAdd(p, u, V.Create(0.0700294152f));
        p = V.MultiplyAdd(p, u, V.Create(-0.0694564134f));
        p = V.MultiplyAdd(p, u, V.Create(0.0650253966f));
        p = V.MultiplyAdd(p, u, V.Create(-0.057747975f));
        p = V.MultiplyAdd(p, u, V.Create(0.0501675457f));
        p = V.MultiplyAdd(p, u, V.Create(-0.0461949185f));
        p = V.MultiplyAdd(p, u, V.Create(0.0486356542f));
        p = V.MultiplyAdd(p, u, V.Create(-0.0616575107f));
        p = V.MultiplyAdd(p, u, V.Create(0.121998779f));
        return V.MultiplyAdd(c, p, V.Create(0.5f));
    }

    // Beyond this |x|, Phi(-|x|) |x| is below 1.1e-7.
    private const float GeluLimit = 5.5f;

    /// <summary>(Phi(a) - 1/2) / a of t = a^2 in [0, 5.5^2], scaled by 1 + 4e-8 so that it reaches 1/2 at the limit. In u = 2t/5.5^2 - 1,
    /// where the coefficients' signs alternate and nothing cancels near t = 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V HalfNormalOverX<V>(V t)
        where V : struct, ILanes<V>
    {
        V u = V.MultiplyAdd(t, V.Create(0.0661156997f), V.Create(-1f));
        V p = V.Create(0.000497986563f);
        p = V.MultiplyAdd(p, u, V.Create(-0.0013468035f));
        p = V.MultiplyAdd(p, u, V.Create(0.00114436226f));
        p = V.MultiplyAdd(p, u, V.Create(-0.00129000237f));
        p = V.MultiplyAdd(p, u, V.Create(0.00409547519f));
        p = V.MultiplyAdd(p, u, V.Create(-0.00761134084f));
        p = V.MultiplyAdd(p, u, V.Create(0.010549373f));
        p = V.MultiplyAdd(p, u, V.Create(-0.0147026693f));
        p = V.MultiplyAdd(p, u, V.Create(0.0202645436f));
        p = V.MultiplyAdd(p, u, V.Create(-0.0261050779f));
        p = V.MultiplyAdd(p, u, V.Create(0.0320849307f));
        p = V.MultiplyAdd(p, u, V.Create(-0.038788002f));
        p = V.MultiplyAdd(p, u, V.Create(0.047736831f));
        p = V.MultiplyAdd(p, u, V.Create(-0.0641724542f));
        return V.MultiplyAdd(p, u, V.Create(0.128551945f));
    }

    /// <summary>exp(x - n ln 2), |x - n ln 2| &lt;= ln(2)/2.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V ExpReduced<V>(V x, V n)
        where V : struct, ILanes<V>
    {
        V r = V.MultiplyAdd(n, V.Create(-Ln2High), x);
        r = V.MultiplyAdd(n, V.Create(-Ln2Low), r);
        V p = V.Create(0.00139506895f);
        p = V.MultiplyAdd(p, r, V.Create(0.00836902857f));
        p = V.MultiplyAdd(p, r, V.Create(0.0416662022f));
        p = V.MultiplyAdd(p, r, V.Create(0.166665182f));
        p = V.MultiplyAdd(p, r, V.Create(0.5f));
        p = V.MultiplyAdd(p, r, V.Create(1f));
        return V.MultiplyAdd(p, r, V.Create(1f));
    }
}
