using System.Runtime.InteropServices;

namespace Limbeck.Tensors.Memory;

/// <summary>Memory in pages of 2 MB where the system has them: products walk many rows at once, and large pages spare the misses of the address translation and keep the processor's prefetching on its way.</summary>
internal static unsafe partial class LargePages
{
    /// <summary>Bytes of a large page. Blocks shorter than one lie in ordinary pages.</summary>
    public const int Size = 2 << 20;

    private const int Advice = 14; // MADV_HUGEPAGE of Linux

    /// <summary>Allocates a block with any content; NativeMemory.AlignedFree frees it.</summary>
    /// <param name="bytes">Its length; at least 1.</param>
    /// <param name="alignment">A power of two, at most <see cref="Size"/>.</param>
    /// <exception cref="OutOfMemoryException">The system has no more memory.</exception>
    public static void* Allocate(nuint bytes, nuint alignment)
    {
        if (!OperatingSystem.IsLinux() || bytes < Size)
        {
            return NativeMemory.AlignedAlloc(bytes, alignment);
        }

        void* block = NativeMemory.AlignedAlloc(bytes, Size);

        // A kernel that has none says no, which changes nothing.
        _ = Advise(block, bytes, Advice);
        return block;
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
