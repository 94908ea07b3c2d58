using System.Diagnostics;
using System.Globalization;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;

namespace Limbeck.Benchmarks;

/// <summary>bf16 against float32 in one alternating run: matrix products, encoder forward passes and training steps.</summary>
internal static class PrecisionBenchmark
{
    private const double ShortestRound = 0.05;
    private const double WarmUpSeconds = 1;

    private static readonly (int Rows, int In, int Out)[] Products = [(4096, 312, 1200), (4096, 1200, 312), (4096, 384, 1536), (4096, 768, 768), (4096, 768, 3072)];

    /// <summary>precision [--threads N] [--models tiny4,minilm6,base] [--rounds N]</summary>
    public static int Run(string[] args)
    {
        if (!Bf16.IsAccelerated)
        {
            throw new ArgumentException($"bf16 cannot be measured: {Bf16.Reason}");
        }

        using WorkerTeam team = new(BenchmarkOptions.Integer(args, "--threads", WorkerTeam.PhysicalCores));
        Console.WriteLine($"bf16 against float32, {team.Threads} threads, {Cpu.Tier}; medians of alternating rounds; shares of the bf16 peak of the same run");
        Console.WriteLine("| what | size | float32 ms | bf16 ms | times as fast | of the bf16 peak |");
        Console.WriteLine("|---|---|---:|---:|---:|---:|");
        foreach ((int rows, int inputs, int outputs) in Products)
        {
            foreach (GemmBenchmark.Form form in (ReadOnlySpan<GemmBenchmark.Form>)[GemmBenchmark.Form.Forward, GemmBenchmark.Form.InputGradient, GemmBenchmark.Form.WeightGradient])
            {
                using GemmBenchmark.Product bf16 = new(form, rows, inputs, outputs, team, Precision.Bf16);
                using GemmBenchmark.Product float32 = new(form, rows, inputs, outputs, team, Precision.Float32);
                Race(args, team, $"{form}", $"{rows} x {inputs} x {outputs}", 2.0 * rows * inputs * outputs, bf16.Run, float32.Run);
            }
        }

        foreach (bool training in (ReadOnlySpan<bool>)[false, true])
        {
            int length = training ? 64 : 128;
            foreach (BenchmarkModel sizes in BenchmarkModel.Chosen(args))
            {
                using ModelWork bf16 = new(sizes, training, 32, length, Precision.Bf16, args, team);
                using ModelWork float32 = new(sizes, training, 32, length, Precision.Float32, args, team);
                Race(args, team, training ? "training step" : "encoder", $"{sizes.Name}, 32 x {length}", bf16.Flops, bf16.Run, float32.Run);
            }
        }

        return 0;
    }

    private static void Race(string[] args, WorkerTeam team, string what, string size, double flops, Action bf16, Action float32)
    {
        // Until the JIT has compiled everything for good.
        long warmUp = Stopwatch.GetTimestamp();
        do
        {
            bf16();
            float32();
        }
        while (Stopwatch.GetElapsedTime(warmUp).TotalSeconds < WarmUpSeconds);

        int times = 1;
        while (Seconds(float32, times) < ShortestRound)
        {
            times *= 2;
        }

        Rounds rounds = Rounds.Alternate(args, team, () => Seconds(bf16, times), () => Seconds(float32, times), Precision.Bf16);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {what} | {size} | {rounds.Theirs / times * 1e3:F2} | {rounds.Ours / times * 1e3:F2} | {rounds.Ratio:F2} | {flops * times / rounds.Ours / rounds.Peak:P1} |"));
    }

    private static double Seconds(Action run, int times)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < times; i++)
        {
            run();
        }

        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
