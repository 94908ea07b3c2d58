using System.Runtime.InteropServices;
using Iced.Intel;

namespace Limbeck.Tensors.Code;

/// <summary>Functions that were written at run time, for instructions that .NET has no intrinsics for. Kept for the life of the process.</summary>
/// <remarks>
/// A function takes one pointer, calls nothing, leaves the stack as it was and ends with ret: such a leaf needs no unwind information as long as it does
/// not fault. It must not depend on its address.
/// </remarks>
internal sealed unsafe class GeneratedCode
{
    private const int Alignment = 64;
    private readonly ExecutableMemory memory;
    private readonly int[] starts;

    private GeneratedCode(ExecutableMemory memory, int[] starts)
    {
        this.memory = memory;
        this.starts = starts;
    }

    /// <summary>The convention of this system.</summary>
    public static CallConvention Convention => OperatingSystem.IsWindows() ? CallConvention.Windows : CallConvention.SystemV;

    /// <summary>The function of a number, to be called as an unmanaged function of one pointer without a result.</summary>
    /// <param name="function">Its place in the list that was given.</param>
    public delegate* unmanaged<void*, void> this[int function] => (delegate* unmanaged<void*, void>)(memory.Address + starts[function]);

    /// <summary>Several functions that follow each other in the list.</summary>
    /// <param name="first">The place of the first.</param>
    /// <param name="count">How many.</param>
    public delegate* unmanaged<void*, void>[] Functions(int first, int count)
    {
        delegate* unmanaged<void*, void>[] functions = new delegate* unmanaged<void*, void>[count];
        for (int i = 0; i < count; i++)
        {
            functions[i] = this[first + i];
        }

        return functions;
    }

    /// <summary>The bytes of a function.</summary>
    /// <param name="write">Writes it.</param>
    public static byte[] Assemble(Action<Assembler> write)
    {
        Assembler assembler = new(64);
        write(assembler);
        using MemoryStream stream = new();
        assembler.Assemble(new StreamCodeWriter(stream), 0);
        return stream.ToArray();
    }

    /// <summary>Makes functions callable, each at the start of a cache line.</summary>
    /// <param name="functions">Their bytes.</param>
    /// <param name="reason">Why they cannot be called, in words for a user; null when they can.</param>
    /// <returns>The functions, or null where this is no x86-64 process or the system refuses.</returns>
    public static GeneratedCode? TryCreate(IReadOnlyList<byte[]> functions, out string? reason)
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            reason = "generated code is for x86-64 only";
            return null;
        }

        int[] starts = new int[functions.Count];
        int length = 0;
        for (int i = 0; i < starts.Length; i++)
        {
            starts[i] = length;
            length = (length + functions[i].Length + Alignment - 1) / Alignment * Alignment;
        }

        // What no function covers stops the process instead of running on.
        const byte Breakpoint = 0xCC;
        byte[] code = new byte[length];
        Array.Fill(code, Breakpoint);
        for (int i = 0; i < starts.Length; i++)
        {
            functions[i].CopyTo(code, starts[i]);
        }

        ExecutableMemory? memory = ExecutableMemory.TryCreate(code, out reason);
        return memory is null ? null : new GeneratedCode(memory, starts);
    }
}
