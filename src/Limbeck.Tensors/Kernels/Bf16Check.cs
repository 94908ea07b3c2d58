using Limbeck.Tensors.Code;

namespace Limbeck.Tensors.Kernels;

/// <summary>Compares the CPU's own products in bfloat16 with the portable path, once in a process, so that a CPU that rounds in another way is known.</summary>
internal static unsafe class Bf16Check
{
    private const int Pairs = 64;
    private const int Rows = 2;
    private const int Vectors = 2;
    private const int Lane = 16;

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
