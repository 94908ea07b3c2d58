using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;

namespace Limbeck.Benchmarks;

/// <summary>Packed attention, forward and backward, as shares of the FMA peak measured in the same run.</summary>
/// <remarks>Useful flops only: 4 T n H forward (two products), 10 T n H backward (five, one of them the recomputed scores); softmax counts nothing.</remarks>
internal static unsafe class AttentionBenchmark
{
    private static readonly (string Name, int Heads, int HeadSize)[] Models = [("tiny4", 12, 26), ("minilm6", 12, 32), ("base", 12, 64)];

    /// <summary>Prints one line a model and length.</summary>
    /// <param name="args">Optional: threads (1), milliseconds a measurement (300), lengths (8,13,25,64,128,512), a model's name (all).</param>
    public static void Run(string[] args)
    {
        int threads = args.Length > 0 ? int.Parse(args[0]) : 1;
        int milliseconds = args.Length > 1 ? int.Parse(args[1]) : 300;
        int[] lengths = args.Length > 2 ? [.. args[2].Split(',').Select(int.Parse)] : [8, 13, 25, 64, 128, 512];
        using WorkerTeam team = new(threads);
        Console.WriteLine($"attention, {Cpu.Tier}, {threads} threads, best of {milliseconds} ms");
        Console.WriteLine("model    length tokens  forward ms  ns/token  % peak   backward ms  ns/token  % peak   peak GFLOPS");
        foreach ((string name, int heads, int headSize) in Models)
        {
            foreach (int length in args.Length > 3 && args[3] != name ? [] : lengths)
            {
                Measure(name, heads, headSize, length, milliseconds, team);
            }
        }
    }

    private static void Measure(string name, int heads, int headSize, int length, int milliseconds, WorkerTeam team)
    {
        int sequences = Math.Clamp(4096 / length, 1, 32);
        int tokens = sequences * length;
        int hidden = heads * headSize;
        float* qkv = Allocate(tokens * 3L * hidden);
        float* gradients = Allocate(tokens * 3L * hidden);
        float* output = Allocate((long)tokens * hidden);
        float* gradOutput = Allocate((long)tokens * hidden);
        float* logSumExp = Allocate((long)heads * tokens);
        int* offsets = (int*)Allocate(sequences + 1);
        for (int s = 0; s <= sequences; s++)
        {
            offsets[s] = s * length;
        }

        int ld = 3 * hidden;
        double forward = double.MaxValue;
        double backward = double.MaxValue;
        double peak = 0;
        long end = Stopwatch.GetTimestamp() + (milliseconds * Stopwatch.Frequency / 1000);
        for (int round = 0; round < 5 || Stopwatch.GetTimestamp() < end; round++)
        {
            peak = Math.Max(peak, Peak(team));
            long a = Stopwatch.GetTimestamp();
            Attention.Forward(sequences, offsets, heads, headSize, qkv, qkv + hidden, qkv + (2 * hidden), ld, output, hidden, null, null, logSumExp, 0, 0, team);
            long b = Stopwatch.GetTimestamp();
            Attention.Backward(
                sequences,
                offsets,
                heads,
                headSize,
                qkv,
                qkv + hidden,
                qkv + (2 * hidden),
                ld,
                output,
                gradOutput,
                hidden,
                null,
                logSumExp,
                gradients,
                gradients + hidden,
                gradients + (2 * hidden),
                ld,
                0,
                0,
                team);
            long c = Stopwatch.GetTimestamp();
            forward = Math.Min(forward, (double)(b - a) / Stopwatch.Frequency);
            backward = Math.Min(backward, (double)(c - b) / Stopwatch.Frequency);
        }

        double flops = 4.0 * tokens * length * hidden;
        Console.WriteLine(
            $"{name,-8} {length,6} {tokens,6} {forward * 1e3,11:F3} {forward * 1e9 / tokens,9:F0} {100 * flops / forward / peak,7:F1} "
            + $"{backward * 1e3,13:F3} {backward * 1e9 / tokens,9:F0} {100 * 2.5 * flops / backward / peak,7:F1} {peak / 1e9,13:F1}");
        foreach (nint memory in new[] { (nint)qkv, (nint)gradients, (nint)output, (nint)gradOutput, (nint)logSumExp, (nint)offsets })
        {
            NativeMemory.AlignedFree((void*)memory);
        }
    }

    private static float* Allocate(long count)
    {
        float* memory = (float*)NativeMemory.AlignedAlloc((nuint)(count * sizeof(float)), 64);
        Random random = new(1);
        for (long i = 0; i < count; i++)
        {
            memory[i] = (random.NextSingle() * 2) - 1;
        }

        return memory;
    }

    /// <summary>Multiply-adds of 12 independent chains, all threads at once, in flops a second.</summary>
    private static double Peak(WorkerTeam team)
    {
        const int Steps = 20000;
        long start = Stopwatch.GetTimestamp();
        team.Run(team.Threads, &Chains, (void*)Steps);
        double seconds = (double)(Stopwatch.GetTimestamp() - start) / Stopwatch.Frequency;
        int lanes = Cpu.Tier == CpuTier.Avx512 ? 16 : Cpu.Tier == CpuTier.Avx2 ? 8 : 4;
        return 2.0 * 12 * lanes * Steps * team.Threads / seconds;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Chains(void* steps, int task, int worker)
    {
        if (Cpu.Tier == CpuTier.Avx512)
        {
            Vector512<float> x = Vector512.Create(0.999f);
            Vector512<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
            for (int n = (int)steps; n > 0; n--)
            {
                a = Avx512F.FusedMultiplyAdd(a, x, x);
                b = Avx512F.FusedMultiplyAdd(b, x, x);
                c = Avx512F.FusedMultiplyAdd(c, x, x);
                d = Avx512F.FusedMultiplyAdd(d, x, x);
                e = Avx512F.FusedMultiplyAdd(e, x, x);
                f = Avx512F.FusedMultiplyAdd(f, x, x);
                g = Avx512F.FusedMultiplyAdd(g, x, x);
                h = Avx512F.FusedMultiplyAdd(h, x, x);
                i = Avx512F.FusedMultiplyAdd(i, x, x);
                j = Avx512F.FusedMultiplyAdd(j, x, x);
                k = Avx512F.FusedMultiplyAdd(k, x, x);
                l = Avx512F.FusedMultiplyAdd(l, x, x);
            }

            Keep(Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l));
        }
        else if (Cpu.Tier == CpuTier.Avx2)
        {
            Vector256<float> x = Vector256.Create(0.999f);
            Vector256<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
            for (int n = (int)steps; n > 0; n--)
            {
                a = Fma.MultiplyAdd(a, x, x);
                b = Fma.MultiplyAdd(b, x, x);
                c = Fma.MultiplyAdd(c, x, x);
                d = Fma.MultiplyAdd(d, x, x);
                e = Fma.MultiplyAdd(e, x, x);
                f = Fma.MultiplyAdd(f, x, x);
                g = Fma.MultiplyAdd(g, x, x);
                h = Fma.MultiplyAdd(h, x, x);
                i = Fma.MultiplyAdd(i, x, x);
                j = Fma.MultiplyAdd(j, x, x);
                k = Fma.MultiplyAdd(k, x, x);
                l = Fma.MultiplyAdd(l, x, x);
            }

            Keep(Vector256.Sum(a + b + c + d + e + f + g + h + i + j + k + l));
        }
        else
        {
            Vector128<float> x = Vector128.Create(0.999f);
            Vector128<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
            for (int n = (int)steps; n > 0; n--)
            {
                a = Vector128.MultiplyAddEstimate(a, x, x);
                b = Vector128.MultiplyAddEstimate(b, x, x);
                c = Vector128.MultiplyAddEstimate(c, x, x);
                d = Vector128.MultiplyAddEstimate(d, x, x);
                e = Vector128.MultiplyAddEstimate(e, x, x);
                f = Vector128.MultiplyAddEstimate(f, x, x);
                g = Vector128.MultiplyAddEstimate(g, x, x);
                h = Vector128.MultiplyAddEstimate(h, x, x);
                i = Vector128.MultiplyAddEstimate(i, x, x);
                j = Vector128.MultiplyAddEstimate(j, x, x);
                k = Vector128.MultiplyAddEstimate(k, x, x);
                l = Vector128.MultiplyAddEstimate(l, x, x);
            }

            Keep(Vector128.Sum(a + b + c + d + e + f + g + h + i + j + k + l));
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Keep(float value) => GC.KeepAlive(value > 0 ? null : typeof(float));
}
