using System.Runtime.InteropServices;

namespace Limbeck.Tensors.Code;

/// <summary>Memory with machine code in it. It is writable while it is filled and executable afterwards, never both.</summary>
/// <remarks>Linux: mmap, mprotect. Windows: VirtualAlloc, VirtualProtect. A hardened system may refuse the second step; the reason is then given back, not thrown.</remarks>
internal sealed unsafe partial class ExecutableMemory : IDisposable
{
    private const int ReadWrite = 1 | 2;
    private const int ReadExecute = 1 | 4;
    private const int PrivateAnonymous = 0x02 | 0x20;
    private const uint ReserveAndCommit = 0x3000;
    private const uint Release = 0x8000;
    private const uint PageReadWrite = 0x04;
    private const uint PageExecuteRead = 0x20;

    private byte* address;
    private readonly nuint length;

    private ExecutableMemory(byte* address, nuint length)
    {
        this.address = address;
        this.length = length;
    }

    /// <summary>Frees the memory when <see cref="Dispose"/> was not called.</summary>
    ~ExecutableMemory() => Free(address, length);

    /// <summary>The first byte; page-aligned.</summary>
    /// <exception cref="ObjectDisposedException">The memory was freed.</exception>
    public byte* Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(address == null, this);
            return address;
        }
    }

    /// <summary>Puts code where it can be executed.</summary>
    /// <param name="code">The code; it must not depend on its address.</param>
    /// <param name="reason">Why there is none, in words for a user; null when there is.</param>
    /// <returns>The memory, or null.</returns>
    public static ExecutableMemory? TryCreate(ReadOnlySpan<byte> code, out string? reason)
    {
        nuint length = (nuint)code.Length;
        if (length == 0)
        {
            reason = "there is no code";
            return null;
        }

        byte* address = Allocate(length, out reason);
        if (address == null)
        {
            return null;
        }

        code.CopyTo(new Span<byte>(address, code.Length));
        if (!Seal(address, length, out reason))
        {
            Free(address, length);
            return null;
        }

        return new ExecutableMemory(address, length);
    }

    /// <summary>Frees the memory; no code in it may run any more.</summary>
    public void Dispose()
    {
        Free(address, length);
        address = null;
        GC.SuppressFinalize(this);
    }

    private static byte* Allocate(nuint length, out string? reason)
    {
        reason = null;
        if (OperatingSystem.IsWindows())
        {
            void* memory = VirtualAlloc(null, length, ReserveAndCommit, PageReadWrite);
            reason = memory == null ? $"the system gives no memory for generated code: VirtualAlloc says error {Marshal.GetLastPInvokeError()}" : null;
            return (byte*)memory;
        }

        if (OperatingSystem.IsLinux())
        {
            void* memory = Map(null, length, ReadWrite, PrivateAnonymous, -1, 0);
            if (memory == (void*)-1)
            {
                reason = $"the system gives no memory for generated code: mmap says errno {Marshal.GetLastPInvokeError()}";
                return null;
            }

            return (byte*)memory;
        }

        reason = "generated code is for Linux and Windows only";
        return null;
    }

    private static bool Seal(byte* address, nuint length, out string? reason)
    {
        bool sealedNow;
        string call;
        if (OperatingSystem.IsWindows())
        {
            sealedNow = VirtualProtect(address, length, PageExecuteRead, out _) != 0;
            call = "VirtualProtect says error";
            if (sealedNow)
            {
                _ = FlushInstructionCache(-1, address, length);
            }
        }
        else
        {
            sealedNow = Protect(address, length, ReadExecute) == 0;
            call = "mprotect says errno";
        }

        reason = sealedNow ? null : $"the system refuses to make memory executable (a hardened kernel or container?): {call} {Marshal.GetLastPInvokeError()}";
        return sealedNow;
    }

    private static void Free(byte* address, nuint length)
    {
        if (address == null)
        {
            return;
        }

        if (OperatingSystem.IsWindows())
        {
            _ = VirtualFree(address, 0, Release);
        }
        else
        {
            _ = Unmap(address, length);
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial void* Map(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(void* address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(void* address, nuint length);

    [LibraryImport("kernel32", SetLastError = true)]
    private static partial void* VirtualAlloc(void* address, nuint length, uint kind, uint protection);

    [LibraryImport("kernel32", SetLastError = true)]
    private static partial int VirtualProtect(void* address, nuint length, uint protection, out uint before);

    [LibraryImport("kernel32")]
    private static partial int VirtualFree(void* address, nuint length, uint kind);

    [LibraryImport("kernel32")]
    private static partial int FlushInstructionCache(nint process, void* address, nuint length);
}
