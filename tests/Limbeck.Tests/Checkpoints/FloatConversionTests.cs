using System.Runtime.InteropServices;
using Limbeck.Checkpoints;

namespace Limbeck.Tests.Checkpoints;

public class FloatConversionTests
{
    private static readonly ushort[] AllPatterns = [.. Enumerable.Range(0, 1 << 16).Select(bits => (ushort)bits)];

    private static float[] Widen(TensorType type, ReadOnlySpan<ushort> source)
    {
        var result = new float[source.Length];
        FloatConversion.Widen(type, MemoryMarshal.AsBytes(source), result);
        return result;
    }

    [Fact]
    public void Every_half_widens_exactly()
    {
        float[] widened = Widen(TensorType.F16, AllPatterns);
        for (int bits = 0; bits < AllPatterns.Length; bits++)
        {
            // Sign, exponent and mantissa by hand, so that the runtime's conversion is not its own judge.
            int exponent = (bits >> 10) & 31, mantissa = bits & 1023;
            double magnitude = exponent == 0 ? mantissa * Math.Pow(2, -24) : exponent < 31 ? (1024 + mantissa) * Math.Pow(2, exponent - 25) : mantissa == 0 ? double.PositiveInfinity : double.NaN;
            float needed = (float)(bits >= 0x8000 ? -magnitude : magnitude);
            Assert.True(float.IsNaN(needed) ? float.IsNaN(widened[bits]) : BitConverter.SingleToInt32Bits(needed) == BitConverter.SingleToInt32Bits(widened[bits]), $"0x{bits:X4}: {widened[bits]}, needed {needed}");
        }
    }

    [Fact]
    public void Every_bfloat16_widens_exactly()
    {
        float[] widened = Widen(TensorType.BF16, AllPatterns);
        for (int bits = 0; bits < AllPatterns.Length; bits++)
        {
            Assert.Equal((uint)bits << 16, BitConverter.SingleToUInt32Bits(widened[bits]));
        }
    }

    [Theory]
    [InlineData(TensorType.F16)]
    [InlineData(TensorType.BF16)]
    public void Every_length_and_alignment_widens_as_one_at_a_time(TensorType type)
    {
        byte[] bytes = MemoryMarshal.AsBytes(AllPatterns.AsSpan(0x3B00, 300)).ToArray();
        for (int length = 0; length <= 130; length++)
        {
            for (int start = 0; start < 3; start++)
            {
                var result = new float[length];
                FloatConversion.Widen(type, bytes.AsSpan(start, length * 2), result);
                for (int i = 0; i < length; i++)
                {
                    Assert.Equal(Widen(type, [BitConverter.ToUInt16(bytes, start + (2 * i))])[0], result[i]);
                }
            }
        }
    }

    [Fact]
    public void Doubles_round_to_the_nearest_float()
    {
        double[] source = [0, -0.0, 1 + Math.Pow(2, -24), 1 + (3 * Math.Pow(2, -24)), 1e-320, 1e308, double.NaN, 0.1];
        var result = new float[source.Length];
        FloatConversion.Widen(TensorType.F64, MemoryMarshal.AsBytes(source.AsSpan()), result);
        Assert.Equal([0, -0f, 1, 1 + (2 * MathF.Pow(2, -23)), 0, float.PositiveInfinity, float.NaN, 0.1f], result);
    }

    [Fact]
    public void Every_half_survives_narrowing()
    {
        float[] widened = Widen(TensorType.F16, AllPatterns);
        var narrowed = new ushort[widened.Length];
        Assert.Equal(-1, FloatConversion.NarrowToHalf(widened, narrowed));
        for (int bits = 0; bits < widened.Length; bits++)
        {
            Assert.True(float.IsNaN(widened[bits]) ? (narrowed[bits] & 0x7FFF) > 0x7C00 : narrowed[bits] == bits, $"0x{bits:X4} became 0x{narrowed[bits]:X4}");
        }
    }

    [Fact]
    public void Narrowing_rounds_halfway_values_to_even_and_others_to_the_nearest()
    {
        ushort[] one = new ushort[1];
        for (int bits = 0; bits < 0x7BFF; bits++)
        {
            double low = Widen(TensorType.F16, [(ushort)bits])[0], high = Widen(TensorType.F16, [(ushort)(bits + 1)])[0];
            float middle = (float)((low + high) / 2);
            FloatConversion.NarrowToHalf([middle], one);
            Assert.Equal(bits + (bits & 1), one[0]);
            FloatConversion.NarrowToHalf([MathF.BitDecrement(middle)], one);
            Assert.Equal(bits, one[0]);
            FloatConversion.NarrowToHalf([MathF.BitIncrement(middle)], one);
            Assert.Equal(bits + 1, one[0]);
        }
    }

    [Theory]
    [InlineData(65519.996f, -1)]
    [InlineData(65520f, 1)]
    [InlineData(-1e30f, 1)]
    [InlineData(float.PositiveInfinity, -1)]
    [InlineData(float.NaN, -1)]
    public void A_finite_number_beyond_half_precision_is_reported(float value, int place) => Assert.Equal(place, FloatConversion.NarrowToHalf([1, value, value], new ushort[3]));
}
