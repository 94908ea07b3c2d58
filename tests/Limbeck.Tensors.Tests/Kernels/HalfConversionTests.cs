using Limbeck.Tensors.Kernels;

namespace Limbeck.Tensors.Tests.Kernels;

public sealed unsafe class HalfConversionTests
{
    [Fact]
    public void Every_half_widens_exactly_and_comes_back()
    {
        ushort[] bits = [.. Enumerable.Range(0, 65536).Select(i => (ushort)i)];
        using GuardedArray single = new(65536);
        ushort[] back = new ushort[65536];
        fixed (ushort* from = bits, to = back)
        {
            HalfConversion.ToSingle(from, single.Pointer, 65536, KernelCheck.One);
            HalfConversion.FromSingle(single.Pointer, to, 65536, KernelCheck.One);
        }

        for (int i = 0; i < 65536; i++)
        {
            Half half = BitConverter.UInt16BitsToHalf((ushort)i);
            if (Half.IsNaN(half))
            {
                Assert.True(float.IsNaN(single[i]) && Half.IsNaN(BitConverter.UInt16BitsToHalf(back[i])));
                continue;
            }

            Assert.Equal(BitConverter.SingleToInt32Bits((float)half), BitConverter.SingleToInt32Bits(single[i]));
            Assert.Equal((ushort)i, back[i]);
        }
    }

    [Fact]
    public void Rounding_is_to_nearest_with_halves_to_even()
    {
        // Every midpoint between neighbours of half precision, one bit below and one above; and a sweep of all exponents.
        List<float> values = [0f, -0f, 65504f, 65519.996f, 65520f, 65536f, 1e30f, float.MaxValue, float.PositiveInfinity, float.NegativeInfinity, float.NaN, float.Epsilon];
        for (int i = 0; i < 0x7BFF; i++)
        {
            float middle = ((float)BitConverter.UInt16BitsToHalf((ushort)i) + (float)BitConverter.UInt16BitsToHalf((ushort)(i + 1))) / 2;
            values.AddRange([middle, MathF.BitIncrement(middle), MathF.BitDecrement(middle), -middle]);
        }

        for (long bits = 0; bits <= uint.MaxValue; bits += 49_999)
        {
            values.Add(BitConverter.UInt32BitsToSingle((uint)bits));
        }

        using GuardedArray x = new(values.ToArray());
        ushort[] y = new ushort[x.Length];
        fixed (ushort* to = y)
        {
            HalfConversion.FromSingle(x.Pointer, to, x.Length, KernelCheck.One);
        }

        for (int i = 0; i < y.Length; i++)
        {
            Half expected = (Half)x[i];
            Assert.True(
                BitConverter.HalfToUInt16Bits(expected) == y[i] || (Half.IsNaN(expected) && Half.IsNaN(BitConverter.UInt16BitsToHalf(y[i]))),
                $"{x[i]:g9} became {y[i]:x4}, expected {BitConverter.HalfToUInt16Bits(expected):x4}");
        }
    }

    [Fact]
    public void Every_length_is_converted_whole()
    {
        for (int n = 0; n <= 70; n++)
        {
            using GuardedArray x = GuardedArray.Random(new Random(n), n);
            using GuardedArray back = new(n);
            ushort[] y = new ushort[n + 1];
            y[n] = 0xABCD;
            fixed (ushort* to = y)
            {
                HalfConversion.FromSingle(x.Pointer, to, n, KernelCheck.One);
                HalfConversion.ToSingle(to, back.Pointer, n, KernelCheck.One);
            }

            Assert.Equal(0xABCD, y[n]);
            Assert.Equal(x.Span.ToArray().Select(v => (float)(Half)v), back.Span.ToArray());
        }
    }
}
