namespace Limbeck.Tensors.Kernels;

/// <summary>The random masks of dropout: a hash of a key and an element's index says whether the element is kept, so a mask is never stored, the
/// backward pass finds it again, and it is the same on every CPU tier and for any number of threads.</summary>
/// <remarks>An index has 32 bits; beyond 4 Gi elements a mask repeats.</remarks>
public static class DropoutMask
{
    // Odd multipliers with bits all over; chosen by us, judged by the tests of uniformity and independence.
    internal const int FirstMultiplier = 0x2C9277B5;
    internal const int SecondMultiplier = unchecked((int)0xAC564B05);

    /// <summary>The key of one mask: a mix of its three coordinates.</summary>
    /// <param name="seed">Of the run.</param>
    /// <param name="step">Of the training step.</param>
    /// <param name="site">Number of the dropout within the step.</param>
    public static uint Key(ulong seed, ulong step, uint site)
    {
        ulong mixed = Mix(seed + 0x9E3779B97F4A7C15);
        mixed = Mix(mixed ^ (step * 0xD1342543DE82EF95));
        mixed = Mix(mixed ^ ((site + 1ul) * 0xC2B2AE3D27D4EB4F));
        return (uint)(mixed >> 32);
    }

    /// <summary>Whether an element is kept. The kernels compute the same with <see cref="DropoutLanes{V}"/>.</summary>
    /// <param name="key">From <see cref="Key"/>.</param>
    /// <param name="index">The element's number, row-major.</param>
    /// <param name="probability">Of dropping, in [0, 1).</param>
    public static bool Keeps(uint key, uint index, float probability) => Hash(key, index) >= Threshold(probability);

    /// <summary>1/(1-p), by which a kept element is multiplied.</summary>
    /// <param name="probability">Of dropping, in [0, 1).</param>
    public static float Scale(float probability) => 1f / (1f - probability);

    /// <summary>A uniform 32-bit number. Its high bits are the good ones.</summary>
    internal static uint Hash(uint key, uint index)
    {
        uint h = index + key;
        h ^= h >> 16;
        h *= FirstMultiplier;
        h = h ^ (h >> 15) ^ SecondKey(key);
        h *= unchecked((uint)SecondMultiplier);
        return h ^ (h >> 17);
    }

    /// <summary>Enters between the multiplications: without it two keys would give one sequence, shifted. Mixed well, for keys may be neighbours.</summary>
    internal static uint SecondKey(uint key) => (uint)(Mix(key + 0x9E3779B97F4A7C15) >> 32);

    /// <summary>Hashes below it are dropped: p * 2^32.</summary>
    internal static uint Threshold(float probability) =>
        probability is >= 0f and < 1f
            ? (uint)Math.Min(Math.Round(probability * 4294967296.0), uint.MaxValue)
            : throw new ArgumentOutOfRangeException(nameof(probability), probability, "a dropout probability must be at least 0 and below 1");

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 32)) * 0xD6E8FEB86659FD93;
        z = (z ^ (z >> 29)) * 0xCF1BBCDCB7A56463;
        return z ^ (z >> 32);
    }
}
