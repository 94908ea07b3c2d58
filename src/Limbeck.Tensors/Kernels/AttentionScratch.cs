using System.Runtime.InteropServices;

namespace Limbeck.Tensors.Kernels;

/// <summary>One calling thread's working memory for attention: grows to the largest batch seen, freed with the thread.</summary>
internal sealed unsafe class AttentionScratch
{
    [ThreadStatic]
    private static AttentionScratch? current;

    private void* memory;
    private nuint size;

    ~AttentionScratch() => NativeMemory.AlignedFree(memory);

    /// <summary>At least <paramref name="bytes"/> bytes, aligned to 64, contents undefined; valid until the thread's next call.</summary>
    public static byte* Rent(nuint bytes)
    {
        AttentionScratch scratch = current ??= new AttentionScratch();
        if (scratch.size < bytes)
        {
            NativeMemory.AlignedFree(scratch.memory);
            scratch.memory = null;
            scratch.size = 0;
            scratch.memory = NativeMemory.AlignedAlloc(bytes, 64);
            scratch.size = bytes;
        }

        return (byte*)scratch.memory;
    }
}
