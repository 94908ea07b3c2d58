using System.Runtime.InteropServices;

namespace Limbeck.Training.Loop;

/// <summary>The teacher's outputs for one example, read in place from the mapped file; valid until the file is closed.</summary>
public readonly ref struct TeacherRecord
{
    private readonly TeacherCacheShape shape;
    private readonly ReadOnlySpan<byte> bytes;

    internal TeacherRecord(TeacherCacheShape shape, int length, ReadOnlySpan<byte> bytes)
    {
        this.shape = shape;
        this.bytes = bytes;
        Length = length;
    }

    /// <summary>len, tokens of the example.</summary>
    public int Length { get; }

    /// <summary>[C] logits.</summary>
    public ReadOnlySpan<float> Logits => MemoryMarshal.Cast<byte, float>(bytes[..(shape.Classes * sizeof(float))]);

    /// <summary>[len, H] one of the stored hidden states.</summary>
    /// <param name="index">Which of the stored ones, from 0, in the order they were written; not the teacher's layer.</param>
    public ReadOnlySpan<Half> Hidden(int index)
    {
        RequireStored(index, shape.HiddenLayers, "hidden states");
        int size = Length * shape.HiddenSize;
        return Halves((long)index * size, size);
    }

    /// <summary>[A, len, len] one layer's raw attention scores.</summary>
    /// <param name="index">Which of the stored ones, from 0, in the order they were written; not the teacher's layer.</param>
    public ReadOnlySpan<Half> Attention(int index)
    {
        RequireStored(index, shape.AttentionLayers, "layers of attention scores");
        int size = shape.Heads * Length * Length;
        return Halves(((long)shape.HiddenLayers * shape.HiddenSize * Length) + ((long)index * size), size);
    }

    private ReadOnlySpan<Half> Halves(long start, int count) =>
        MemoryMarshal.Cast<byte, Half>(bytes.Slice(checked((int)((shape.Classes * sizeof(float)) + (start * 2))), count * 2));

    private static void RequireStored(int index, int stored, string what)
    {
        if ((uint)index >= (uint)stored)
        {
            throw new ArgumentOutOfRangeException(nameof(index), $"the teacher cache stores {stored} {what}; number {index} is not among them.");
        }
    }
}
