using Limbeck.Tensors.Kernels;

namespace Limbeck.Tensors.Tests.Kernels;

/// <summary>Rounding to bfloat16 and the portable dot product against the definitions, bit for bit.</summary>
public sealed unsafe class Bf16DotTests
{
    private const int Seed = 41;

    // As bfloat16: zeros, ones, the smallest and largest normal numbers, infinities, NaN, and numbers whose products are near 2^-126.
    private static readonly uint[] Special =
        [0x0000, 0x8000, 0x3f80, 0xbf80, 0x0080, 0x8080, 0x00ff, 0x7f7f, 0xff7f, 0x7f80, 0xff80, 0x7fc0, 0x2000, 0x1fff, 0xa001, 0x3f7f, 0x33ff, 0x0c81, 0x5f7f];

    private static readonly float[] Sums =
        [0f, -0f, 1f, -1f, Smallest, -Smallest, Smallest + float.Epsilon, (2 * Smallest) - float.Epsilon, float.MaxValue, -float.MaxValue, float.PositiveInfinity, float.NaN, 1e-30f];

    private const float Smallest = 1.17549435e-38f;

    [Fact]
    public void Rounding_takes_the_nearest_bfloat16_and_ties_go_to_even()
    {
        Assert.Equal(1f, Rounded(1f + (1f / 256)));
        Assert.Equal(1f + (1f / 64), Rounded(1f + (3f / 256)));
        Assert.Equal(float.PositiveInfinity, Rounded(float.MaxValue));
        Assert.Equal(BitConverter.SingleToInt32Bits(-0f), BitConverter.SingleToInt32Bits(Rounded(-Smallest + float.Epsilon)));
        Assert.True(float.IsNaN(Rounded(BitConverter.Int32BitsToSingle(0x7f800001))));
        for (uint upper = 0; upper <= 0xffff; upper++)
        {
            foreach (uint lower in (uint[])[0, 1, 0x7fff, 0x8000, 0x8001, 0xffff])
            {
                float x = BitConverter.UInt32BitsToSingle((upper << 16) | lower);
                float got = Rounded(x);
                Assert.True(
                    BitConverter.SingleToInt32Bits(got) == BitConverter.SingleToInt32Bits(Bf16Definition.Round(x)),
                    $"{upper:x4}{lower:x4} became {BitConverter.SingleToUInt32Bits(got):x8}, needed {BitConverter.SingleToUInt32Bits(Bf16Definition.Round(x)):x8}");
            }
        }
    }

    [Fact]
    public void The_portable_dot_product_is_the_instruction_for_every_pair_of_special_values()
    {
        foreach (uint upper in Special)
        {
            foreach (uint lower in Special)
            {
                uint x = (upper << 16) | lower;
                foreach (uint other in Special)
                {
                    uint y = (other << 16) | Special[(upper + other) % (uint)Special.Length];
                    foreach (float sum in Sums)
                    {
                        Check(x, y, sum);
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData(0, 255)]
    [InlineData(100, 150)]
    [InlineData(56, 72)]
    public void The_portable_dot_product_is_the_instruction_for_random_values(int fromExponent, int toExponent)
    {
        Random random = new(Seed);
        for (int i = 0; i < 20000; i++)
        {
            float sum = BitConverter.UInt32BitsToSingle((uint)random.NextInt64(1L << 32));
            float product = Number(random, fromExponent, toExponent);
            uint x = Pair(random, fromExponent, toExponent), y = Pair(random, fromExponent, toExponent);
            Check(x, y, i % 3 == 0 ? 0 : i % 3 == 1 && !float.IsSubnormal(sum) ? sum : product);
        }
    }

    [Fact]
    public void A_result_that_only_rounding_lifts_to_the_smallest_normal_number_is_still_subnormal()
    {
        // 2^-126 - 2^-150: the float32 nearest to it is 2^-126, but with unbounded exponent it needs no rounding and is below.
        uint x = 0xa7800000;
        uint y = 0x0c800000;
        Assert.Equal(-Math.ScaleB(1, -150), (double)BitConverter.UInt32BitsToSingle(x) * BitConverter.UInt32BitsToSingle(y));
        Assert.Equal(Smallest, MathF.FusedMultiplyAdd(BitConverter.UInt32BitsToSingle(x), BitConverter.UInt32BitsToSingle(y), Smallest));
        Assert.Equal(0f, Bf16Definition.Dot(x, y, Smallest));
        Check(x, y, Smallest);
    }

    private static uint Pair(Random random, int from, int to) =>
        (BitConverter.SingleToUInt32Bits(Number(random, from, to)) & 0xffff0000) | (BitConverter.SingleToUInt32Bits(Number(random, from, to)) >> 16);

    // As a bfloat16 that is not subnormal.
    private static float Number(Random random, int from, int to)
    {
        uint exponent = (uint)random.Next(from, to + 1);
        uint significand = exponent == 0 ? 0 : (uint)random.Next(128);
        return BitConverter.UInt32BitsToSingle(((uint)random.Next(2) << 31) | (exponent << 23) | (significand << 16));
    }

    private static void Check(uint x, uint y, float sum)
    {
        float expected = Bf16Definition.Dot(x, y, sum);
        foreach (float got in (float[])[Dot<Lanes4>(x, y, sum), Cpu.Tier >= CpuTier.Avx2 ? Dot<Lanes8>(x, y, sum) : expected, Cpu.Tier == CpuTier.Avx512 ? Dot<Lanes16>(x, y, sum) : expected])
        {
            Assert.True(
                Bf16Definition.Same(expected, got),
                $"{sum:R} + {x:x8} * {y:x8} is {got:R} ({BitConverter.SingleToUInt32Bits(got):x8}); by the definition {expected:R} ({BitConverter.SingleToUInt32Bits(expected):x8}); seed {Seed}");
        }
    }

    private static float Dot<V>(uint x, uint y, float sum)
        where V : struct, ILanes<V>
    {
        float* lanes = stackalloc float[16];
        V pair = V.CreateBits((int)x);
        V.Store(Bf16Dot.Add(V.Create(sum), V.And(pair, V.CreateBits(Bf16Rounding.High)), V.ShiftLeft(pair, 16), V.CreateBits((int)y)), lanes);
        return lanes[V.Count - 1];
    }

    private static float Rounded(float x)
    {
        float* lanes = stackalloc float[16];
        Lanes4.Store(Bf16Rounding.Round(Lanes4.Create(x)), lanes);
        float first = lanes[0];
        if (Cpu.Tier == CpuTier.Avx512)
        {
            Lanes16.Store(Bf16Rounding.Round(Lanes16.Create(x)), lanes);
            Assert.Equal(BitConverter.SingleToInt32Bits(first), BitConverter.SingleToInt32Bits(lanes[15]));
        }

        return first;
    }
}
