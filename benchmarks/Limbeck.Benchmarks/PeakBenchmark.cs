using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;

namespace Limbeck.Benchmarks;

/// <summary>Prints what the machine can do: multiply-adds for each number of threads, and reading memory.</summary>
internal static class PeakBenchmark
{
    public static int Run(string[] args)
    {
        int most = BenchmarkOptions.Integer(args, "--threads", WorkerTeam.DefaultThreads);
        double seconds = BenchmarkOptions.Number(args, "--seconds", 1);
        Console.WriteLine($"tier {Cpu.Tier}, {WorkerTeam.PhysicalCores} physical cores; bf16: {Bf16.Reason}");
        Console.WriteLine("| threads | GFLOPS float32 | GFLOPS bf16 | GB/s |");
        Console.WriteLine("|---:|---:|---:|---:|");
        for (int threads = 1; threads <= most; threads++)
        {
            using var team = new WorkerTeam(threads);
            double flops = MachinePeak.MeasureFlops(team, seconds);
            string bf16 = Bf16.IsAccelerated ? $"{MachinePeak.MeasureFlops(team, seconds, Precision.Bf16) / 1e9:F1}" : "none";
            double bytes = MachinePeak.MeasureBandwidth(team, seconds);
            Console.WriteLine($"| {threads} | {flops / 1e9:F1} | {bf16} | {bytes / 1e9:F1} |");
        }

        return 0;
    }
}
