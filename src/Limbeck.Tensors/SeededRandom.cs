using System.Numerics;

namespace Limbeck.Tensors;

/// <summary>The generator behind every shuffle, split and initial weight: xoshiro256** seeded through SplitMix64 (Blackman and Vigna).</summary>
/// <remarks>
/// Integer arithmetic, and for <see cref="Gaussian"/> only operations that IEEE 754 rounds exactly, so a seed gives the same numbers on every
/// platform and in every version of .NET, which <see cref="Random"/> does not promise. Not for secrets. Not thread-safe.
/// </remarks>
public sealed class SeededRandom
{
    private ulong s0;
    private ulong s1;
    private ulong s2;
    private ulong s3;

    /// <summary>Starts the generator.</summary>
    /// <param name="seed">Any number; nearby seeds give unrelated sequences.</param>
    /// <param name="stream">Tells apart sequences of one seed, such as epochs.</param>
    public SeededRandom(ulong seed, ulong stream = 0)
    {
        ulong mix = seed;
        ulong x = SplitMix64(ref mix) ^ stream;
        s0 = SplitMix64(ref x);
        s1 = SplitMix64(ref x);
        s2 = SplitMix64(ref x);
        s3 = SplitMix64(ref x);
    }

    /// <summary>The four words that continue the sequence, for a checkpoint.</summary>
    /// <exception cref="ArgumentException">Not four words, or all zero (a state that the generator cannot be in).</exception>
    public ulong[] State
    {
        get => [s0, s1, s2, s3];
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            if (value.Length != 4 || (value[0] | value[1] | value[2] | value[3]) == 0)
            {
                throw new ArgumentException($"a generator's state is 4 words, not all zero; got {value.Length} words", nameof(value));
            }

            (s0, s1, s2, s3) = (value[0], value[1], value[2], value[3]);
        }
    }

    /// <summary>64 random bits.</summary>
    public ulong NextUInt64()
    {
        ulong result = BitOperations.RotateLeft(s1 * 5, 7) * 9;
        ulong t = s1 << 17;
        s2 ^= s0;
        s3 ^= s1;
        s1 ^= s2;
        s0 ^= s3;
        s2 ^= t;
        s3 = BitOperations.RotateLeft(s3, 45);
        return result;
    }

    /// <summary>A multiple of 2^-53 in [0, 1), all equally likely.</summary>
    public double NextDouble() => (NextUInt64() >> 11) * (1.0 / (1UL << 53));

    /// <summary>An integer in [0, bound), all exactly equally likely (Lemire's multiplication with rejection).</summary>
    /// <param name="bound">At least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bound is below 1.</exception>
    public int NextInt(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bound, 1);
        ulong n = (ulong)bound;
        ulong high = Math.BigMul(NextUInt64(), n, out ulong low);
        if (low < n)
        {
            ulong threshold = (0 - n) % n;
            while (low < threshold)
            {
                high = Math.BigMul(NextUInt64(), n, out low);
            }
        }

        return (int)high;
    }

    /// <summary>Puts the items into a random order (Fisher and Yates), every order equally likely.</summary>
    /// <param name="items">Shuffled in place.</param>
    public void Shuffle<T>(Span<T> items)
    {
        for (int i = items.Length - 1; i > 0; i--)
        {
            int j = NextInt(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    /// <summary>A draw from the normal distribution of mean 0 and deviation 1 (Marsaglia's polar method; the second of each two is not kept).</summary>
    public double Gaussian()
    {
        while (true)
        {
            double u = (2 * NextDouble()) - 1;
            double v = (2 * NextDouble()) - 1;
            double s = (u * u) + (v * v);
            if (s < 1 && s > 0)
            {
                return u * Math.Sqrt(-2 * Log(s) / s);
            }
        }
    }

    /// <summary>Fills with draws from the normal distribution of mean 0, as initial weights are.</summary>
    /// <param name="values">Overwritten in order.</param>
    /// <param name="deviation">The standard deviation (BERT: 0.02).</param>
    public void FillGaussian(Span<float> values, double deviation)
    {
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)(deviation * Gaussian());
        }
    }

    /// <summary>The natural logarithm of a positive normal number, from exactly rounded operations alone: a platform's own may differ in the last bit.</summary>
    internal static double Log(double x)
    {
        int exponent = Math.ILogB(x);
        double m = Math.ScaleB(x, -exponent);
        if (m > 1.4142135623730951)
        {
            m /= 2;
            exponent++;
        }

        // ln m = 2 artanh((m - 1) / (m + 1)); |s| <= 0.172, so the first term left out is below 1e-18 of the sum.
        double s = (m - 1) / (m + 1);
        double s2 = s * s;
        double sum = 0;
        for (int k = 23; k >= 1; k -= 2)
        {
            sum = (sum * s2) + (1.0 / k);
        }

        return (exponent * 0.6931471805599453) + (2 * s * sum);
    }

    private static ulong SplitMix64(ref ulong x)
    {
        x += 0x9E3779B97F4A7C15;
        ulong z = x;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
