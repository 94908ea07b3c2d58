using System.Diagnostics;
using System.Globalization;
using Limbeck.Checkpoints;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;
using Limbeck.Tokenization;
using Limbeck.Training.Compression;
using Limbeck.Training.Data;
using Limbeck.Training.Loop;
using Limbeck.Training.Optimization;

namespace Limbeck.Benchmarks;

/// <summary>TinyBERT's distillation with the classes that <c>limbeck compress</c> runs, random weights: the general stage as a share of the peak, and the intermediate stage against the authors' own code.</summary>
internal static class DistillationBenchmark
{
    private const int BatchRows = 32;

    /// <summary>general [--threads N] [--teacher minilm6] [--models tiny3,tiny2] [--batch N] [--length N] [--rounds N] [--precision fp32|bf16]: tokens per second, and useful operations over the peak.</summary>
    public static int General(string[] args)
    {
        using WorkerTeam team = new(BenchmarkOptions.Integer(args, "--threads", WorkerTeam.PhysicalCores));
        int batch = BenchmarkOptions.Integer(args, "--batch", BatchRows);
        int length = BenchmarkOptions.Integer(args, "--length", 128);
        int rounds = BenchmarkOptions.Integer(args, "--rounds", 9);
        Precision precision = BenchmarkOptions.Precision(args);
        BenchmarkModel teacherSizes = BenchmarkModel.Named(BenchmarkOptions.Text(args, "--teacher") ?? "minilm6");
        Console.WriteLine($"general distillation from {teacherSizes.Name}, one update of {batch} x {length}, {team.Threads} threads, {Cpu.Tier}, dense layers in {precision} and shares of its peak, median of {rounds}");
        Console.WriteLine("student   median ms   tokens/s   GFLOPS   of the peak kept up   of the best peak   best of best");
        foreach (BenchmarkModel studentSizes in BenchmarkModel.Chosen(args, "tiny3,tiny2"))
        {
            using BertModel teacher = teacherSizes.Create();
            using BertModel student = studentSizes.Create();
            using TinyBert method = Method(teacher, student);
            using LiveTeacher answers = new(teacher, null, Needs(method), team: team, precision: precision);
            using Tape tape = new(recording: true, team) { Seed = 1, Precision = precision };
            using Optimizer optimizer = new(OptimizerSettings.TinyBert(5e-5), method.Parameters, team);
            IObjective objective = method.Intermediate(answers);
            double[] losses = new double[objective.LossNames.Count];
            int[] lengths = [.. Enumerable.Repeat(length, batch)];
            TrainingBatch rows = new(PackedBatch.Pack(BenchmarkModel.Sequences(lengths)), [.. Enumerable.Range(0, batch)]);
            double projection = 2.0 * batch * length * student.Config.HiddenSize * teacher.Config.HiddenSize * (student.Config.LayerCount + 1);
            double flops = teacherSizes.Flops(lengths) + (3 * (studentSizes.Flops(lengths) + projection));
            PeakShares shares = PeakShares.Measure(rounds, flops, precision, team, () => Update(tape, objective, rows, losses, optimizer));
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{studentSizes.Name,-8} {shares.Median * 1e3,10:F1} {batch * length / shares.Median,10:N0} {flops / shares.Median / 1e9,8:F1} {shares.OfPeakKeptUp,21:P1} {shares.OfBestPeak,18:P1} {shares.BestOfBestPeak,14:P1}"));
        }

        return 0;
    }

    /// <summary>
    /// distill --glue DIR --tokenizer MODEL --reference DIR [--task SST-2] [--passes 20] [--rows 2048] [--teacher minilm6] [--models tiny3] [--rounds N] [--python PROGRAM]:
    /// passes over a task's data in an hour, the filling of the teacher's cache counted, against TinyBERT's own step on padded batches.
    /// </summary>
    public static int Race(string[] args, WorkerTeam team)
    {
        string Need(string name, string what) => BenchmarkOptions.Text(args, name) ?? throw new ArgumentException($"{name} {what}");
        TaskDefinition task = TaskDefinition.Find(BenchmarkOptions.Text(args, "--task") ?? "SST-2");
        int padded = BenchmarkOptions.Integer(args, "--length", task.IsPair ? 128 : 64);
        int passes = BenchmarkOptions.Integer(args, "--passes", 20);
        Dataset all = GlueReader.Read(task, Need("--glue", "DIRECTORY of GLUE's files"), "train");
        int[] order = [.. Enumerable.Range(0, all.Examples.Count)];
        new SeededRandom(1).Shuffle(order);
        Dataset sample = new($"a sample of {all.Name}", task, [.. order.Take(BenchmarkOptions.Integer(args, "--rows", 2048)).Select(row => all.Examples[row])]);
        EncodedDataset rows = EncodedDataset.Encode(sample, BertTokenizer.FromDirectory(Need("--tokenizer", "DIRECTORY of a model")), padded);
        DatasetBatches batches = new(rows, BatchRows, seed: 1);
        BenchmarkModel teacherSizes = BenchmarkModel.Named(BenchmarkOptions.Text(args, "--teacher") ?? "minilm6");
        Console.WriteLine($"{task.Name} train, {all.Examples.Count:N0} rows, a sample of {rows.Count:N0} with {(double)rows.Tokens / rows.Count:F1} tokens each; the authors' code pads to {padded}; batches of {BatchRows}; teacher {teacherSizes.Name}; medians of alternating rounds");
        Console.WriteLine($"student   ms a batch: filling the cache, an update with it; the authors' update   passes an hour over {passes} passes: Limbeck, theirs   times as many");
        using Peer peer = new(
            BenchmarkOptions.Text(args, "--python") ?? "/usr/bin/python3", Peer.Script("tinybert_step.py"),
            new Dictionary<string, string>
            {
                ["THREADS"] = $"{team.Threads}",
                ["OPENBLAS_CORETYPE"] = string.Empty,
                ["REFERENCE"] = Need("--reference", "DIRECTORY TinyBERT of huawei-noah/Pretrained-Language-Model"),
                ["LENGTHS"] = $"[{string.Join(',', rows.Lengths)}]",
            });
        foreach (BenchmarkModel studentSizes in BenchmarkModel.Chosen(args, "tiny3"))
        {
            using BertModel teacher = teacherSizes.Create();
            using BertModel student = studentSizes.Create();
            using TinyBert method = Method(teacher, student);
            using Tape tape = new(recording: true, team) { Seed = 1 };
            using Optimizer optimizer = new(OptimizerSettings.TinyBert(5e-5), method.Parameters, team);
            List<double> filling = [];
            List<double> updating = [];
            List<double> theirs = [];
            int count = batches.BatchCount(0);
            for (int round = -1; round < BenchmarkOptions.Integer(args, "--rounds", 7); round++)
            {
                string cache = Directory.CreateTempSubdirectory("limbeck-benchmark-").FullName;
                try
                {
                    long start = Stopwatch.GetTimestamp();
                    using ITeacher answers = CachedTeacher.Open(teacher, "benchmark", rows, Needs(method), new CacheOptions(Directory: cache), new ProgressDisplay(TextWriter.Null, terminal: false), team);
                    double fill = Stopwatch.GetElapsedTime(start).TotalSeconds / count;
                    IObjective objective = method.Intermediate(answers);
                    double[] losses = new double[objective.LossNames.Count];
                    start = Stopwatch.GetTimestamp();
                    for (int i = 0; i < count; i++)
                    {
                        Update(tape, objective, batches.Batch(round + 1, i), losses, optimizer);
                    }

                    double update = Stopwatch.GetElapsedTime(start).TotalSeconds / count;
                    double[] some = [.. Enumerable.Range(0, 4).Select(_ => peer.Seconds(new { teacher = Sizes(teacherSizes), student = Sizes(studentSizes), batch = BatchRows, length = padded }))];
                    if (round >= 0)
                    {
                        filling.Add(fill);
                        updating.Add(update);
                        theirs.Add(some.Average());
                    }
                }
                finally
                {
                    Directory.Delete(cache, recursive: true);
                }
            }

            double ofPass = (double)all.Examples.Count / BatchRows;
            double PassesAnHour(double first, double each) => 3600 * passes / (ofPass * (first + (passes * each)));
            double ours = PassesAnHour(Median(filling), Median(updating));
            double other = PassesAnHour(0, Median(theirs));
            double ratio = Median(theirs.Select((time, i) => passes * time / (filling[i] + (passes * updating[i]))));
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{studentSizes.Name,-8} {Median(filling) * 1e3,32:F1} {Median(updating) * 1e3,19:F1} {Median(theirs) * 1e3,20:F1} {ours,42:F1} {other,7:F2} {ratio,15:F1}"));
        }

        return 0;
    }

    private static TinyBert Method(BertModel teacher, BertModel student) =>
        new(teacher.Config, student, new TinyBertOptions { LayerMap = LayerMap.Uniform(student.Config.LayerCount, teacher.Config.LayerCount) }, new SeededRandom(3));

    private static TeacherNeeds Needs(TinyBert method) => new(false, method.TeacherHidden, method.TeacherScores);

    private static int[] Sizes(BenchmarkModel model) => [model.Layers, model.Hidden, model.Heads, model.Intermediate];

    private static void Update(Tape tape, IObjective objective, TrainingBatch batch, double[] losses, Optimizer optimizer)
    {
        tape.Step++;
        objective.Compute(tape, batch, 1, losses);
        tape.Backward();
        optimizer.Step(1);
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }
}
