using System.Runtime.InteropServices;

namespace Limbeck.Tensors.Tests.Kernels;

/// <summary>A row-major matrix in native memory with rows longer than needed, any alignment, and canaries wherever nothing may be written.</summary>
internal sealed unsafe class GemmGuardedMatrix : IDisposable
{
    private const int Margin = 64;
    private const int CanaryBits = 0x7FA5A5A5;
    private readonly float* memory;
    private readonly int total;

    public GemmGuardedMatrix(int rows, int columns, int stride, int misalignment = 0)
    {
        Rows = rows;
        Columns = columns;
        Stride = stride;
        total = Margin + misalignment + (rows * stride) + Margin;
        memory = (float*)NativeMemory.AlignedAlloc((nuint)total * sizeof(float), 64);
        new Span<int>(memory, total).Fill(CanaryBits);
        Data = memory + Margin + misalignment;
    }

    public int Rows { get; }

    public int Columns { get; }

    public int Stride { get; }

    public float* Data { get; }

    public ref float this[int row, int column] => ref Data[((nint)row * Stride) + column];

    public GemmGuardedMatrix Fill(Random random)
    {
        for (int i = 0; i < Rows; i++)
        {
            for (int j = 0; j < Columns; j++)
            {
                this[i, j] = (random.NextSingle() * 2f) - 1f;
            }
        }

        return this;
    }

    public int[] Bits()
    {
        var bits = new int[Rows * Columns];
        for (int i = 0; i < Rows; i++)
        {
            for (int j = 0; j < Columns; j++)
            {
                bits[(i * Columns) + j] = BitConverter.SingleToInt32Bits(this[i, j]);
            }
        }

        return bits;
    }

    /// <summary>Whether all that is not an element still is a canary.</summary>
    public bool CanariesAreIntact()
    {
        nint first = (nint)(Data - memory);
        for (nint i = 0; i < total; i++)
        {
            nint at = i - first;
            bool element = at >= 0 && at < (nint)Rows * Stride && at % Stride < Columns;
            if (!element && ((int*)memory)[i] != CanaryBits)
            {
                return false;
            }
        }

        return true;
    }

    public void Dispose() => NativeMemory.AlignedFree(memory);
}
