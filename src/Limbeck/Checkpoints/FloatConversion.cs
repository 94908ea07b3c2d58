using System.Numerics;
using System.Runtime.InteropServices;

namespace Limbeck.Checkpoints;

/// <summary>Bytes of a checkpoint to float32 and back. Widening is exact; narrowing rounds to nearest, ties to even.</summary>
internal static class FloatConversion
{
    /// <summary>Widens little-endian elements of any alignment.</summary>
    /// <param name="type">F16, BF16, F32 or F64 (which rounds).</param>
    /// <param name="source">As many elements as <paramref name="destination"/> has.</param>
    /// <param name="destination">Written whole.</param>
    public static void Widen(TensorType type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        switch (type)
        {
            case TensorType.F32:
                source[..(destination.Length * sizeof(float))].CopyTo(MemoryMarshal.AsBytes(destination));
                break;
            case TensorType.F16:
                WidenHalf(MemoryMarshal.Cast<byte, ushort>(source)[..destination.Length], destination);
                break;
            case TensorType.BF16:
                WidenBrain(MemoryMarshal.Cast<byte, ushort>(source)[..destination.Length], destination);
                break;
            case TensorType.F64:
                ReadOnlySpan<double> wide = MemoryMarshal.Cast<byte, double>(source)[..destination.Length];
                for (int i = 0; i < wide.Length; i++)
                {
                    destination[i] = (float)wide[i];
                }
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(type), $"{TensorTypes.Name(type)} does not widen to float32");
        }
    }

    /// <summary>IEEE half to single: shift exponent and mantissa into place, then scale by 2^112, which is exact for subnormals too.</summary>
    private static void WidenHalf(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        int i = 0;
        var rebias = new Vector<float>(5.192296858534828e33f); // 2^112 = 2^(127-15)
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out Vector<uint> low, out Vector<uint> high);
            Single(low, rebias).CopyTo(destination[i..]);
            Single(high, rebias).CopyTo(destination[(i + Vector<uint>.Count)..]);
        }
        for (; i < source.Length; i++)
        {
            destination[i] = (float)BitConverter.UInt16BitsToHalf(source[i]);
        }

        static Vector<float> Single(Vector<uint> half, Vector<float> rebias)
        {
            Vector<uint> sign = (half & new Vector<uint>(0x8000)) << 16;
            Vector<uint> rest = (half & new Vector<uint>(0x7FFF)) << 13;
            Vector<uint> special = Vector.GreaterThanOrEqual(rest, new Vector<uint>(0x7C00u << 13)) & new Vector<uint>(0x7F800000);
            return Vector.AsVectorSingle(Vector.AsVectorUInt32(Vector.AsVectorSingle(rest) * rebias) | special | sign);
        }
    }

    /// <summary>bfloat16 to single: the missing low half is zero.</summary>
    private static void WidenBrain(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        Span<uint> bits = MemoryMarshal.Cast<float, uint>(destination);
        int i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out Vector<uint> low, out Vector<uint> high);
            (low << 16).CopyTo(bits[i..]);
            (high << 16).CopyTo(bits[(i + Vector<uint>.Count)..]);
        }
        for (; i < source.Length; i++)
        {
            bits[i] = (uint)source[i] << 16;
        }
    }

    /// <summary>Rounds floats to half precision.</summary>
    /// <returns>The index of the first finite value that leaves half precision's range (65504), -1 when there is none.</returns>
    public static int NarrowToHalf(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        int beyond = -1;
        for (int i = 0; i < source.Length; i++)
        {
            Half half = (Half)source[i];
            if (beyond < 0 && Half.IsInfinity(half) && float.IsFinite(source[i]))
            {
                beyond = i;
            }
            destination[i] = BitConverter.HalfToUInt16Bits(half);
        }
        return beyond;
    }
}
