using System.Numerics;

namespace Limbeck.Tensors.Tests.Kernels;

/// <summary>VDPBF16PS and VCVTNEPS2BF16 one number at a time, in exact arithmetic, from Intel's pseudo code: slow and true.</summary>
internal static class Bf16Definition
{
    private const int SignificandBits = 24;
    private const int LowestExponent = -126;
    private const int HighestExponent = 127;

    /// <summary>The sum, plus the product of the upper halves, plus that of the lower ones.</summary>
    public static float Dot(uint x, uint y, float sum)
    {
        float first = MultiplyAdd(Upper(x), Upper(y), sum);
        return MultiplyAdd(Upper(x << 16), Upper(y << 16), first);
    }

    /// <summary>x*y + sum with subnormal operands as zeros, rounded once to nearest even, a subnormal result as zero.</summary>
    public static float MultiplyAdd(float x, float y, float sum)
    {
        (x, y, sum) = (WithoutSubnormal(x), WithoutSubnormal(y), WithoutSubnormal(sum));
        if (!float.IsFinite(x) || !float.IsFinite(y) || !float.IsFinite(sum))
        {
            return MathF.FusedMultiplyAdd(x, y, sum);
        }

        (BigInteger xs, int xe) = Split(x);
        (BigInteger ys, int ye) = Split(y);
        (BigInteger cs, int ce) = Split(sum);
        BigInteger product = xs * ys;
        int exponent = Math.Min(xe + ye, ce);
        BigInteger exact = (product << (xe + ye - exponent)) + (cs << (ce - exponent));
        if (exact.IsZero)
        {
            bool negative = product.IsZero && cs.IsZero && float.IsNegative(sum) && float.IsNegative(x) != float.IsNegative(y);
            return negative ? -0f : 0f;
        }

        BigInteger size = BigInteger.Abs(exact);
        int surplus = (int)size.GetBitLength() - SignificandBits;
        if (surplus > 0)
        {
            BigInteger half = BigInteger.One << (surplus - 1);
            BigInteger kept = size >> surplus;
            BigInteger rest = size - (kept << surplus);
            size = kept + (rest > half || (rest == half && !kept.IsEven) ? 1 : 0);
            exponent += surplus;
        }

        int top = exponent + (int)size.GetBitLength() - 1;
        double rounded = top < LowestExponent ? 0 : top > HighestExponent ? double.PositiveInfinity : Math.ScaleB((double)size, exponent);
        return (float)(exact.Sign < 0 ? -rounded : rounded);
    }

    /// <summary>The nearest bfloat16 as a float32.</summary>
    public static float Round(float x)
    {
        uint bits = BitConverter.SingleToUInt32Bits(WithoutSubnormal(x));
        if (float.IsNaN(x))
        {
            return BitConverter.UInt32BitsToSingle((bits & 0xffff0000) | 0x00400000);
        }

        uint below = bits & 0xffff0000;
        uint rest = bits & 0xffff;
        bool up = rest > 0x8000 || (rest == 0x8000 && (below & 0x10000) != 0);
        return BitConverter.UInt32BitsToSingle(below + (up ? 0x10000u : 0));
    }

    /// <summary>The same number, or the same NaN-ness.</summary>
    public static bool Same(float a, float b) => float.IsNaN(a) ? float.IsNaN(b) : BitConverter.SingleToInt32Bits(a) == BitConverter.SingleToInt32Bits(b);

    private static float Upper(uint pair) => BitConverter.UInt32BitsToSingle(pair & 0xffff0000);

    private static float WithoutSubnormal(float x) => float.IsSubnormal(x) ? MathF.CopySign(0, x) : x;

    private static (BigInteger Significand, int Exponent) Split(float x)
    {
        const int Bias = 127 + SignificandBits - 1;
        int bits = BitConverter.SingleToInt32Bits(x);
        int exponent = (bits >> 23) & 0xff;
        int significand = exponent == 0 ? 0 : (bits & 0x7fffff) | 0x800000;
        return (bits < 0 ? -significand : significand, exponent - Bias);
    }
}
