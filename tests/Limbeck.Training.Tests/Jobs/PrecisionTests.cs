using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;
using Limbeck.Training.Jobs;
using Limbeck.Training.Loop;
using Limbeck.Training.Tests.Data.Augmentation;

namespace Limbeck.Training.Tests.Jobs;

/// <summary>The setting --precision, with the portable path where the CPU has no AVX512_BF16.</summary>
public sealed class PrecisionTests : IDisposable
{
    // What is learned may differ by so much in accuracy on the 40 rows of the tiny task, which both learn. Seen: none.
    private const double Spread = 0.05;

    public PrecisionTests() => Environment.SetEnvironmentVariable(Bf16.Variable, "portable");

    public void Dispose() => Environment.SetEnvironmentVariable(Bf16.Variable, null);

    [Fact]
    public void A_model_fine_tuned_in_bf16_learns_the_task_with_the_same_bits_on_any_number_of_threads()
    {
        using TinyJob job = new();
        TrainingReport whole = FineTuneJob.Run(job.FineTune("whole"), job.Context);
        TrainingReport rounded = FineTuneJob.Run(job.FineTune("a") with { Precision = "bf16" }, job.Context);
        Assert.Contains("precision: ", job.Messages.ToString(), StringComparison.Ordinal);
        using WorkerTeam three = new(3);
        FineTuneJob.Run(job.FineTune("b") with { Precision = "bf16" }, job.Context with { Team = three });
        Assert.Equal(job.Weights("a"), job.Weights("b"));
        Assert.NotEqual(job.Weights("whole"), job.Weights("a"));
        Assert.InRange(rounded.Metrics!["accuracy"], whole.Metrics!["accuracy"] - Spread, 1);
    }

    [Fact]
    public void A_run_goes_on_in_its_own_precision_and_not_in_another()
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("whole") with { Precision = "bf16" }, job.Context);
        using CancellationTokenSource stop = new();
        using StoppingWriter stopping = new(stop, "finetune 3/");
        JobContext context = new(stopping, new ProgressDisplay(stopping, terminal: false, TimeSpan.Zero), job.Context.Team, stop.Token);
        FineTuneSettings settings = job.FineTune("broken") with { Precision = "bf16", LoggingSteps = 1 };
        Assert.ThrowsAny<OperationCanceledException>(() => FineTuneJob.Run(settings, context));
        Assert.Throws<TrainingException>(() => FineTuneJob.Run(settings with { Resume = true, Precision = "fp32" }, job.Context));
        FineTuneJob.Run(settings with { Resume = true }, job.Context);
        Assert.Equal(job.Weights("whole"), job.Weights("broken"));
    }

    [Fact]
    public void Distillation_in_bf16_keeps_its_teachers_outputs_apart()
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        CompressJob.Run(job.Compress("whole"), job.Context);
        int before = Directory.GetFiles(job["cache"]).Length;
        TrainingReport student = CompressJob.Run(job.Compress("student") with { Precision = "bf16" }, job.Context);
        Assert.Equal(2 * before, Directory.GetFiles(job["cache"]).Length);
        Assert.Equal(12L, student.Steps);
        Assert.NotEqual(job.Weights("whole"), job.Weights("student"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Pretraining_takes_the_setting_with_a_frozen_encoder_too(bool frozen)
    {
        using TinyJob job = new();
        File.WriteAllLines(job["corpus.txt"], TinyWorld.Data(60, 1).Examples.Select(example => example.Text));
        PretrainSettings settings = new()
        {
            ModelNameOrPath = job["start"],
            TrainFile = job["corpus.txt"],
            ValidationSplit = 0.2,
            MaxSeqLength = 16,
            CacheDir = job["cache"],
            FreezeEncoder = frozen,
            Training = new StageSettings { MaxSteps = 4, PerDeviceTrainBatchSize = 4 },
        };
        PretrainJob.Run(settings with { OutputDir = job["whole"] }, job.Context);
        PretrainJob.Run(settings with { OutputDir = job["rounded"], Precision = "bf16" }, job.Context);
        Assert.NotEqual(job.Weights("whole"), job.Weights("rounded"));
    }

    [Fact]
    public void General_distillation_takes_the_setting()
    {
        using TinyJob job = new();
        File.WriteAllLines(job["corpus.txt"], TinyWorld.Data(200, 1).Examples.Select((example, i) => i % 10 == 9 ? string.Empty : example.Text));
        CompressSettings settings = job.Compress("whole") with
        {
            Stage = "general",
            TeacherModel = job["start"],
            TrainCorpus = job["corpus.txt"],
            TrainFile = null,
            ValidationFile = null,
            General = new GeneralSettings { MaxSteps = 3, PerDeviceTrainBatchSize = 4, NumTrainEpochs = 1 },
        };
        CompressJob.Run(settings, job.Context);
        CompressJob.Run(settings with { OutputDir = job["rounded"], Precision = "bf16" }, job.Context);
        Assert.NotEqual(job.Weights("whole"), job.Weights("rounded"));
    }

    [Fact]
    public void Augmentation_takes_the_setting_and_goes_on_in_its_own_precision_only()
    {
        using AugmentWorld world = new();
        world.Write("train.tsv", "text\tlabel\n" + AugmentWorld.Rows(30, 2));
        AugmentSettings settings = world.Settings("train.tsv") with { Precision = "bf16" };
        AugmentJob.Run(settings, world.Context);
        Assert.Contains("precision: ", world.Messages.ToString(), StringComparison.Ordinal);
        string rounded = File.ReadAllText(world["train_aug.tsv"]);
        AugmentJob.Run(settings with { Overwrite = true }, world.Context);
        Assert.Equal(rounded, File.ReadAllText(world["train_aug.tsv"]));
        AugmentJob.Run(settings with { Precision = "fp32", OutputFile = world["whole.tsv"] }, world.Context);
        Assert.NotEqual(rounded, File.ReadAllText(world["whole.tsv"]));
        UsageException refused = Assert.Throws<UsageException>(() => AugmentJob.Run(settings with { Resume = true, Precision = "fp32" }, world.Context));
        Assert.Contains("other settings", refused.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Without_the_instruction_bf16_is_refused_and_auto_is_float32_and_says_so()
    {
        Skip.If(Bf16.IsAccelerated, "this CPU has AVX512_BF16");
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("whole"), job.Context);
        Environment.SetEnvironmentVariable(Bf16.Variable, null);
        string refused = Assert.Throws<UsageException>(() => FineTuneJob.Run(job.FineTune("a") with { Precision = "bf16" }, job.Context)).Message;
        foreach (string part in (string[])["--precision is bf16", Bf16.Reason, "--precision auto", "LIMBECK_BF16=portable"])
        {
            Assert.Contains(part, refused, StringComparison.Ordinal);
        }

        Assert.False(Directory.Exists(job["a"]));
        FineTuneJob.Run(job.FineTune("auto") with { Precision = "auto" }, job.Context);
        Assert.Contains($"precision: float32, since {Bf16.Reason}", job.Messages.ToString(), StringComparison.Ordinal);
        Assert.Equal(job.Weights("whole"), job.Weights("auto"));
    }
}
