using System.IO.Compression;
using System.Text.Json;
using Limbeck.Checkpoints;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;
using Limbeck.Tokenization;
using Limbeck.Training.Data;
using Limbeck.Training.Jobs;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Tests.Jobs;

public sealed class PretrainJobTests
{
    private static readonly string[] Sentences =
    [
        "the film was very good and fine", "the food was not good and very poor", "food is bad and the film is poor", "was the film not bad", "the good film is not the bad film",
    ];

    [Fact]
    public void A_model_learns_its_corpus_and_is_saved_as_transformers_does()
    {
        using TinyJob job = new();
        Corpus(job, "corpus.txt");
        TrainingReport report = PretrainJob.Run(Settings(job, "mlm"), job.Context);
        string log = job.Messages.ToString();
        Assert.Contains("no masked-language-model head: it gets a new one", log, StringComparison.Ordinal);
        Assert.Contains("pooler.dense.weight", log, StringComparison.Ordinal);
        Assert.Contains("held-out documents", log, StringComparison.Ordinal);
        Assert.Contains("before training:", log, StringComparison.Ordinal);
        Assert.True(report.Metrics!["accuracy"] > 1.5 * report.Majority!["accuracy"], $"{report.Metrics}; before {report.Before}; by frequency {report.Majority}");
        Assert.True(report.Metrics["perplexity"] < 0.6 * report.Majority["perplexity"], $"{report.Metrics}; before {report.Before}; by frequency {report.Majority}");
        Assert.True(report.Metrics["loss"] < report.Before!["loss"]);
        Assert.Equal(Math.Exp(report.Metrics["loss"]), report.Metrics["perplexity"]);

        string folder = job["mlm"];
        string page = File.ReadAllText(Path.Combine(folder, "report.html"));
        foreach (string part in (string[])["before training", "by frequency alone", "perplexity", "limbeck pretrain"])
        {
            Assert.Contains(part, page, StringComparison.Ordinal);
        }

        foreach (string file in (string[])["config.json", "model.safetensors", "vocab.txt", "tokenizer.json", "README.md", "results.json", "metrics.jsonl"])
        {
            Assert.True(File.Exists(Path.Combine(folder, file)), file);
        }

        using (ITensorSource source = Checkpoint.Open(folder))
        {
            Assert.Equal(
                ["cls.predictions.bias", "cls.predictions.transform.LayerNorm.bias", "cls.predictions.transform.LayerNorm.weight", "cls.predictions.transform.dense.bias", "cls.predictions.transform.dense.weight"],
                source.Entries.Keys.Where(name => !name.StartsWith("bert.", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
            Assert.DoesNotContain(source.Entries.Keys, name => name.Contains("pooler", StringComparison.Ordinal));
        }

        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "config.json")));
        Assert.Equal("BertForMaskedLM", config.RootElement.GetProperty("architectures")[0].GetString());
        Assert.Contains("pipeline_tag: fill-mask", File.ReadAllText(Path.Combine(folder, "README.md")), StringComparison.Ordinal);
        using JsonDocument results = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "results.json")));
        Assert.Equal(report.Before["accuracy"], results.RootElement.GetProperty("before").GetProperty("accuracy").GetDouble());
    }

    [Fact]
    public void A_second_run_of_another_seed_goes_on_with_the_head_of_the_first_and_holds_back_the_same_text()
    {
        using TinyJob job = new();
        Corpus(job, "corpus.txt");
        TrainingReport first = PretrainJob.Run(Settings(job, "first"), job.Context);
        TrainingReport second = PretrainJob.Run(Settings(job, "second") with { ModelNameOrPath = job["first"], Seed = 43 }, job.Context);
        Assert.Contains("own masked-language-model head goes on learning", job.Messages.ToString(), StringComparison.Ordinal);
        Assert.Equal(first.Metrics, second.Before);
        Assert.Equal(first.Majority, second.Majority);
        TrainingReport other = PretrainJob.Run(Settings(job, "other") with { ModelNameOrPath = job["first"], ValidationSeed = 43 }, job.Context);
        Assert.NotEqual(first.Majority, other.Majority);
    }

    [Fact]
    public void A_frozen_encoder_and_its_word_table_keep_every_bit_while_the_head_learns()
    {
        using TinyJob job = new();
        Corpus(job, "corpus.txt");
        PretrainSettings settings = Settings(job, "mlm") with { FreezeEncoder = true };
        TrainingReport report = PretrainJob.Run(settings, job.Context);
        using BertModel start = BertModel.Load(job["start"], HeadKind.None, out _);
        using BertModel model = BertModel.Load(job["mlm"], HeadKind.MaskedLanguageModel, out LoadReport loaded);
        Assert.Empty(loaded.New);
        foreach (Parameter parameter in start.Encoder.Parameters)
        {
            Assert.Equal(parameter.Value.ToArray(), model[parameter.Name].Value.ToArray());
        }

        Assert.True(report.Metrics!["loss"] < report.Before!["loss"]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_interrupted_run_resumed_ends_with_the_same_bits_on_any_number_of_threads(bool frozen)
    {
        using TinyJob job = new();
        Corpus(job, "corpus.txt");
        PretrainSettings settings = Settings(job, "whole") with { FreezeEncoder = frozen, WholeWordMask = true, LoggingSteps = 1, EvalSteps = 7 };
        PretrainJob.Run(settings, job.Context);
        using CancellationTokenSource stop = new();
        using StoppingWriter stopping = new(stop, "pretrain 11/");
        using WorkerTeam two = new(2);
        JobContext context = new(stopping, new ProgressDisplay(stopping, terminal: false, TimeSpan.Zero), two, stop.Token);
        Assert.ThrowsAny<OperationCanceledException>(() => PretrainJob.Run(settings with { OutputDir = job["broken"] }, context));
        Assert.False(File.Exists(Path.Combine(job["broken"], "results.json")));
        PretrainJob.Run(settings with { OutputDir = job["broken"], Resume = true }, job.Context);
        Assert.Contains("resuming at step", job.Messages.ToString(), StringComparison.Ordinal);
        Assert.Equal(job.Weights("whole"), job.Weights("broken"));
        Assert.Equal(File.ReadAllText(Path.Combine(job["whole"], "metrics.jsonl")), File.ReadAllText(Path.Combine(job["broken"], "metrics.jsonl")));
    }

    [Fact]
    public void Packed_text_several_files_and_a_file_to_score_are_read()
    {
        using TinyJob job = new();
        Corpus(job, "a.txt");
        Corpus(job, "b.txt");
        using (GZipStream packed = new(File.Create(job["b.txt.gz"]), CompressionLevel.Fastest))
        {
            packed.Write(File.ReadAllBytes(job["b.txt"]));
        }

        File.WriteAllLines(job["held.txt"], Sentences);
        TrainingReport report = PretrainJob.Run(
            Settings(job, "mlm") with { TrainFile = $"{job["a.txt"]}, {job["b.txt.gz"]}", ValidationFile = job["held.txt"], ValidationSplit = null, LineByLine = true, MaxTrainSamples = 64 }, job.Context);
        Assert.Equal((64, 5), (report.TrainRows, report.EvalRows));
        Assert.Contains("400 sentences", job.Messages.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Batches_without_a_masked_token_change_nothing()
    {
        using TinyJob job = new();
        Corpus(job, "corpus.txt");
        TrainingReport report = PretrainJob.Run(Settings(job, "mlm") with { MlmProbability = 1e-12 }, job.Context);
        Assert.Equal(0, report.Metrics!["loss"]);
        using BertModel start = BertModel.Load(job["start"], HeadKind.None, out _);
        using BertModel model = BertModel.Load(job["mlm"], HeadKind.MaskedLanguageModel, out _);
        Assert.All(start.Encoder.Parameters, parameter => Assert.Equal(parameter.Value.ToArray(), model[parameter.Name].Value.ToArray()));
    }

    [Fact]
    public void What_cannot_be_done_is_refused_before_anything_is_written()
    {
        using TinyJob job = new();
        Corpus(job, "corpus.txt");
        PretrainSettings settings = Settings(job, "out");
        void Refused<T>(PretrainSettings asked, string part)
            where T : Exception => Assert.Contains(part, Assert.Throws<T>(() => PretrainJob.Run(asked, job.Context)).Message, StringComparison.Ordinal);

        File.WriteAllText(job["empty.txt"], "\n\n \n");
        Refused<DataException>(settings with { TrainFile = job["empty.txt"] }, "empty.txt");
        Refused<DataException>(settings with { TrainFile = job["nowhere.txt"] }, "nowhere.txt");
        File.WriteAllText(job["one.txt"], "the film was good\n");
        Refused<UsageException>(settings with { TrainFile = job["one.txt"], ValidationSplit = 0.01 }, "--validation-split");
        Refused<UsageException>(settings with { ModelNameOrPath = job["nowhere"] }, "no such folder");
        Refused<UsageException>(settings with { MaxSeqLength = 4000 }, "--max-seq-length");

        BertTokenizer maskless = BertTokenizer.FromVocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", .. TinyWorld.Tokenizer.Vocabulary.Skip(5)]);
        using (BertModel model = new(TinyWorld.Config() with { VocabularySize = maskless.VocabularySize }, HeadKind.None))
        {
            model.Initialize(new SeededRandom(1));
            model.Save(job["maskless"]);
            maskless.SaveTo(job["maskless"]);
        }

        Refused<UsageException>(settings with { ModelNameOrPath = job["maskless"] }, "[MASK]");
        using (BertModel model = new(TinyWorld.Config() with { VocabularySize = 9 }, HeadKind.None))
        {
            model.Initialize(new SeededRandom(1));
            model.Save(job["small"]);
            TinyWorld.Tokenizer.SaveTo(job["small"]);
        }

        Refused<UsageException>(settings with { ModelNameOrPath = job["small"] }, "from different models");
        Directory.CreateDirectory(job["wrong"]);
        foreach (string file in Directory.GetFiles(job["start"]))
        {
            File.Copy(file, Path.Combine(job["wrong"], Path.GetFileName(file)));
        }

        File.Copy(Path.Combine(job["small"], "model.safetensors"), Path.Combine(job["wrong"], "model.safetensors"), overwrite: true);
        Refused<CheckpointException>(settings with { ModelNameOrPath = job["wrong"] }, "'embeddings.word_embeddings.weight' is [9, 24]");
        Assert.False(Directory.Exists(job["out"]));
    }

    [Fact]
    public void Impossible_settings_are_told_all_at_once()
    {
        KeyValuePair<string, string>[] flags =
            [new("mlm_probability", "0"), new("validation_split", "1"), new("metric_for_best_model", "perplexity"), new("max_seq_length", "2"), new("learning_rate", "0")];
        UsageException refused = Assert.Throws<UsageException>(() => SettingsSchema.Read<PretrainSettings>("limbeck pretrain", null, flags));
        foreach (string flag in (string[])["--mlm-probability", "--validation-split", "--metric-for-best-model", "--max-seq-length", "--learning-rate", "--output-dir", "--model", "--train-file"])
        {
            Assert.Contains(flag, refused.Message, StringComparison.Ordinal);
        }
    }

    private static PretrainSettings Settings(TinyJob job, string output) => new()
    {
        ModelNameOrPath = job["start"],
        TrainFile = job["corpus.txt"],
        ValidationSplit = 0.25,
        MaxSeqLength = 24,
        OutputDir = job[output],
        CacheDir = job["cache"],
        SaveSteps = 4,
        NoReportTiming = true,
        Dropout = 0,
        Training = new StageSettings { NumTrainEpochs = 12, LearningRate = 1e-2, PerDeviceTrainBatchSize = 16 },
    };

    /// <summary>Forty documents of five sentences each, in various orders.</summary>
    private static void Corpus(TinyJob job, string name)
    {
        SeededRandom random = new(11);
        File.WriteAllLines(job[name], Enumerable.Range(0, 40).SelectMany(_ =>
        {
            string[] sentences = [.. Sentences];
            random.Shuffle(sentences.AsSpan());
            return sentences.Append(string.Empty);
        }));
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
