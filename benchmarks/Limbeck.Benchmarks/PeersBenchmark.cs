using System.Diagnostics;
using System.Globalization;
using Limbeck.Inference;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;
using Limbeck.Tokenization;
using Limbeck.Training.Data;
using Limbeck.Training.Optimization;

namespace Limbeck.Benchmarks;

/// <summary>Races against ONNX Runtime (inference), PyTorch (training) and TinyBERT's own code (distillation), alternating in one run, with the medians and the peak measured between the rounds.</summary>
internal static class PeersBenchmark
{
    /// <summary>peers encoder|text|train|distill ...: see Program.</summary>
    public static int Run(string[] args)
    {
        using WorkerTeam team = new(BenchmarkOptions.Integer(args, "--threads", WorkerTeam.PhysicalCores));
        Console.WriteLine($"{args.FirstOrDefault()}: {team.Threads} threads, {Cpu.Tier}");
        return args.FirstOrDefault() switch
        {
            "encoder" => Encoder(args, team),
            "text" => Text(args, team),
            "train" => Train(args, team),
            "distill" => DistillationBenchmark.Race(args, team),
            _ => throw new ArgumentException("peers encoder|text|train|distill"),
        };
    }

    private static int Encoder(string[] args, WorkerTeam team)
    {
        int batch = BenchmarkOptions.Integer(args, "--batch", 32);
        int length = BenchmarkOptions.Integer(args, "--length", 128);
        int[] lengths = [.. Enumerable.Repeat(length, batch)];
        Console.WriteLine($"batch {batch} x {length}; medians of alternating rounds\nmodel      Limbeck ms   share of peak   ONNX Runtime ms   times as fast");
        using Peer peer = OnnxRuntime(args, team);
        foreach (BenchmarkModel sizes in BenchmarkModel.Chosen(args))
        {
            using BertModel model = sizes.Create();
            using PackedRunner runner = new(new ModelOptions { Team = team });
            (int[] Ids, int[] TypeIds)[] sequences = BenchmarkModel.Sequences(lengths);
            Rounds rounds = Rounds.Alternate(
                args, team,
                () => runner.Run(sequences, (tape, part, _) => model.Logits(tape, part), CancellationToken.None),
                () => peer.Seconds(new { model = sizes.Name, batches = new[] { lengths } }));
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{sizes.Name,-9} {rounds.Ours * 1e3,11:F1} {sizes.Flops(lengths) / rounds.Ours / rounds.Peak,15:P1} {rounds.Theirs * 1e3,17:F1} {rounds.Ratio,15:F2}"));
        }

        return 0;
    }

    private static int Text(string[] args, WorkerTeam team)
    {
        string glue = BenchmarkOptions.Text(args, "--glue") ?? throw new ArgumentException("--glue DIRECTORY of GLUE's files");
        string tokenizerDirectory = BenchmarkOptions.Text(args, "--tokenizer") ?? throw new ArgumentException("--tokenizer DIRECTORY of a model");
        TaskDefinition task = TaskDefinition.Find(BenchmarkOptions.Text(args, "--task") ?? "SST-2");
        EncodedDataset data = EncodedDataset.Encode(GlueReader.Read(task, glue, "dev"), BertTokenizer.FromDirectory(tokenizerDirectory), 128);
        int[][] inOrder = [.. data.Lengths.Chunk(32)];
        int[][] sorted = [.. data.Lengths.Order().Chunk(32)];
        Console.WriteLine($"{task.Name} dev, {data.Count} rows, {data.Tokens} tokens, batches of 32\nmodel      Limbeck ms (file order)   ONNX Runtime ms: file order, sorted   times as fast: file order, sorted");
        using Peer peer = OnnxRuntime(args, team);
        foreach (BenchmarkModel sizes in BenchmarkModel.Chosen(args))
        {
            using BertModel model = sizes.Create();
            using PackedRunner runner = new(new ModelOptions { Team = team });
            (int[] Ids, int[] TypeIds)[][] batches = [.. inOrder.Select(lengths => BenchmarkModel.Sequences(lengths))];
            Rounds first = Race(inOrder);
            Rounds second = Race(sorted);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{sizes.Name,-9} {first.Ours * 1e3,24:F1} {first.Theirs * 1e3,25:F1} {second.Theirs * 1e3,10:F1} {first.Ratio,22:F2} {second.Ratio,10:F2}"));

            Rounds Race(int[][] theirs) => Rounds.Alternate(
                args, team,
                () =>
                {
                    foreach ((int[] Ids, int[] TypeIds)[] batch in batches)
                    {
                        runner.Run(batch, (tape, part, _) => model.Logits(tape, part), CancellationToken.None);
                    }
                },
                () => peer.Seconds(new { model = sizes.Name, batches = theirs }));
        }

        return 0;
    }

    private static int Train(string[] args, WorkerTeam team)
    {
        int batch = BenchmarkOptions.Integer(args, "--batch", 32);
        int length = BenchmarkOptions.Integer(args, "--length", 64);
        int[] lengths = [.. Enumerable.Repeat(length, batch)];
        Console.WriteLine($"training step (forward, backward, clipping, AdamW; dropout 0.1), batch {batch} x {length}; medians of alternating rounds");
        Console.WriteLine("model      Limbeck ms   share of peak   PyTorch ms   times as fast   peak memory MB: Limbeck's process, PyTorch's");
        foreach (BenchmarkModel sizes in BenchmarkModel.Chosen(args))
        {
            using Peer peer = new(
                BenchmarkOptions.Text(args, "--python") ?? "/usr/bin/python3", Peer.Script("pytorch.py"),
                new Dictionary<string, string> { ["THREADS"] = $"{team.Threads}", ["OPENBLAS_CORETYPE"] = string.Empty });
            using BertModel model = sizes.Create();
            using Tape tape = new(recording: true, team) { Seed = 1 };
            using Optimizer optimizer = new(new OptimizerSettings(), model.Parameters, team);
            PackedBatch packed = PackedBatch.Pack(BenchmarkModel.Sequences(lengths));
            int[] labels = [.. Enumerable.Range(0, batch).Select(i => i % 2)];
            double theirMemory = 0;
            Rounds rounds = Rounds.Alternate(
                args, team,
                () =>
                {
                    tape.Step++;
                    tape.CrossEntropy(model.Logits(tape, packed), labels);
                    tape.Backward();
                    optimizer.Step(1);
                },
                () =>
                {
                    System.Text.Json.JsonElement answer = peer.Ask(new { model = new[] { sizes.Layers, sizes.Hidden, sizes.Heads, sizes.Intermediate }, batch, length });
                    theirMemory = answer.GetProperty("peak_mb").GetDouble();
                    return answer.GetProperty("seconds").GetDouble();
                });
            using Process self = Process.GetCurrentProcess();
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{sizes.Name,-9} {rounds.Ours * 1e3,11:F1} {3 * sizes.Flops(lengths) / rounds.Ours / rounds.Peak,15:P1} {rounds.Theirs * 1e3,12:F1} {rounds.Ratio,15:F2} {self.PeakWorkingSet64 / 1048576.0,14:F0} {theirMemory,10:F0}"));
        }

        return 0;
    }

    private static Peer OnnxRuntime(string[] args, WorkerTeam team) => new(
        "node", Peer.Script("onnxruntime.js"),
        new Dictionary<string, string>
        {
            ["THREADS"] = $"{team.Threads}",
            ["ONNX_FILES"] = BenchmarkOptions.Text(args, "--onnx") ?? throw new ArgumentException("--onnx DIRECTORY of NAME-fp32.onnx files"),
            ["NODE_PATH"] = BenchmarkOptions.Text(args, "--node-modules") ?? Path.Combine(Path.GetDirectoryName(Peer.Script("onnxruntime.js"))!, "node_modules"),
        });
}
