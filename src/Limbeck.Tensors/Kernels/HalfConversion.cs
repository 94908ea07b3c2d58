using System.Numerics;
using System.Runtime.InteropServices;

namespace Limbeck.Tensors.Kernels;

/// <summary>Float32 to half precision and back, many at a time: the same bits as the casts of <see cref="Half"/> (NaN stays NaN).</summary>
public static class HalfConversion
{
    private const uint HalfInfinity = 0x7c00;

    /// <summary>Rounds to the nearest half, ties to even.</summary>
    /// <param name="source">The numbers.</param>
    /// <param name="destination">As long as the source.</param>
    /// <returns>True when all results are finite; false when one was not a number or beyond 65504, the largest half.</returns>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static bool Narrow(ReadOnlySpan<float> source, Span<Half> destination)
    {
        RequireEqual(source.Length, destination.Length);
        ReadOnlySpan<uint> from = MemoryMarshal.Cast<float, uint>(source);
        Span<ushort> into = MemoryMarshal.Cast<Half, ushort>(destination);
        Vector<ushort> largest = Vector<ushort>.Zero;
        int i = 0;
        for (; i <= from.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector<ushort> halves = Vector.Narrow(Narrow(new Vector<uint>(from[i..])), Narrow(new Vector<uint>(from[(i + Vector<uint>.Count)..])));
            halves.CopyTo(into[i..]);
            largest = Vector.Max(largest, halves & new Vector<ushort>(0x7fff));
        }

        bool finite = Vector.LessThanAll(largest, new Vector<ushort>((ushort)HalfInfinity));
        for (; i < source.Length; i++)
        {
            destination[i] = (Half)source[i];
            finite &= Half.IsFinite(destination[i]);
        }

        return finite;
    }

    /// <summary>Widens halves; exact.</summary>
    /// <param name="source">The halves.</param>
    /// <param name="destination">As long as the source.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Widen(ReadOnlySpan<Half> source, Span<float> destination)
    {
        RequireEqual(source.Length, destination.Length);
        ReadOnlySpan<ushort> from = MemoryMarshal.Cast<Half, ushort>(source);
        int i = 0;
        for (; i <= from.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(from[i..]), out Vector<uint> low, out Vector<uint> high);
            Widen(low).CopyTo(destination[i..]);
            Widen(high).CopyTo(destination[(i + Vector<float>.Count)..]);
        }

        for (; i < source.Length; i++)
        {
            destination[i] = (float)source[i];
        }
    }

    private static Vector<uint> Narrow(Vector<uint> bits)
    {
        Vector<uint> size = bits & new Vector<uint>(0x7fffffff);
        Vector<uint> sign = (bits >>> 16) & new Vector<uint>(0x8000);

        // Normal halves: drop 13 bits of the significand, ties to even (a carry moves on into the exponent), and re-bias the exponent by 112.
        Vector<uint> odd = (size >>> 13) & Vector<uint>.One;
        Vector<uint> normal = (size + odd + new Vector<uint>(unchecked(0xfff - (112u << 23)))) >>> 13;

        // Subnormal halves are multiples of 2^-24, which is the last bit of a float in [0.5, 1): adding 0.5 rounds to it.
        Vector<float> half = new(0.5f);
        Vector<uint> small = Vector.AsVectorUInt32(Vector.AsVectorSingle(size) + half) - Vector.AsVectorUInt32(half);

        Vector<uint> isNaN = Vector.GreaterThan(size, new Vector<uint>(0x7f800000));
        Vector<uint> overflow = new Vector<uint>(HalfInfinity) | (isNaN & new Vector<uint>(0x200));

        Vector<uint> result = Vector.ConditionalSelect(Vector.LessThan(size, new Vector<uint>(0x38800000)), small, normal);
        result = Vector.ConditionalSelect(Vector.GreaterThanOrEqual(size, new Vector<uint>(0x47800000)), overflow, result);
        return result | sign;
    }

    private static Vector<float> Widen(Vector<uint> half)
    {
        Vector<uint> size = (half & new Vector<uint>(0x7fff)) << 13;

        // Read as a float the bits are 2^-112 of the value, for subnormals too; infinities and NaNs then need the highest exponent.
        Vector<float> scaled = Vector.AsVectorSingle(size) * new Vector<float>(BitConverter.UInt32BitsToSingle(239u << 23));
        Vector<uint> special = Vector.GreaterThanOrEqual(size, new Vector<uint>(HalfInfinity << 13)) & new Vector<uint>(0x7f800000);
        return Vector.AsVectorSingle(Vector.AsVectorUInt32(scaled) | special | ((half & new Vector<uint>(0x8000)) << 16));
    }

    private static void RequireEqual(int source, int destination)
    {
        if (source != destination)
        {
            throw new ArgumentException($"{source} numbers cannot be converted into {destination} places; the lengths must be equal.");
        }
    }
}
