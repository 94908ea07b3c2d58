using System.Runtime.InteropServices;

namespace Limbeck.Tensors.Tests.Kernels;

/// <summary>An array outside the managed heap between canaries, which <see cref="Dispose"/> checks. It starts one float off alignment.</summary>
internal sealed unsafe class GuardedArray : IDisposable
{
    private const int Canaries = 33;
    private const int Canary = 0x7FC0BEEF;
    private readonly int* memory;

    public GuardedArray(int length)
    {
        Length = length;
        memory = (int*)NativeMemory.AlignedAlloc((nuint)(length + (2 * Canaries)) * sizeof(int), 64);
        new Span<int>(memory, length + (2 * Canaries)).Fill(Canary);
    }

    public GuardedArray(ReadOnlySpan<float> values)
        : this(values.Length) => values.CopyTo(Span);

    public int Length { get; }

    public float* Pointer => (float*)(memory + Canaries);

    public Span<float> Span => new(Pointer, Length);

    public float this[int index] => Span[index];

    /// <summary>Numbers of a normal distribution times a scale.</summary>
    public static GuardedArray Random(Random random, int length, double scale = 1)
    {
        GuardedArray array = new(length);
        for (int i = 0; i < length; i++)
        {
            array.Span[i] = (float)(scale * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        return array;
    }

    public void Dispose()
    {
        for (int i = 0; i < Canaries; i++)
        {
            Assert.True(memory[i] == Canary && memory[Canaries + Length + i] == Canary, $"something was written outside an array of {Length}");
        }

        NativeMemory.AlignedFree(memory);
    }
}
