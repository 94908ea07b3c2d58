using Limbeck.Checkpoints;
using Limbeck.Inference;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Training.Compression;
using Limbeck.Training.Data;
using Limbeck.Training.Data.Corpus;
using Limbeck.Training.Jobs;
using Limbeck.Training.Loop;
using Limbeck.Training.Tests.Data.Corpus;

namespace Limbeck.Training.Tests.Jobs;

public sealed class GeneralStageTests
{
    [Fact]
    public void A_corpus_that_is_not_there_is_told_before_anything_is_opened()
    {
        using TinyJob job = new();
        CompressSettings settings = General(job, "general") with { TrainCorpus = job["nowhere.txt"], TeacherModel = job["start"] };
        Assert.Contains("nowhere.txt", Assert.Throws<DataException>(() => CompressJob.Run(settings, job.Context)).Message, StringComparison.Ordinal);
        Assert.DoesNotContain("teacher:", job.Messages.ToString(), StringComparison.Ordinal);
        Assert.False(Directory.Exists(job["general"]));
    }

    [Fact]
    public void A_student_learns_from_raw_text_and_is_saved_as_an_encoder()
    {
        using TinyJob job = new();
        TrainingReport report = CompressJob.Run(General(job, "general"), job.Context);
        Assert.Equal("general", report.Task);
        Assert.Null(report.Metrics);
        Assert.True(report.Steps > 0 && report.Tokens > 1000);
        foreach (string file in (string[])["config.json", "model.safetensors", "vocab.txt", "tokenizer.json", "README.md", "results.json", "metrics.jsonl", TinyBert.ProjectionFile])
        {
            Assert.True(File.Exists(Path.Combine(job["general"], file)), file);
        }

        Assert.Equal(["BertModel"], BertConfig.Read(job["general"]).Architectures);
        using ITensorSource saved = Checkpoint.Open(job["general"]);
        Assert.DoesNotContain(saved.Entries.Keys, name => name.StartsWith("classifier", StringComparison.Ordinal) || name.StartsWith("fit_dense", StringComparison.Ordinal));
        using BertModel model = BertModel.Load(job["general"], HeadKind.None, out LoadReport loaded);
        Assert.Empty(loaded.New);
        Assert.Empty(loaded.Unused);
        string messages = job.Messages.ToString();
        foreach (string part in (string[])["layer map (student:teacher): 0:0,1:2", "documents", "kB a token", "tokens/s", "the teacher runs live", "general: "])
        {
            Assert.Contains(part, messages, StringComparison.Ordinal);
        }

        string page = File.ReadAllText(Path.Combine(job["general"], "report.html"));
        foreach (string part in (string[])["a student of raw text has no task yet", "hidden states", "smaller than the teacher", "corpus.txt"])
        {
            Assert.Contains(part, page, StringComparison.Ordinal);
        }

        Assert.Contains("feature-extraction", File.ReadAllText(Path.Combine(job["general"], "README.md")), StringComparison.Ordinal);
        double[] losses = [.. File.ReadLines(Path.Combine(job["general"], "metrics.jsonl")).Select(line => System.Text.Json.JsonDocument.Parse(line).RootElement.GetProperty("loss").GetDouble())];
        Assert.True(losses[^1] < 0.9 * losses[0], $"the loss goes from {losses[0]} to {losses[^1]}");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Task_distillation_starts_from_the_general_student_and_its_projection(bool asInit)
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        CompressJob.Run(General(job, "general"), job.Context);
        CompressSettings settings = job.Compress("student") with { Intermediate = Once, Prediction = Once };
        CompressJob.Run(asInit ? settings with { StudentInit = job["general"] } : settings with { StudentModel = job["general"] }, job.Context);
        Assert.Contains($"student starts from {job["general"]}", job.Messages.ToString(), StringComparison.Ordinal);
        Assert.Contains($"the projection goes on from {job["general"]} too", job.Messages.ToString(), StringComparison.Ordinal);
        using BertModel general = BertModel.Load(job["general"], HeadKind.None, out _);
        using BertModel student = BertModel.Load(job["student"], HeadKind.Classifier, out _);
        const float OneStep = 0.02f;
        foreach (Parameter parameter in general.Parameters.Where(parameter => parameter.Name.Contains("encoder", StringComparison.Ordinal)))
        {
            Assert.All(parameter.Value.Span.ToArray().Zip(student[parameter.Name].Value.Span.ToArray()), pair => Assert.InRange(pair.First - pair.Second, -OneStep, OneStep));
        }

        Assert.False(File.Exists(Path.Combine(job["student"], TinyBert.ProjectionFile)));
        Assert.Equal(["negative", "positive"], BertConfig.Read(job["student"]).Labels);
    }

    [Fact]
    public void A_projection_of_another_kind_is_left_alone()
    {
        using TinyJob job = new();
        CompressJob.Run(General(job, "general"), job.Context);
        using BertModel student = TinyWorld.Model(TinyWorld.Config(1, 16, 4, 32), 1);
        TinyBertOptions options = new() { LayerMap = LayerMap.Uniform(1, 2) };
        using TinyBert same = new(TinyWorld.Config(), student, options, new SeededRandom(1));
        using TinyBert wider = new(TinyWorld.Config(hidden: 32), student, options, new SeededRandom(1));
        using TinyBert perLayer = new(TinyWorld.Config(), student, options with { ProjectionPerLayer = true }, new SeededRandom(1));
        string before = same.ProjectionHash();
        Assert.True(same.TryLoadProjection(job["general"]));
        Assert.NotEqual(before, same.ProjectionHash());
        Assert.False(wider.TryLoadProjection(job["general"]));
        Assert.False(perLayer.TryLoadProjection(job["general"]));
        Assert.False(same.TryLoadProjection(job["start"]));
    }

    [Fact]
    public void A_run_interrupted_in_the_middle_of_an_epoch_and_resumed_ends_with_the_same_bits()
    {
        using TinyJob job = new();
        CompressSettings settings = General(job, "whole") with { LoggingSteps = 1 };
        TrainingReport whole = CompressJob.Run(settings, job.Context);
        Assert.True(whole.Steps > 12, $"{whole.Steps} steps");
        foreach (int at in (int[])[1, 5, (int)(whole.Steps / 2) + 1, (int)whole.Steps - 1])
        {
            using CancellationTokenSource stop = new();
            using StoppingWriter stopping = new(stop, $"general {at}/");
            JobContext context = new(stopping, new ProgressDisplay(stopping, terminal: false, TimeSpan.Zero), job.Context.Team, stop.Token);
            CompressSettings broken = settings with { OutputDir = job[$"broken-{at}"] };
            Assert.ThrowsAny<OperationCanceledException>(() => CompressJob.Run(broken, context));
            Assert.False(File.Exists(Path.Combine(broken.OutputDir!, "results.json")));
            TrainingReport resumed = CompressJob.Run(broken with { Resume = true }, job.Context);
            Assert.Contains($"resuming at step {at} ", job.Messages.ToString(), StringComparison.Ordinal);
            Assert.Equal(job.Weights("whole"), job.Weights($"broken-{at}"));
            Assert.Equal((whole.Steps, whole.Tokens), (resumed.Steps, resumed.Tokens));
            Assert.Equal(Projection(job, "whole"), Projection(job, $"broken-{at}"));
        }

        Assert.Throws<TrainingException>(() => CompressJob.Run(settings with { Resume = true, Segments = "single" }, job.Context));
    }

    [Fact]
    public void The_teacher_runs_without_dropout_unless_asked_and_then_too_a_resumed_run_has_the_same_bits()
    {
        using TinyJob job = new();
        CompressSettings settings = General(job, "quiet") with { Dropout = 0 };
        CompressJob.Run(settings, job.Context);
        using (BertModel noisy = BertModel.Load(job["start"], HeadKind.None, out _, null, BertConfig.Read(job["start"]) with { HiddenDropout = 0.5f, AttentionDropout = 0.5f }))
        {
            noisy.Save(job["noisy"]);
            TinyWorld.Tokenizer.SaveTo(job["noisy"]);
        }

        CompressJob.Run(settings with { TeacherModel = job["noisy"], OutputDir = job["noisy-out"] }, job.Context);
        Assert.Equal(job.Weights("quiet"), job.Weights("noisy-out"));

        CompressSettings parity = settings with { TeacherModel = job["noisy"], TeacherDropout = true, LoggingSteps = 1, OutputDir = job["parity"] };
        CompressJob.Run(parity, job.Context);
        Assert.NotEqual(job.Weights("quiet"), job.Weights("parity"));
        using CancellationTokenSource stop = new();
        using StoppingWriter stopping = new(stop, "general 4/");
        JobContext context = new(stopping, new ProgressDisplay(stopping, terminal: false, TimeSpan.Zero), job.Context.Team, stop.Token);
        Assert.ThrowsAny<OperationCanceledException>(() => CompressJob.Run(parity with { OutputDir = job["broken"] }, context));
        CompressJob.Run(parity with { OutputDir = job["broken"], Resume = true }, job.Context);
        Assert.Equal(job.Weights("parity"), job.Weights("broken"));
    }

    [Fact]
    public void Steps_and_tokens_end_the_stage_and_the_model_is_saved_all_the_same()
    {
        // The reference saves only at some steps, under a name that its user has to change.
        using TinyJob job = new();
        CompressSettings settings = General(job, "steps");
        Assert.Equal(3, CompressJob.Run(settings with { General = settings.General with { MaxSteps = 3 } }, job.Context).Steps);
        TrainingReport tokens = CompressJob.Run(settings with { OutputDir = job["tokens"], MaxTokens = 900 }, job.Context);
        Assert.InRange(tokens.Tokens, 900, 1400);
        Assert.NotEmpty(job.Weights("tokens"));
        TrainingReport epoch = CompressJob.Run(settings with { OutputDir = job["epoch"], General = settings.General with { NumTrainEpochs = 1 }, MaxTokens = long.MaxValue }, job.Context);
        Assert.InRange(epoch.Steps, 4, 40);
    }

    [Fact]
    public void Labels_rows_and_scores_are_refused_by_name()
    {
        CompressSettings settings = new()
        {
            Stage = "general",
            TeacherModel = "t",
            StudentModel = "tinybert4",
            OutputDir = "o",
            TrainFile = "a.tsv",
            Task = "MRPC",
            NoTeacher = true,
            TrimVocabulary = true,
            ShortSeqProb = 2,
            MaxSeqLength = 4,
        };
        List<string> faults = [];
        settings.Check(faults, complete: true);
        foreach (string part in (string[])["--train-file is for", "--task is for", "--no-teacher is for", "--trim-vocabulary is for", "--short-seq-prob is 2", "--max-seq-length is 4", "--train-corpus is missing"])
        {
            Assert.Contains(faults, fault => fault.Contains(part, StringComparison.Ordinal));
        }

        faults.Clear();
        new CompressSettings { TeacherModel = "t", StudentModel = "tinybert4", OutputDir = "o", TrainFile = "a.tsv", TrainCorpus = "c.txt" }.Check(faults, complete: true);
        Assert.Contains("--train-corpus is raw text for --stage general", Assert.Single(faults), StringComparison.Ordinal);
        faults.Clear();
        new CompressSettings { Stage = "general", TeacherModel = "t", StudentModel = "tinybert4", OutputDir = "o", TrainCorpus = "c.txt", Intermediate = new StageSettings { NumTrainEpochs = 0 }, Prediction = new StageSettings { NumTrainEpochs = 0 } }.Check(faults, complete: true);
        Assert.Empty(faults);
    }

    [Fact]
    public void The_defaults_are_the_papers()
    {
        CompressSettings settings = new();
        StageSettings general = settings.General;
        Assert.Equal((3, 5e-5, "warmup_linear", 0.1, "bertadam"), (general.NumTrainEpochs, general.LearningRate, general.LrSchedulerType, general.WarmupRatio, general.Optimizer));
        Assert.Equal(256, general.PerDeviceTrainBatchSize * general.GradientAccumulationSteps);
        Assert.Equal(("pairs", 0.1, 128), (settings.Segments, settings.ShortSeqProb, GeneralStage.DefaultLength));
        Assert.False(settings.TeacherDropout || settings.DropLast);
    }

    [Fact]
    public void A_student_with_another_vocabulary_is_refused()
    {
        using TinyJob job = new();
        using BertModel other = TinyWorld.Model(TinyWorld.Config(1, 16, 4, 32) with { VocabularySize = 6 }, 1);
        other.Save(job["other"]);
        Tokenization.BertTokenizer.FromVocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good"]).SaveTo(job["other"]);
        UsageException refused = Assert.Throws<UsageException>(() => CompressJob.Run(General(job, "general") with { StudentModel = job["other"] }, job.Context));
        Assert.Contains("teacher's vocabulary", refused.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(job["general"]));
    }

    [Theory]
    [InlineData("random", "pairs")]
    [InlineData("teacher", "single")]
    [InlineData("pca", "lines")]
    [InlineData("fitted", "lines")]
    public void Every_initialisation_and_unit_trains(string init, string segments)
    {
        using TinyJob job = new();
        CompressSettings settings = General(job, "general");
        TrainingReport report = CompressJob.Run(settings with { StudentInit = init, Segments = segments, General = settings.General with { MaxSteps = 2 } }, job.Context);
        Assert.Equal(2, report.Steps);
    }

    [Theory]
    [InlineData("cosine", PoolingMode.Mean)]
    [InlineData("mse", PoolingMode.Cls)]
    public void An_embedders_student_learns_its_sentence_vectors_and_is_an_embedder(string loss, PoolingMode pooling)
    {
        using TinyJob job = new();
        SentenceTransformerFiles.Write(job["start"], new SentenceTransformerConfig(pooling, Normalize: true, MaxSequenceLength: 20, WeightsDirectory: string.Empty), 24);
        CompressSettings settings = General(job, "general") with { SentenceLoss = loss, SentenceWeight = 5 };
        CompressJob.Run(settings, job.Context);
        double[] losses = [.. File.ReadLines(Path.Combine(job["general"], "metrics.jsonl")).Select(line => System.Text.Json.JsonDocument.Parse(line).RootElement.GetProperty("sentence_loss").GetDouble())];
        Assert.True(losses[^1] < 0.8 * losses[0], $"the sentence loss goes from {losses[0]} to {losses[^1]}");
        SentenceTransformerConfig saved = SentenceTransformerFiles.Read(job["general"])!;
        Assert.Contains("pipeline_tag: sentence-similarity", File.ReadAllText(Path.Combine(job["general"], "README.md")), StringComparison.Ordinal);
        Assert.Equal((pooling, true, 20), (saved.Pooling, saved.Normalize, saved.MaxSequenceLength));
        using SentenceEmbedder embedder = SentenceEmbedder.Load(job["general"]);
        Assert.Equal(16, embedder.Embed("good film").Length);
        using BertModel model = BertModel.Load(job["general"], HeadKind.None, out LoadReport loaded);
        Assert.Empty(loaded.New);
    }

    [Fact]
    public void Bad_text_is_reported_with_file_and_line_before_anything_is_written()
    {
        using TinyJob job = new();
        CompressSettings settings = General(job, "general");
        File.WriteAllBytes(job["bad.txt"], [.. "good\n"u8, 0xFF, .. "\n"u8]);
        DataException refused = Assert.Throws<DataException>(() => CompressJob.Run(settings with { TrainCorpus = $"{settings.TrainCorpus},{job["bad.txt"]}" }, job.Context));
        Assert.Contains("bad.txt, line 2", refused.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(job["general"]));
        Assert.Empty(new CacheDirectory(job["cache"]).List());
    }

    [Fact]
    public void A_projection_does_not_outlive_the_student_it_was_made_for()
    {
        using TinyJob job = new();
        CompressSettings settings = General(job, "general");
        settings = settings with { General = settings.General with { MaxSteps = 1 } };
        CompressJob.Run(settings, job.Context);
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        CompressJob.Run(job.Compress("general") with { OverwriteOutputDir = true }, job.Context);
        Assert.False(File.Exists(Path.Combine(job["general"], TinyBert.ProjectionFile)));
    }

    private static StageSettings Once => new() { NumTrainEpochs = 1, MaxSteps = 1, LearningRate = 1e-4, LrSchedulerType = "constant", Optimizer = "bertadam" };

    private static string Projection(TinyJob job, string output) => RunHash.OfFile(Path.Combine(job[output], TinyBert.ProjectionFile));

    private static CompressSettings General(TinyJob job, string output)
    {
        if (!File.Exists(job["corpus.txt"]))
        {
            File.WriteAllText(job["corpus.txt"], TinyCorpus.Text(60, 8));
        }

        return new CompressSettings
        {
            Stage = "general",
            TeacherModel = job["start"],
            StudentModel = "1/16/4/32",
            TrainCorpus = job["corpus.txt"],
            MaxSeqLength = 24,
            OutputDir = job[output],
            CacheDir = job["cache"],
            NoReportTiming = true,
            General = new CompressSettings().General with { NumTrainEpochs = 2, PerDeviceTrainBatchSize = 4, GradientAccumulationSteps = 2, LearningRate = 2e-3, LrSchedulerType = "constant" },
        };
    }

    /// <summary>Signals when a text is written.</summary>
    private sealed class StoppingWriter(CancellationTokenSource stop, string trigger) : StringWriter
    {
        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            if (value?.StartsWith(trigger, StringComparison.Ordinal) == true)
            {
                stop.Cancel();
            }
        }
    }
}
