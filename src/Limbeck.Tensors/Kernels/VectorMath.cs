using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

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

    /// <summary>The error function. Absolute error under 1e-7; exactly +-1 beyond 3.98.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Erf<V>(V x)
        where V : struct, ILanes<V>
    {
        V sign = V.CreateBits(int.MinValue);
        V half = V.Create(0.5f) - UpperTail(V.Max(V.Create(-TailEnd), V.Or(x * V.Create(1.41421356f), sign)));
        return V.Xor(half + half, V.And(x, sign));
    }

    /// <summary>GELU in its exact form, x * Phi(x), Phi the standard normal distribution function. Error under 1e-7 * max(1, |x|).</summary>
    /// <remarks>max(x, 0) - |x| Q(|x|), Q the upper tail 1 - Phi, from a table of polynomials: no exponential, no division.
    /// Exactly x or 0 beyond 5.63, infinities included.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gelu<V>(V x)
        where V : struct, ILanes<V>
    {
        V n = V.Max(V.Create(-TailEnd), V.Or(x, V.CreateBits(int.MinValue)));
        return V.MultiplyAdd(n, UpperTail(n), V.Max(V.Zero, x));
    }

    /// <summary>d Gelu / dx = Phi(x) + x phi(x). Error under 1.5e-7; exactly 0 or 1 beyond 6.1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe V GeluDerivative<V>(V x)
        where V : struct, ILanes<V>
    {
        V sign = V.CreateBits(int.MinValue);
        V n = V.Max(V.Create(-SlopeEnd), V.Or(x, sign));
        V biased = V.MultiplyAdd(n, V.Create(-1 / SlopeStep), V.Create(RoundingBias));
        V r = V.MultiplyAdd(biased - V.Create(RoundingBias), V.Create(SlopeStep), n);
        float* table = Pointer(SlopeTable);
        V p = V.Lookup(table + 80, biased);
        p = V.MultiplyAdd(p, r, V.Lookup(table + 64, biased));
        p = V.MultiplyAdd(p, r, V.Lookup(table + 48, biased));
        p = V.MultiplyAdd(p, r, V.Lookup(table + 32, biased));
        p = V.MultiplyAdd(p, r, V.Lookup(table + 16, biased));
        p = V.MultiplyAdd(p, r, V.Lookup(table, biased));
        return V.Create(0.5f) + V.Xor(p, V.And(x, sign));
    }

    // Knots 0, h, ..., 15h; h has so few bits that a knot and a distance from it are exact. The last knot's tail is 9e-9, taken as 0.
    private const float TailStep = 0.375f;
    private const float TailEnd = 15 * TailStep;
    private const float SlopeStep = 0.40625f;
    private const float SlopeEnd = 15 * SlopeStep;

    /// <summary>Q(a) of n = -a in [-15h, 0]: a polynomial of degree 5 in (nearest knot - a).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe V UpperTail<V>(V n)
        where V : struct, ILanes<V>
    {
        // The low four bits of a/h + 1.5 * 2^23 are the knot's number.
        V biased = V.MultiplyAdd(n, V.Create(-1 / TailStep), V.Create(RoundingBias));
        V r = V.MultiplyAdd(biased - V.Create(RoundingBias), V.Create(TailStep), n);
        float* table = Pointer(TailTable);
        V p = V.Lookup(table + 80, biased);
        p = V.MultiplyAdd(p, r, V.Lookup(table + 64, biased));
        p = V.MultiplyAdd(p, r, V.Lookup(table + 48, biased));
        p = V.MultiplyAdd(p, r, V.Lookup(table + 32, biased));
        p = V.MultiplyAdd(p, r, V.Lookup(table + 16, biased));
        return V.MultiplyAdd(p, r, V.Lookup(table, biased));
    }

    // The tables are constants of the program's image: they do not move.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe float* Pointer(ReadOnlySpan<float> constants) => (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(constants));

    // Row k: the coefficient of r^k for each of 16 knots. Fitted to Q(a), error weighted by min(1, a); the last column ends in 0.
    private static ReadOnlySpan<float> TailTable =>
    [
        0.5f, 0.353830248f, 0.22662735f, 0.130294517f, 0.066807203f, 0.030396359f, 0.0122244712f, 0.00433244789f,
        0.00134989817f, 0.000369078713f, 8.8417466e-05f, 1.85368226e-05f, 3.39770349e-06f, 5.44051034e-07f, 7.6051677e-08f, 0f,
        0.398942262f, 0.37185505f, 0.301137418f, 0.211876646f, 0.1295176f, 0.0687862784f, 0.0317396484f, 0.0127241798f,
        0.00443184795f, 0.00134111894f, 0.000352595933f, 8.05406235e-05f, 1.598382e-05f, 2.75596926e-06f, 4.12854234e-07f, 5.37348512e-08f,
        -6.75042145e-07f, 0.0697211921f, 0.112924479f, 0.119179711f, 0.0971386433f, 0.064488098f, 0.0357077979f, 0.0167006962f,
        0.00664769765f, 0.00226300396f, 0.000661024824f, 0.000166071404f, 3.59478472e-05f, 6.71312227e-06f, 1.0826634e-06f, 1.50935421e-07f,
        -0.0665019527f, -0.0532539301f, -0.0219552983f, 0.00937885046f, 0.0269820224f, 0.028840052f, 0.0214907713f, 0.0124925608f,
        0.00590925477f, 0.00232249987f, 0.000767586287f, 0.000214953136f, 5.12669867e-05f, 1.04519695e-05f, 1.8264144e-06f, 2.7886162e-07f,
        -9.00095984e-05f, -0.0164805632f, -0.022779759f, -0.017156722f, -0.00610539597f, 0.00269762496f, 0.00608495157f, 0.00539880991f,
        0.00332962698f, 0.00159261329f, 0.000616451725f, 0.000197295696f, 5.28764176e-05f, 1.19641272e-05f, 2.29837474e-06f, 3.14762815e-07f,
        0.00969093945f, 0.00656519318f, -0.000194969238f, -0.00522693992f, -0.00582977803f, -0.0032856043f, -0.000480217743f, 0.00095294154f,
        0.00110202713f, 0.000720283831f, 0.000344067725f, 0.000129311738f, 3.95159514e-05f, 9.99696931e-06f, 2.11721772e-06f, 5.71426199e-07f,
    ];

    // The same for Phi(a) + a phi(a) - 1/2; the last column ends in 1/2.
    private static ReadOnlySpan<float> SlopeTable =>
    [
        0f, 0.306953758f, 0.524761736f, 0.619888544f, 0.621043444f, 0.581859529f, 0.542458773f, 0.517665982f,
        0.506017387f, 0.501696289f, 0.500398338f, 0.500078261f, 0.500012875f, 0.500001788f, 0.500000179f, 0.5f,
        -0.797884524f, -0.674060822f, -0.384249389f, -0.09769696f, 0.0682510734f, 0.107776545f, 0.0806123167f, 0.042584952f,
        0.0173737165f, 0.00567205111f, 0.00150874956f, 0.000330431183f, 5.9985141e-05f, 9.06756486e-06f, 1.14509976e-06f, 1.21107249e-07f,
        3.51905942e-06f, -0.286131918f, -0.389099032f, -0.290893704f, -0.117681779f, 0.00647932244f, 0.0483930223f, 0.0406577997f,
        0.0216394849f, 0.00854527857f, 0.00264189811f, 0.000655985088f, 0.000132712928f, 2.20750935e-05f, 3.03749766e-06f, 3.47301636e-07f,
        0.266035497f, 0.175825715f, -0.00884535536f, -0.132591978f, -0.133375511f, -0.0664006174f, -0.00780774187f, 0.0149131417f,
        0.0140789775f, 0.00741247833f, 0.00278883358f, 0.000805959164f, 0.000184802368f, 3.42251005e-05f, 5.17636363e-06f, 6.59712327e-07f,
        0.000645444554f, 0.0995119363f, 0.107424878f, 0.0373863615f, -0.0286686346f, -0.0440159328f, -0.0250542462f, -0.00477691647f,
        0.00357330171f, 0.003754606f, 0.00192644657f, 0.000684554747f, 0.000184095596f, 3.89243505e-05f, 6.60511523e-06f, 7.26821668e-07f,
        -0.0576788634f, -0.0303617213f, 0.0210172161f, 0.0402028076f, 0.0208364073f, -0.00387041806f, -0.011796033f, -0.00717287697f,
        -0.00149998383f, 0.000778072223f, 0.000828784017f, 0.00039845283f, 0.000130218454f, 3.18901257e-05f, 6.09863491e-06f, 1.4614393e-06f,
    ];

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
