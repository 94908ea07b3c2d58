using System.Diagnostics;
using System.Runtime.InteropServices;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;

namespace Limbeck.Benchmarks;

/// <summary>Packed attention, forward and backward, as shares of the FMA peak measured in the same run.</summary>
/// <remarks>Useful flops only: 4 T n H forward (two products), 10 T n H backward (five, one of them the recomputed scores); softmax counts nothing.</remarks>
internal static unsafe class AttentionBenchmark
{
    private static readonly (string Name, int Heads, int HeadSize)[] Models = [("tiny4", 12, 26), ("minilm6", 12, 32), ("base", 12, 64)];

    /// <summary>Prints one line a model and length.</summary>
    /// <param name="args">--threads (1), --seconds a line (0.3), --lengths (8,13,25,64,128,512), --filter a model's name.</param>
    /// <returns>0.</returns>
    public static int Run(string[] args)
    {
        int threads = BenchmarkOptions.Integer(args, "--threads", 1);
        double seconds = BenchmarkOptions.Number(args, "--seconds", 0.3);
        int[] lengths = [.. (BenchmarkOptions.Text(args, "--lengths") ?? "8,13,25,64,128,512").Split(',').Select(int.Parse)];
        string? filter = BenchmarkOptions.Text(args, "--filter");
        using WorkerTeam team = new(threads);
        Console.WriteLine($"attention, up to 32 sequences of one length, {Cpu.Tier}, {threads} threads, shortest of the rounds of {seconds} s");
        Console.WriteLine("| model | length | tokens | forward ms | ns/token | % peak | backward ms | ns/token | % peak | peak GFLOPS |");
        Console.WriteLine("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
        foreach ((string name, int heads, int headSize) in Models.Where(m => filter is null || m.Name == filter))
        {
            foreach (int length in lengths)
            {
                Measure(name, heads, headSize, length, seconds, team);
            }
        }

        return 0;
    }

    private static void Measure(string name, int heads, int headSize, int length, double seconds, WorkerTeam team)
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
        long start = Stopwatch.GetTimestamp();
        for (int round = 0; round < 5 || Stopwatch.GetElapsedTime(start).TotalSeconds < seconds; round++)
        {
            peak = Math.Max(peak, MachinePeak.MeasureFlops(team, 0.0002));
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
            $"| {name} | {length} | {tokens} | {forward * 1e3:F3} | {forward * 1e9 / tokens:F0} | {100 * flops / forward / peak:F1} "
            + $"| {backward * 1e3:F3} | {backward * 1e9 / tokens:F0} | {100 * 2.5 * flops / backward / peak:F1} | {peak / 1e9:F1} |");
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
}
