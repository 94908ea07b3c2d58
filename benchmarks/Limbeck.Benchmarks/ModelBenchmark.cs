using System.Globalization;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;

namespace Limbeck.Benchmarks;

/// <summary>Whole models with random weights: the encoder's forward pass, and training steps (forward, backward, AdamW), as shares of the peak measured in the same run: the one kept up for 0.1 s before and after each round, and the best moment's.</summary>
internal static class ModelBenchmark
{
    /// <summary>encoder|train [--threads N] [--models a,b] [--batch N] [--length N] [--rounds N] [--precision fp32|bf16]</summary>
    public static int Run(string[] args)
    {
        bool training = args[0] == "train";
        using WorkerTeam team = new(BenchmarkOptions.Integer(args, "--threads", WorkerTeam.PhysicalCores));
        int batch = BenchmarkOptions.Integer(args, "--batch", 32);
        int length = BenchmarkOptions.Integer(args, "--length", training ? 64 : 128);
        Precision precision = BenchmarkOptions.Precision(args);
        int rounds = BenchmarkOptions.Integer(args, "--rounds", 7);
        Console.WriteLine($"{(training ? "training step (forward, backward, AdamW; dropout 0.1)" : "encoder forward")}, batch {batch} x {length}, {team.Threads} threads, {Cpu.Tier}, dense layers in {precision} and shares of its peak, median of {rounds}");
        Console.WriteLine("model     median ms   GFLOPS   of the peak kept up   of the best peak   best of best   activations MB");
        foreach (BenchmarkModel sizes in BenchmarkModel.Chosen(args))
        {
            using ModelWork work = new(sizes, training, batch, length, precision, args, team);
            PeakShares shares = PeakShares.Measure(rounds, work.Flops, precision, team, work.Run);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{sizes.Name,-8} {shares.Median * 1e3,10:F1} {work.Flops / shares.Median / 1e9,8:F1} {shares.OfPeakKeptUp,21:P1} {shares.OfBestPeak,18:P1} {shares.BestOfBestPeak,14:P1} {work.PeakBytes / 1e6,16:F0}"));
        }

        return 0;
    }
}
