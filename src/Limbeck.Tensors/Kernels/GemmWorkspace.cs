using System.Runtime.InteropServices;
using Limbeck.Tensors.Memory;

namespace Limbeck.Tensors.Kernels;

/// <summary>Memory for packed operands and transposed results that a thread keeps between its matrix products: it grows to the largest that was asked for.</summary>
/// <remarks>One for each thread, so that concurrent products and products inside a team's task do not share it.</remarks>
internal sealed unsafe class GemmWorkspace
{
    [ThreadStatic]
    private static GemmWorkspace? caller;

    [ThreadStatic]
    private static GemmWorkspace? task;

    private float* memory;
    private nint length;

    ~GemmWorkspace() => NativeMemory.AlignedFree(memory);

    /// <summary>Memory for what the thread that asks for a product shares with its team.</summary>
    /// <param name="floats">Floats needed.</param>
    /// <returns>Memory with any content, aligned to 4096 bytes, valid until the thread's next call.</returns>
    /// <exception cref="OutOfMemoryException">The system has no more memory.</exception>
    public static float* ForCaller(long floats) => (caller ??= new GemmWorkspace()).Grow(checked((nint)floats));

    /// <summary>Memory for a task of a product: another than <see cref="ForCaller"/> gives the same thread.</summary>
    /// <param name="floats">Floats needed.</param>
    /// <returns>Memory with any content, aligned to 4096 bytes, valid until the thread's next call.</returns>
    /// <exception cref="OutOfMemoryException">The system has no more memory.</exception>
    public static float* ForTask(nint floats) => (task ??= new GemmWorkspace()).Grow(floats);

    private float* Grow(nint floats)
    {
        if (floats > length)
        {
            NativeMemory.AlignedFree(memory);
            memory = null;
            length = 0;

            // What is packed is read again and again: whole large pages, unless it would fill little of one.
            nint bytes = floats * sizeof(float);
            bytes = bytes < LargePages.Size / 4 ? bytes : (bytes + LargePages.Size - 1) / LargePages.Size * LargePages.Size;
            memory = (float*)LargePages.Allocate((nuint)bytes, 4096);
            length = bytes / sizeof(float);
        }

        return memory;
    }
}
