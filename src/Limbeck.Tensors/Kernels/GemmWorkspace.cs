using System.Runtime.InteropServices;

namespace Limbeck.Tensors.Kernels;

/// <summary>Memory for packed operands that a thread keeps between its matrix products: it grows to the largest that was asked for.</summary>
/// <remarks>One for each calling thread, so that concurrent products and products inside a team's task do not share it.</remarks>
internal sealed unsafe class GemmWorkspace
{
    [ThreadStatic]
    private static GemmWorkspace? current;

    private float* memory;
    private long length;

    ~GemmWorkspace() => NativeMemory.AlignedFree(memory);

    /// <summary>Memory of the calling thread, with any content; valid until its next call.</summary>
    /// <param name="floats">Floats needed.</param>
    /// <returns>Aligned to 4096 bytes.</returns>
    /// <exception cref="OutOfMemoryException">The system has no more memory.</exception>
    public static float* Get(long floats) => (current ??= new GemmWorkspace()).Grow(floats);

    private float* Grow(long floats)
    {
        if (floats > length)
        {
            NativeMemory.AlignedFree(memory);
            memory = null;
            length = 0;
            memory = (float*)NativeMemory.AlignedAlloc(checked((nuint)floats * sizeof(float)), 4096);
            length = floats;
        }

        return memory;
    }
}
