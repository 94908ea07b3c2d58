using Limbeck.Tensors.Code;

namespace Limbeck.Tensors.Kernels;

/// <summary>Compares the CPU's own products and conversions in bfloat16 with the portable path, once in a process, so that a CPU that rounds in another way is known.</summary>
internal static unsafe class Bf16Check
{
    private const int Pairs = 64;
    private const int Rows = 2;
    private const int Vectors = 2;
    private const int Lane = 16;

    private static ReadOnlySpan<uint> Special =>
        [0, 0x80000000, 1, 0x80000001, 0x007fffff, 0x807fffff, 0x00800000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7f800001, 0xff800001, 0x7fffffff, 0xffffffff];

    /// <summary>Whether both give the same bits for sums in which every rounding shows.</summary>
    /// <param name="code">The generated tiles.</param>
    public static bool MatchesPortable(GeneratedCode code)
    {
        SeededRandom random = new(16);
        uint* a = stackalloc uint[Pairs * Bf16TileCode.MostRows * 2];
        uint* b = stackalloc uint[Pairs * Vectors * Lane];
        float* own = stackalloc float[Rows * Vectors * Lane];
        float* portable = stackalloc float[Rows * Vectors * Lane];
        Fill(random, new Span<uint>(a, Pairs * Bf16TileCode.MostRows * 2));
        Fill(random, new Span<uint>(b, Pairs * Vectors * Lane));
        Bf16TileCall call = new() { Pairs = Pairs, A = a, B = b, C = own, LdcBytes = Vectors * Lane * sizeof(float), LastMask = Bf16TileCall.Mask(Lane), Ahead = (byte*)a };
        code[Bf16TileCode.Number(Rows, Vectors, false)](&call);
        call.C = portable;
        Bf16TileKernel.Run(Rows, Vectors, false, &call);
        return new Span<uint>(own, Rows * Vectors * Lane).SequenceEqual(new Span<uint>(portable, Rows * Vectors * Lane));
    }

    /// <summary>Whether the CPU's conversion gives the portable rounding's bits: all sizes of numbers, ties, subnormal numbers, infinities and NaNs.</summary>
    /// <param name="code">The generated functions.</param>
    public static bool PacksAsDefined(GeneratedCode code)
    {
        const int Steps = Bf16PackingCode.Steps;
        SeededRandom random = new(17);
        float* source = stackalloc float[Lane * Steps];
        uint* pairs = stackalloc uint[Lane * Steps / 2];
        Span<uint> numbers = new(source, Lane * Steps);
        for (int i = 0; i < numbers.Length; i++)
        {
            // An exponent, and a significand of which every third is a tie.
            uint upper = (uint)random.NextInt(1 << 16) << 16;
            numbers[i] = upper | (i % 3 == 0 ? 0x8000u : (uint)random.NextInt(1 << 16));
        }

        Special.CopyTo(numbers);
        Bf16PackingCall call = Bf16PackingCall.WithShuffle();
        call.Source = source;
        call.StrideBytes = Steps * sizeof(float);
        call.Target = pairs;
        call.Count = 1;
        code[Bf16.PackingCode + Bf16PackingCode.Number(true, 1)](&call);
        bool same = true;
        for (int i = 0; i < Lane * Steps / 2; i++)
        {
            (int pair, int row) = (i / Lane, i % Lane);
            same &= pairs[i] == Portable(source[(row * Steps) + (2 * pair)], source[(row * Steps) + (2 * pair) + 1]);
        }

        call.StrideBytes = Lane * sizeof(float);
        code[Bf16.PackingCode + Bf16PackingCode.Number(false, 1)](&call);
        for (int i = 0; i < Lane; i++)
        {
            same &= pairs[i] == Portable(source[i], source[Lane + i]);
        }

        return same;
    }

    private static uint Portable(float earlier, float later)
    {
        uint* pair = stackalloc uint[Lane];
        Lanes16.Store(Bf16Rounding.Pair(Lanes16.Create(earlier), Lanes16.Create(later)), (float*)pair);
        return *pair;
    }

    // Of either sign, with any significand and sizes that differ by up to 2^16: products overlap the sum in every way.
    private static void Fill(SeededRandom random, Span<uint> pairs)
    {
        foreach (ref uint pair in pairs)
        {
            pair = Number(random) << 16 | Number(random);
        }
    }

    private static uint Number(SeededRandom random)
    {
        const uint Half = 119;
        uint bits = (uint)random.NextInt(1 << 12);
        return ((bits & 0x800) << 4) | ((Half + ((bits >> 7) & 0xf)) << 7) | (bits & 0x7f);
    }
}
