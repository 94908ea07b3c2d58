using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;
using Limbeck.Training.Compression;
using Limbeck.Training.Data;
using Limbeck.Training.Loop;
using Limbeck.Training.Metrics;
using Limbeck.Training.Optimization;

namespace Limbeck.Training.Tests.Loop;

public sealed class TrainingLoopTests
{
    private const int Epochs = 3;
    private static readonly EncodedDataset Data = TinyWorld.Encoded(70, 1);

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(9)]
    [InlineData(17)]
    public void A_run_that_stops_at_any_batch_and_resumes_ends_with_the_same_bits(int stopAt)
    {
        float[] unbroken = Train(TinyWorld.NewDirectory(), new Options());
        string directory = TinyWorld.NewDirectory();
        Assert.Throws<CrashException>(() => Train(directory, new Options { CrashAt = stopAt }));
        float[] resumed = Train(directory, new Options { Resume = true });
        Assert.True(unbroken.AsSpan().SequenceEqual(resumed));
    }

    [Fact]
    public void A_cancelled_run_writes_a_checkpoint_and_resumes_with_the_same_bits()
    {
        float[] unbroken = Train(TinyWorld.NewDirectory(), new Options());
        string directory = TinyWorld.NewDirectory();
        Assert.ThrowsAny<OperationCanceledException>(() => Train(directory, new Options { CancelAt = 7, SaveSteps = 0 }));
        Assert.NotEmpty(Directory.GetDirectories(directory, "checkpoint-*"));
        float[] resumed = Train(directory, new Options { Resume = true, SaveSteps = 0 });
        Assert.True(unbroken.AsSpan().SequenceEqual(resumed));
    }

    [Theory]
    [InlineData("during")]
    [InlineData("after")]
    public void A_run_stopped_while_a_stage_is_prepared_or_right_after_resumes_with_the_same_bits(string when)
    {
        float[] unprepared = Train(TinyWorld.NewDirectory(), new Options());
        float[] unbroken = Train(TinyWorld.NewDirectory(), new Options { Prepares = true });
        Assert.False(unprepared.AsSpan().SequenceEqual(unbroken));
        string directory = TinyWorld.NewDirectory();
        Assert.ThrowsAny<OperationCanceledException>(() => Train(directory, new Options { Prepares = true, CancelPreparation = when }));
        Assert.NotEmpty(Directory.GetDirectories(directory, "checkpoint-*"));
        float[] resumed = Train(directory, new Options { Prepares = true, Resume = true });
        Assert.True(unbroken.AsSpan().SequenceEqual(resumed));

        // A stage that is begun is not prepared again.
        Assert.ThrowsAny<OperationCanceledException>(() => Train(directory, new Options { Prepares = true, CancelAt = 7 }));
        Assert.True(unbroken.AsSpan().SequenceEqual(Train(directory, new Options { Prepares = true, Resume = true })));
    }

    [Fact]
    public void Threads_do_not_change_the_bits()
    {
        float[] one = Train(TinyWorld.NewDirectory(), new Options { Threads = 1 });
        float[] two = Train(TinyWorld.NewDirectory(), new Options { Threads = 2 });
        Assert.True(one.AsSpan().SequenceEqual(two));
    }

    [Fact]
    public void A_finished_run_resumes_to_nothing_more()
    {
        string directory = TinyWorld.NewDirectory();
        float[] first = Train(directory, new Options());
        float[] again = Train(directory, new Options { Resume = true });
        Assert.True(first.AsSpan().SequenceEqual(again));
    }

    [Fact]
    public void Other_settings_cannot_resume_a_run()
    {
        string directory = TinyWorld.NewDirectory();
        Train(directory, new Options());
        TrainingException exception = Assert.Throws<TrainingException>(() => Train(directory, new Options { Resume = true, LearningRate = 2e-3 }));
        Assert.Contains(directory, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_loss_that_is_not_finite_stops_the_run_with_step_batch_and_last_good_checkpoint()
    {
        string directory = TinyWorld.NewDirectory();
        TrainingException exception = Assert.Throws<TrainingException>(() => Train(directory, new Options { PoisonAt = 8 }));
        Assert.Contains("step 9", exception.Message, StringComparison.Ordinal);
        Assert.Contains("batch", exception.Message, StringComparison.Ordinal);
        Assert.Contains("checkpoint-", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_best_model_is_kept_and_given_when_asked_for()
    {
        string directory = TinyWorld.NewDirectory();
        Train(directory, new Options { LoadBest = true });
        Assert.True(File.Exists(Path.Combine(directory, "best", "model.safetensors")));
        Assert.Equal(File.ReadAllBytes(Path.Combine(directory, "best", "model.safetensors")), File.ReadAllBytes(Path.Combine(directory, "model.safetensors")));
    }

    [Fact]
    public void Logs_and_event_files_are_written_and_a_resumed_log_has_each_step_once()
    {
        string directory = TinyWorld.NewDirectory();
        Assert.Throws<CrashException>(() => Train(directory, new Options { CrashAt = 17 }));
        Train(directory, new Options { Resume = true });
        string[] lines = File.ReadAllLines(Path.Combine(directory, "metrics.jsonl"));
        long[] steps = [.. lines.Where(line => line.Contains("learning_rate", StringComparison.Ordinal))
            .Select(line => System.Text.Json.JsonDocument.Parse(line).RootElement.GetProperty("step").GetInt64())];
        Assert.Equal(steps.Distinct().Order(), steps);
        Assert.NotEmpty(Directory.GetFiles(directory, "events.out.tfevents*", SearchOption.AllDirectories));
    }

    private static float[] Train(string directory, Options options)
    {
        using WorkerTeam team = new(options.Threads);
        using BertModel model = TinyWorld.Model(TinyWorld.Config(), 3);
        using CancellationTokenSource source = new();
        Meddler objective = new(new TaskObjective(model, Data), options, source);
        Stage stage = new()
        {
            Name = "finetune",
            Batches = new DatasetBatches(Data, 10, 5),
            Objective = objective,
            Parameters = model.Parameters,
            Optimizer = new OptimizerSettings { LearningRate = options.LearningRate },
            Schedule = LearningRateSchedule.Parse("linear", 0.1),
            Epochs = Epochs,
            Begin = options.Prepares ? Prepare : null,
            Evaluate = _ => MetricSet.Compute(Data.Source.Task, Data.Labels([.. Enumerable.Range(0, Data.Count)]), new int[Data.Count]),
        };
        void Prepare(CancellationToken cancellation)
        {
            if (options.CancelPreparation == "during")
            {
                source.Cancel();
            }

            cancellation.ThrowIfCancellationRequested();
            model["classifier.bias"].Value.Span.Fill(0.5f);
            model["classifier.bias"].Changed();
            if (options.CancelPreparation == "after")
            {
                source.Cancel();
            }
        }

        using ProgressDisplay progress = new(TextWriter.Null, terminal: false);
        TrainingLoop loop = new(
            new TrainingOptions { OutputDirectory = directory, Resume = options.Resume, SaveSteps = options.SaveSteps, LoggingSteps = 1, LoadBestModelAtEnd = options.LoadBest },
            [stage], model.Parameters, "settings", path => model.Save(path), team, progress);
        loop.Run(source.Token);
        return [.. model.Parameters.SelectMany(parameter => parameter.Value.ToArray())];
    }

    private sealed record Options
    {
        public int CrashAt { get; init; } = -1;

        public int CancelAt { get; init; } = -1;

        public int PoisonAt { get; init; } = -1;

        public int SaveSteps { get; init; } = 3;

        public int Threads { get; init; } = 2;

        public bool Resume { get; init; }

        public bool LoadBest { get; init; }

        public double LearningRate { get; init; } = 1e-3;

        public bool Prepares { get; init; }

        public string? CancelPreparation { get; init; }
    }

    private sealed class CrashException : Exception;

    private sealed class Meddler(IObjective inner, Options options, CancellationTokenSource source) : IObjective
    {
        private int calls;

        public IReadOnlyList<string> LossNames => inner.LossNames;

        public void Compute(Tape tape, TrainingBatch batch, float weight, Span<double> losses)
        {
            if (calls == options.CrashAt)
            {
                throw new CrashException();
            }

            if (calls == options.CancelAt)
            {
                source.Cancel();
            }

            inner.Compute(tape, batch, weight, losses);
            if (calls == options.PoisonAt)
            {
                losses[0] = double.NaN;
            }

            calls++;
        }
    }
}
