using System.Runtime.InteropServices;
using Iced.Intel;
using Limbeck.Tensors.Code;
using Limbeck.Tensors.Kernels;
using static Iced.Intel.AssemblerRegisters;

namespace Limbeck.Tensors.Tests.Code;

public sealed unsafe class GeneratedCodeTests
{
    private static AssemblerRegister64 Argument => GeneratedCode.Convention == CallConvention.Windows ? rcx : rdi;

    [SkippableFact]
    public void Functions_written_at_run_time_can_be_called()
    {
        SkipWithoutX64();
        byte[] doubling = GeneratedCode.Assemble(c =>
        {
            c.mov(rax, __[Argument]);
            c.add(rax, rax);
            c.mov(__[Argument], rax);
            c.ret();
        });
        byte[] negating = GeneratedCode.Assemble(c =>
        {
            c.neg(__qword_ptr[Argument]);
            c.ret();
        });
        GeneratedCode? code = GeneratedCode.TryCreate([doubling, negating], out string? refused);
        Skip.If(code is null, refused);
        long number = 21;
        code[0](&number);
        Assert.Equal(42, number);
        code[1](&number);
        Assert.Equal(-42, number);
        Assert.Equal(0, (nint)(void*)code[1] % 64);
    }

    [SkippableFact]
    public void A_generated_multiply_add_of_512_bits_runs_where_the_CPU_has_it()
    {
        SkipWithoutX64();
        Skip.If(Cpu.Tier != CpuTier.Avx512, "this CPU has no AVX-512");
        byte[] multiplyAdd = GeneratedCode.Assemble(c =>
        {
            c.vmovups(zmm0, __zmmword_ptr[Argument]);
            c.vmovups(zmm17, __zmmword_ptr[Argument + 64]);
            c.vfmadd231ps(zmm17, zmm0, zmm0);
            c.vmovups(__zmmword_ptr[Argument + 64], zmm17);
            c.vzeroupper();
            c.ret();
        });
        GeneratedCode? code = GeneratedCode.TryCreate([multiplyAdd], out string? refused);
        Skip.If(code is null, refused);
        float* numbers = stackalloc float[32];
        for (int i = 0; i < 16; i++)
        {
            numbers[i] = i;
            numbers[16 + i] = 0.5f;
        }

        code[0](numbers);
        Assert.Equal(Enumerable.Range(0, 16).Select(i => (i * i) + 0.5f), new Span<float>(numbers + 16, 16).ToArray());
    }

    [SkippableFact]
    public void Memory_with_code_is_executable_and_not_writable()
    {
        Skip.IfNot(OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64, "reads /proc/self/maps");
        using ExecutableMemory? memory = ExecutableMemory.TryCreate([0xC3], out string? refused);
        Skip.If(memory is null, refused);
        ulong address = (ulong)memory.Address;
        string line = File.ReadLines("/proc/self/maps").Single(map =>
        {
            string[] range = map.Split(' ')[0].Split('-');
            return address >= Convert.ToUInt64(range[0], 16) && address < Convert.ToUInt64(range[1], 16);
        });
        Assert.Equal("r-xp", line.Split(' ')[1]);
        Assert.Equal(0xC3, memory.Address[0]);
    }

    [Fact]
    public void No_code_is_refused_with_a_reason_and_freed_memory_is_not_given_out()
    {
        Assert.Null(ExecutableMemory.TryCreate([], out string? reason));
        Assert.NotNull(reason);
        if (ExecutableMemory.TryCreate([0xC3], out _) is { } memory)
        {
            memory.Dispose();
            Assert.Throws<ObjectDisposedException>(() => (nint)memory.Address);
        }
    }

    [Fact]
    public void What_there_is_of_bf16_is_said_in_words()
    {
        Assert.NotEmpty(Bf16.Reason);
        Assert.True(Bf16.HasInstruction || !Bf16.IsAccelerated, Bf16.Reason);
    }

    private static void SkipWithoutX64() => Skip.IfNot(RuntimeInformation.ProcessArchitecture == Architecture.X64, "generated code is for x86-64");
}
