using Limbeck.Tensors.Kernels;

namespace Limbeck.Tensors.Tests.Kernels;

public class HalfConversionTests
{
    [Fact]
    public void Every_half_widens_as_its_cast_does()
    {
        Half[] halves = [.. Enumerable.Range(0, 65536).Select(i => BitConverter.UInt16BitsToHalf((ushort)i))];
        float[] wide = new float[halves.Length];
        HalfConversion.Widen(halves, wide);
        for (int i = 0; i < halves.Length; i++)
        {
            AssertSame((float)halves[i], wide[i]);
        }
    }

    [Fact]
    public void Floats_at_and_beside_every_half_and_every_tie_narrow_as_their_cast_does()
    {
        List<float> values = [];
        for (int i = 0; i <= 0x7c00; i++)
        {
            float half = (float)BitConverter.UInt16BitsToHalf((ushort)i);
            float next = i < 0x7bff ? (float)BitConverter.UInt16BitsToHalf((ushort)(i + 1)) : 65536;
            float tie = half + ((next - half) / 2);
            values.AddRange([half, MathF.BitIncrement(half), MathF.BitDecrement(half), tie, MathF.BitIncrement(tie), MathF.BitDecrement(tie)]);
        }

        values.AddRange([float.MaxValue, float.PositiveInfinity, float.NaN, float.Epsilon, 65519.99f, 65520]);
        float[] all = [.. values, .. values.Select(value => -value)];
        Half[] halves = new Half[all.Length];
        Assert.False(HalfConversion.Narrow(all, halves));
        for (int i = 0; i < all.Length; i++)
        {
            AssertSame((float)(Half)all[i], (float)halves[i]);
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    [InlineData(65520)]
    [InlineData(-65520)]
    public void A_value_that_no_half_can_hold_is_told_at_every_place_of_every_length(float value)
    {
        for (int length = 1; length < 80; length++)
        {
            float[] values = new float[length];
            values.AsSpan().Fill(65519);
            Half[] halves = new Half[length];
            Assert.True(HalfConversion.Narrow(values, halves));
            for (int at = 0; at < length; at++)
            {
                values.AsSpan().Fill(1);
                values[at] = value;
                Assert.False(HalfConversion.Narrow(values, halves));
            }
        }
    }

    [Fact]
    public void Lengths_that_differ_are_refused() =>
        Assert.Throws<ArgumentException>(() => HalfConversion.Widen(new Half[3], new float[4]));

    private static void AssertSame(float expected, float got)
    {
        if (float.IsNaN(expected))
        {
            Assert.True(float.IsNaN(got));
        }
        else
        {
            Assert.Equal(BitConverter.SingleToInt32Bits(expected), BitConverter.SingleToInt32Bits(got));
        }
    }
}
