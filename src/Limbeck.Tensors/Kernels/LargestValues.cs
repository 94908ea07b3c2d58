using System.Numerics;

namespace Limbeck.Tensors.Kernels;

/// <summary>The K largest of many values with their places, gathered block by block. Of equal values the one with the smaller place is the larger. Not thread-safe.</summary>
/// <remarks>Once K are known, a whole vector of values is passed over with one comparison to the least of them, so a scan costs little more than reading. NaN is never among the largest.</remarks>
public sealed class LargestValues
{
    private readonly int[] places;
    private readonly float[] values;

    /// <summary>Gathers at most so many values.</summary>
    /// <param name="most">K, at least 1.</param>
    public LargestValues(int most)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        places = new int[most];
        values = new float[most];
    }

    /// <summary>How many are known, at most K.</summary>
    public int Count { get; private set; }

    /// <summary>[Count] the places, largest value first.</summary>
    public ReadOnlySpan<int> Places => places.AsSpan(0, Count);

    /// <summary>[Count] the values, largest first.</summary>
    public ReadOnlySpan<float> Values => values.AsSpan(0, Count);

    /// <summary>Forgets all values.</summary>
    public void Clear() => Count = 0;

    /// <summary>Adds a block of values. Blocks come in the order of their places.</summary>
    /// <param name="block">The values.</param>
    /// <param name="first">The place of the first.</param>
    /// <param name="allowed">For each value of the block whether it may be taken; empty when all may.</param>
    /// <exception cref="ArgumentException"><paramref name="allowed"/> is neither empty nor as long as the block.</exception>
    public void Add(ReadOnlySpan<float> block, int first = 0, ReadOnlySpan<bool> allowed = default)
    {
        if (!allowed.IsEmpty && allowed.Length != block.Length)
        {
            throw new ArgumentException($"{block.Length} values come with {allowed.Length} answers whether they may be taken; needed one each, or none", nameof(allowed));
        }

        int i = 0;
        for (; i < block.Length && Count < values.Length; i++)
        {
            Consider(block[i], first + i, allowed.IsEmpty || allowed[i]);
        }

        for (; i <= block.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> several = new(block.Slice(i, Vector<float>.Count));
            if (Vector.GreaterThanAny(several, new Vector<float>(values[^1])))
            {
                for (int k = i; k < i + Vector<float>.Count; k++)
                {
                    Consider(block[k], first + k, allowed.IsEmpty || allowed[k]);
                }
            }
        }

        for (; i < block.Length; i++)
        {
            Consider(block[i], first + i, allowed.IsEmpty || allowed[i]);
        }
    }

    private void Consider(float value, int place, bool allowed)
    {
        bool full = Count == values.Length;
        if (!allowed || float.IsNaN(value) || (full && !(value > values[^1])))
        {
            return;
        }

        int at = full ? Count - 1 : Count++;
        for (; at > 0 && values[at - 1] < value; at--)
        {
            values[at] = values[at - 1];
            places[at] = places[at - 1];
        }

        values[at] = value;
        places[at] = place;
    }
}
