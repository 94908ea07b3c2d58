using System.Diagnostics;
using System.Globalization;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;
using Limbeck.Training.Optimization;

namespace Limbeck.Benchmarks;

/// <summary>Whole models with random weights: the encoder's forward pass, and training steps (forward, backward, AdamW), as shares of the peak measured in the same run.</summary>
internal static class ModelBenchmark
{
    private static readonly (string Name, int Layers, int Hidden, int Heads, int Intermediate)[] Models =
    [
        ("tiny3", 3, 312, 12, 1200),
        ("tiny4", 4, 312, 12, 1200),
        ("minilm6", 6, 384, 12, 1536),
        ("base", 12, 768, 12, 3072),
    ];

    /// <summary>encoder|train [--threads N] [--models a,b] [--batch N] [--length N] [--rounds N]</summary>
    public static int Run(string[] args)
    {
        bool training = args[0] == "train";
        using WorkerTeam team = new(BenchmarkOptions.Integer(args, "--threads", WorkerTeam.PhysicalCores));
        string[] wanted = (BenchmarkOptions.Text(args, "--models") ?? "tiny3,tiny4,minilm6,base").Split(',');
        int batch = BenchmarkOptions.Integer(args, "--batch", 32);
        int length = BenchmarkOptions.Integer(args, "--length", training ? 64 : 128);
        int rounds = BenchmarkOptions.Integer(args, "--rounds", 7);
        Console.WriteLine($"{(training ? "training step (forward, backward, AdamW; dropout 0.1)" : "encoder forward")}, batch {batch} x {length}, {team.Threads} threads, {Cpu.Tier}, median of {rounds}");
        Console.WriteLine("model     median ms   GFLOPS   share of peak   activations MB");
        foreach ((string name, int layers, int hidden, int heads, int intermediate) in Models)
        {
            if (!wanted.Contains(name))
            {
                continue;
            }

            BertConfig config = new() { LayerCount = layers, HiddenSize = hidden, HeadCount = heads, IntermediateSize = intermediate };
            using BertModel model = new(config, HeadKind.Classifier);
            model.Initialize(new SeededRandom(1));
            SeededRandom random = new(2);
            PackedBatch packed = PackedBatch.Pack([.. Enumerable.Range(0, batch).Select(_ => (Enumerable.Range(0, length).Select(_ => 1000 + random.NextInt(20000)).ToArray(), new int[length]))]);
            int[] labels = [.. Enumerable.Range(0, batch).Select(i => i % 2)];
            using Tape tape = new(recording: training, team) { Seed = 1 };
            using Optimizer optimizer = new(new OptimizerSettings(), model.Parameters, team);
            double flops = layers * (double)batch * length * ((2.0 * ((4.0 * hidden * hidden) + (2.0 * hidden * intermediate))) + (4.0 * length * hidden)) * (training ? 3 : 1);
            List<double> times = [];
            List<double> peaks = [];
            for (int round = -2; round < rounds; round++)
            {
                double peak = MachinePeak.MeasureFlops(team, 0.1);
                long start = Stopwatch.GetTimestamp();
                if (training)
                {
                    tape.Step++;
                    tape.CrossEntropy(model.Logits(tape, packed), labels);
                    tape.Backward();
                    optimizer.Step(1);
                }
                else
                {
                    model.Encoder.Forward(tape, packed);
                    tape.Reset();
                }

                if (round >= 0)
                {
                    times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
                    peaks.Add(peak);
                }
            }

            times.Sort();
            peaks.Sort();
            double median = times[times.Count / 2];
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{name,-8} {median * 1e3,10:F1} {flops / median / 1e9,8:F1} {flops / median / peaks[peaks.Count / 2],15:P1} {tape.PeakBytes / 1e6,12:F0}   (best {flops / times[0] / peaks[^1]:P1})"));
        }

        return 0;
    }
}
