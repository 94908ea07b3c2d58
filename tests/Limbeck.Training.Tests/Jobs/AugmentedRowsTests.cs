using Limbeck.Training.Jobs;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Tests.Jobs;

public sealed class AugmentedRowsTests
{
    [Fact]
    public void The_intermediate_stage_learns_on_the_augmented_rows_and_the_prediction_stage_on_the_original_ones()
    {
        // 120 rows are 4 batches; the augmented file has each twice. Intermediate 2 epochs, prediction 1.
        using TinyJob job = Prepared();
        Assert.Equal((2 * 8) + 4, Run(job, "a", job.Compress("a") with { AugTrain = true }));
        Assert.Equal((2 * 8) + 8, Run(job, "b", job.Compress("b") with { AugTrain = true, AugPrediction = true }));
        Assert.Equal((2 * 4) + 4, Run(job, "c", job.Compress("c")));
    }

    [Fact]
    public void With_a_budget_of_tokens_a_run_sees_as_many_tokens_as_one_without_augmentation()
    {
        using TinyJob job = Prepared();
        TrainingReport plain = CompressJob.Run(job.Compress("plain"), job.Context);
        CompressSettings settings = job.Compress("bounded") with { AugTrain = true, AugBudget = "tokens" };
        TrainingReport bounded = CompressJob.Run(settings, job.Context);
        Assert.Equal((plain.Steps, plain.Tokens), (bounded.Steps, bounded.Tokens));
        TrainingReport longer = CompressJob.Run(settings with { OutputDir = job["longer"], Intermediate = settings.Intermediate with { NumTrainEpochs = 3 } }, job.Context);

        // The stage ends with the batch that reaches the budget.
        Assert.InRange(longer.Tokens - plain.Tokens, plain.Tokens / 3, (plain.Tokens / 3) + (32 * 16));
        TrainingReport shorter = CompressJob.Run(settings with { OutputDir = job["shorter"], Intermediate = settings.Intermediate with { MaxSteps = 3 } }, job.Context);
        Assert.Equal(3 + 4, shorter.Steps);
    }

    [Fact]
    public void A_run_on_augmented_rows_resumed_ends_with_the_same_bits()
    {
        using TinyJob job = Prepared();
        CompressSettings settings = job.Compress("whole") with { AugTrain = true, AugBudget = "tokens" };
        CompressJob.Run(settings, job.Context);
        using CancellationTokenSource stop = new();
        using StoppingWriter stopping = new(stop, "intermediate 3/");
        JobContext context = new(stopping, new ProgressDisplay(stopping, terminal: false, TimeSpan.Zero), job.Context.Team, stop.Token);
        settings = settings with { OutputDir = job["broken"] };
        Assert.ThrowsAny<OperationCanceledException>(() => CompressJob.Run(settings with { LoggingSteps = 1 }, context));
        CompressJob.Run(settings with { Resume = true }, job.Context);
        Assert.Equal(job.Weights("whole"), job.Weights("broken"));
    }

    [Fact]
    public void The_file_may_lie_elsewhere_and_its_words_are_kept_in_a_trimmed_vocabulary()
    {
        using TinyJob job = Prepared();
        string[] rows = [.. File.ReadLines(job["train.tsv"]).Where((line, i) => i == 0 || !line.Contains("poor", StringComparison.Ordinal))];
        File.WriteAllLines(job["short.tsv"], rows);
        File.WriteAllLines(job["more.tsv"], [.. rows, "the poor food was bad\tnegative"]);
        CompressSettings settings = job.Compress("student") with { TrainFile = job["short.tsv"], TrimVocabulary = true, AugFile = job["more.tsv"] };
        CompressJob.Run(settings, job.Context);
        Assert.Contains("poor", File.ReadAllLines(Path.Combine(job["student"], "vocab.txt")));
    }

    [Fact]
    public void A_file_that_is_not_there_is_refused_with_the_way_to_make_one()
    {
        using TinyJob job = Prepared();
        File.Delete(job["train_aug.tsv"]);
        Assert.Contains("limbeck augment", Assert.Throws<UsageException>(() => CompressJob.Run(job.Compress("a") with { AugTrain = true }, job.Context)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("validation_split", "0.1", "variants of the rows to score would be trained on")]
    [InlineData("no_teacher", "true", "the labels of augmented rows are not certain")]
    public void What_cannot_go_with_augmented_rows_is_refused(string name, string value, string part)
    {
        UsageException refused = Assert.Throws<UsageException>(() => SettingsSchema.Read<CompressSettings>("limbeck compress", null, [new("aug_train", "true"), new(name, value)], complete: false));
        Assert.Contains(part, refused.Message, StringComparison.Ordinal);
    }

    private static TinyJob Prepared()
    {
        TinyJob job = new();
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        string[] lines = File.ReadAllLines(job["train.tsv"]);
        File.WriteAllLines(job["train_aug.tsv"], [lines[0], .. lines.Skip(1).SelectMany(line => new[] { line, line })]);
        return job;
    }

    private static long Run(TinyJob job, string output, CompressSettings settings)
    {
        long steps = CompressJob.Run(settings, job.Context).Steps;
        Assert.True(File.Exists(Path.Combine(job[output], "model.safetensors")));
        return steps;
    }
}
