using System.Runtime.InteropServices;

namespace Limbeck.Tensors.Memory;

/// <summary>A block of float32 outside the managed heap, aligned to 64 bytes. Freed by <see cref="Dispose"/>, or at the latest with the object.</summary>
public sealed unsafe class NativeBuffer : IDisposable
{
    private const int Alignment = 64;

    /// <summary>Allocates a block.</summary>
    /// <param name="length">Number of floats; at least 0.</param>
    /// <param name="clear">Whether the block starts as zeros; otherwise its contents are undefined.</param>
    /// <exception cref="ArgumentOutOfRangeException">A negative length.</exception>
    /// <exception cref="InsufficientMemoryException">The machine has not that much memory; the message says how much was asked for.</exception>
    public NativeBuffer(long length, bool clear = true)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Length = length;
        nuint bytes = checked((nuint)length * sizeof(float));
        try
        {
            Pointer = (float*)LargePages.Allocate(Math.Max(bytes, Alignment), Alignment);
        }
        catch (OutOfMemoryException exception)
        {
            throw new InsufficientMemoryException(
                $"could not allocate {bytes / (1024.0 * 1024.0):F0} MB for tensors: use a smaller batch, a shorter maximum length or a smaller model", exception);
        }

        GC.AddMemoryPressure(Math.Max(1, (long)bytes));
        if (clear)
        {
            NativeMemory.Clear(Pointer, bytes);
        }
    }

    /// <summary>Frees the block if nobody did.</summary>
    ~NativeBuffer() => Free();

    /// <summary>The first float; null after disposal.</summary>
    public float* Pointer { get; private set; }

    /// <summary>Number of floats.</summary>
    public long Length { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (Pointer != null)
        {
            NativeMemory.AlignedFree(Pointer);
            Pointer = null;
            GC.RemoveMemoryPressure(Math.Max(1, Length * sizeof(float)));
        }
    }
}
