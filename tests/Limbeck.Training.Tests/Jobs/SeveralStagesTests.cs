using System.Text.Json;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tokenization;
using Limbeck.Training.Data.Corpus;
using Limbeck.Training.Jobs;
using Limbeck.Training.Loop;
using Limbeck.Training.Tests.Data.Corpus;

namespace Limbeck.Training.Tests.Jobs;

public sealed class SeveralStagesTests
{
    [Fact]
    public void One_run_of_all_stages_ends_with_the_same_bits_as_each_of_them_by_hand()
    {
        using TinyJob job = Prepared();
        TrainingReport report = CompressJob.Run(All(job, "all"), job.Context);
        Assert.Equal(["general", "augment", "task"], report.Parts.Select(part => part.Name));
        Assert.Equal(report.Steps, report.Parts[^1].Steps);
        Assert.True(report.Parts[0].Steps > 0);
        using (JsonDocument results = JsonDocument.Parse(File.ReadAllText(job["all/results.json"])))
        {
            Assert.Equal(3, results.RootElement.GetProperty("parts").GetArrayLength());
            Assert.Equal("fp32", results.RootElement.GetProperty("precision").GetString());
        }

        using (JsonDocument page = JsonDocument.Parse(File.ReadAllText(job["all/report.json"])))
        {
            Assert.Equal(report.Parts.Select(part => part.Steps), page.RootElement.GetProperty("run").GetProperty("parts").EnumerateArray().Select(part => part.GetProperty("steps").GetInt64()));
            Assert.Contains("part: general", File.ReadAllText(job["all/report.html"]), StringComparison.Ordinal);

            // The command for the student without a teacher is of a task stage alone, which takes no flags of the others.
            string alone = page.RootElement.GetProperty("scores").GetProperty("baseline_hint").GetString()!.Split('\n')[1];
            Assert.Contains("--no-teacher", alone, StringComparison.Ordinal);
            Assert.DoesNotContain("--general-", alone, StringComparison.Ordinal);
            Assert.DoesNotContain("--augment-", alone, StringComparison.Ordinal);
        }

        CompressSettings general = All(job, "by-hand-general") with
        {
            Stage = "general",
            TeacherModel = job["start"],
            GeneralTeacherModel = null,
            MlmModel = null,
            TrainFile = null,
            ValidationFile = null,
            MaxSeqLength = 24,
            General = All(job, "x").General with { MaxSeqLength = null },
        };
        CompressJob.Run(general, job.Context);
        AugmentJob.Run(new AugmentSettings { Model = job["mlm"], TrainFile = job["train.tsv"], N = 2, K = 3, OutputFile = job["by-hand.tsv"] }, job.Context);
        CompressSettings task = All(job, "by-hand") with
        {
            Stage = "task",
            TrainCorpus = null,
            GeneralTeacherModel = null,
            MlmModel = null,
            StudentModel = job["by-hand-general"],
            AugFile = job["by-hand.tsv"],
            General = new CompressSettings().General,
        };
        CompressJob.Run(task, job.Context);
        Assert.Equal(job.Weights("by-hand-general"), job.Weights("all/general"));
        Assert.Equal(File.ReadAllText(job["by-hand.tsv"]), File.ReadAllText(job["all/augment/train_aug.tsv"]));
        Assert.Equal(job.Weights("by-hand"), job.Weights("all"));
    }

    [Theory]
    [InlineData("general 3/", null)]
    [InlineData("augment 120/", "general")]
    [InlineData("intermediate 3/", "general")]
    [InlineData("prediction 2/", "general")]
    public void A_run_stopped_in_any_part_leaves_out_what_is_finished_and_ends_with_the_same_bits(string where, string? finished)
    {
        using TinyJob job = Prepared();
        CompressJob.Run(All(job, "whole"), job.Context);
        using CancellationTokenSource stop = new();
        using StoppingWriter stopping = new(stop, where);
        JobContext context = new(stopping, new ProgressDisplay(stopping, terminal: false, TimeSpan.Zero), job.Context.Team, stop.Token);
        Assert.ThrowsAny<OperationCanceledException>(() => CompressJob.Run(All(job, "broken"), context));
        Assert.False(File.Exists(job["broken/results.json"]));

        using StringWriter messages = new();
        JobContext again = new(messages, new ProgressDisplay(messages, terminal: false, TimeSpan.Zero), job.Context.Team, CancellationToken.None);
        CompressJob.Run(All(job, "broken") with { Resume = true }, again);
        Assert.Equal(job.Weights("whole"), job.Weights("broken"));
        Assert.Equal(finished is not null, messages.ToString().Contains($"the run in {job["broken/general"]} is finished", StringComparison.Ordinal));
        Assert.Equal(finished is not null, messages.ToString().Contains("finished; it is checked in its turn", StringComparison.Ordinal));
        Assert.Equal(finished is null, messages.ToString().Contains("\ngeneral ", StringComparison.Ordinal));
    }

    [Fact]
    public void A_finished_part_of_other_settings_or_data_is_not_taken_for_this_runs()
    {
        using TinyJob job = Prepared();
        CompressSettings settings = All(job, "student");
        CompressJob.Run(settings, job.Context);
        settings = settings with { Resume = true };
        Assert.Contains(
            job["student/general"],
            Assert.Throws<TrainingException>(() => CompressJob.Run(settings with { General = settings.General with { LearningRate = 1 } }, job.Context)).Message, StringComparison.Ordinal);
        Assert.Contains("train_aug.tsv", Assert.Throws<UsageException>(() => CompressJob.Run(settings with { Augment = settings.Augment with { N = 3 } }, job.Context)).Message, StringComparison.Ordinal);
        Assert.Throws<TrainingException>(() => CompressJob.Run(settings with { Prediction = settings.Prediction with { LearningRate = 1 } }, job.Context));
        string weights = job.Weights("student");
        CompressJob.Run(settings, job.Context);
        Assert.Equal(weights, job.Weights("student"));

        // Other text under the same name; then augmented rows that someone has changed.
        File.AppendAllText(job["corpus.txt"], "\nthe good film\n");
        Assert.Throws<TrainingException>(() => CompressJob.Run(settings, job.Context));
        File.WriteAllText(job["corpus.txt"], TinyCorpus.Text(60, 8));
        File.AppendAllText(job["student/augment/train_aug.tsv"], "the good film\tpositive\n");
        Assert.Contains("not as its run left it", Assert.Throws<UsageException>(() => CompressJob.Run(settings, job.Context)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_begun_anew_over_an_old_one_takes_nothing_of_it_even_when_it_is_stopped_and_resumed()
    {
        using TinyJob job = Prepared();
        CompressSettings settings = All(job, "student");
        CompressJob.Run(settings, job.Context);
        CompressJob.Run(All(job, "fresh") with { Seed = 7 }, job.Context);
        using CancellationTokenSource stop = new();
        using StoppingWriter stopping = new(stop, "general 3/");
        JobContext context = new(stopping, new ProgressDisplay(stopping, terminal: false, TimeSpan.Zero), job.Context.Team, stop.Token);
        Assert.ThrowsAny<OperationCanceledException>(() => CompressJob.Run(settings with { Seed = 7, OverwriteOutputDir = true }, context));
        CompressJob.Run(settings with { Seed = 7, Resume = true }, job.Context);
        Assert.Equal(job.Weights("fresh"), job.Weights("student"));
        Assert.Throws<UsageException>(() => CompressJob.Run(settings, job.Context));
    }

    [Fact]
    public void A_plan_says_what_the_run_then_does_and_writes_nothing()
    {
        using TinyJob job = Prepared();
        CompressSettings settings = All(job, "student");
        string[] before = Everything(job);
        JobPlan plan = CompressJob.Plan(settings, job.Context);
        Assert.Equal(before, Everything(job));
        Assert.Equal(["general", "augment", "intermediate", "prediction"], plan.Stages.Select(stage => stage.Name));
        Assert.Equal([24, 32, 16, 16], plan.Stages.Select(stage => stage.MaxLength));
        Assert.True(plan.Seconds > 0 && plan.Stages.All(stage => stage.Seconds > 0 && stage.Tokens > 0));
        Assert.Equal("0:0,1:2", plan.LayerMap);
        Assert.True(plan.CacheBytes > 0);
        Assert.Equal([true, true, true, false], plan.Stages.Select(stage => stage.About));
        TrainingReport report = CompressJob.Run(settings, job.Context);
        Assert.Equal((report.Size, report.TeacherSize), (plan.Size!, plan.TeacherSize));

        // What was estimated is near, what was counted is exact: rows of the augmentation, tokens of the corpus, steps.
        const double Near = 0.35;
        long rows = File.ReadLines(job["student/augment/train_aug.tsv"]).Count() - 1;
        Assert.InRange(plan.Stages[2].Rows, (1 - Near) * rows, (1 + Near) * rows);
        TrainingReport task = CompressJob.Run(job.Compress("plain"), job.Context);
        JobPlan counted = CompressJob.Plan(job.Compress("plain-again"), job.Context);
        Assert.Equal((task.Steps, task.Tokens), (counted.Stages.Sum(stage => stage.Steps), counted.Stages.Sum(stage => stage.Tokens)));
        JobPlan after = CompressJob.Plan(settings with { OutputDir = job["next"] }, job.Context);
        Assert.False(after.Stages[0].About);
        Assert.InRange(plan.Stages[0].Tokens, (1 - Near) * after.Stages[0].Tokens, (1 + Near) * after.Stages[0].Tokens);

        using StringWriter text = new();
        plan.Write(text);
        foreach (string part in (string[])["general", "~", "cache of the teacher's outputs", "an estimate: operations over"])
        {
            Assert.Contains(part, text.ToString(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_plans_of_single_jobs_count_the_steps_and_tokens_they_then_take(bool limited)
    {
        using TinyJob job = Prepared();
        FineTuneSettings tuning = job.FineTune("tuned");
        tuning = limited ? tuning with { Training = tuning.Training with { MaxSteps = 3 } } : tuning;
        PlannedStage planned = Assert.Single(FineTuneJob.Plan(tuning, job.Context).Stages);
        Assert.False(Directory.Exists(job["tuned"]));
        TrainingReport tuned = FineTuneJob.Run(tuning, job.Context);
        Assert.Equal(tuned.Steps, planned.Steps);
        const double OneBatch = 32 * 16;
        Assert.InRange(planned.Tokens - tuned.Tokens, limited ? -OneBatch : 0, limited ? OneBatch : 0);

        CompressSettings alone = job.Compress("alone") with { NoTeacher = true };
        Assert.Equal(CompressJob.Run(alone, job.Context).Steps, Assert.Single(CompressJob.Plan(alone with { OutputDir = job["alone-plan"] }, job.Context).Stages).Steps);

        PretrainSettings pretraining = new()
        {
            ModelNameOrPath = job["start"],
            TrainFile = job["corpus.txt"],
            MaxSeqLength = 24,
            CacheDir = job["cache"],
            OutputDir = job["pretrained"],
            FreezeEncoder = limited,
            Training = new StageSettings { NumTrainEpochs = 2, MaxSteps = limited ? 5 : 0 },
        };
        planned = Assert.Single(PretrainJob.Plan(pretraining, job.Context).Stages);
        Assert.False(Directory.Exists(job["pretrained"]));
        Assert.True(planned.About);
        Assert.InRange(planned.Steps / (double)PretrainJob.Run(pretraining, job.Context).Steps, 0.7, 1.4);
    }

    [Fact]
    public void Without_their_inputs_stages_are_skipped_and_that_is_said()
    {
        using TinyJob job = Prepared();
        CompressSettings settings = All(job, "student") with { TrainCorpus = null, GeneralTeacherModel = null, MlmModel = null, General = new CompressSettings().General };
        CompressJob.Run(settings, job.Context);
        string messages = job.Messages.ToString();
        Assert.Contains("skipped: general, since there is no --train-corpus", messages, StringComparison.Ordinal);
        Assert.Contains("skipped: augment, since there is no --mlm-model", messages, StringComparison.Ordinal);
        CompressJob.Run(job.Compress("plain"), job.Context);
        Assert.Equal(job.Weights("plain"), job.Weights("student"));
        Assert.False(Directory.Exists(job["student/general"]));
        Assert.Equal(["augment", "intermediate", "prediction"], CompressJob.Plan(settings with { MlmModel = job["mlm"], OutputDir = job["other"] }, job.Context).Stages.Select(stage => stage.Name));
    }

    [Theory]
    [InlineData("stage=general,augment,task", "--general-teacher-model is missing", "--train-corpus is missing", "--mlm-model is missing")]
    [InlineData("stage=augment,task", "limbeck pretrain --model CHECKPOINT --freeze-encoder", "--augment-candidates vectors")]
    [InlineData("stage=all;train_corpus=c.txt", "--general-teacher-model is missing: the general stage learns from the pretrained model")]
    [InlineData("stage=all;general_teacher_model=t", "--train-corpus is missing")]
    [InlineData("stage=all;general_teacher_model=t;train_corpus=c.txt;trim_vocabulary=true", "--trim-vocabulary with a general stage")]
    [InlineData("stage=all;mlm_model=m;aug_file=a.tsv", "--aug-file names augmented rows that are there")]
    [InlineData("stage=all;mlm_model=m;no_teacher=true", "augmented rows with --no-teacher")]
    [InlineData("stage=all;mlm_model=m;validation_split=0.1", "augmented rows with --validation-split")]
    [InlineData("stage=all;mlm_model=m;resume_from_checkpoint=c", "goes on with --resume")]
    [InlineData("stage=all;augment.p=2", "--augment-p is 2")]
    [InlineData("stage=augment,task;mlm_model=m;general_teacher_model=t", "has no general stage")]
    [InlineData("mlm_model=m", "--mlm-model is for --stage all")]
    [InlineData("train_corpus=c.txt", "--train-corpus is raw text for --stage general or --stage all")]
    [InlineData("stage=general;general_teacher_model=t", "with --stage general alone the teacher is --teacher-model")]
    [InlineData("stage=augment", "needed one of general, task, all, general,task")]
    public void What_a_run_of_several_stages_lacks_or_cannot_do_is_refused_before_it_begins(string given, params string[] parts)
    {
        KeyValuePair<string, string>[] flags = [.. given.Split(';').Select(pair => pair.Split('=')).Select(pair => new KeyValuePair<string, string>(pair[0], pair[1]))];
        UsageException refused = Assert.Throws<UsageException>(() => SettingsSchema.Read<CompressSettings>(
            "limbeck compress", null, [new("teacher_model", "t"), new("student_model", "tinybert4"), new("output_dir", "o"), new("train_file", "t.tsv"), .. flags]));
        Assert.All(parts, part => Assert.Contains(part, refused.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void A_model_without_the_head_for_augmentation_is_refused_before_the_general_stage_begins()
    {
        using TinyJob job = Prepared();
        UsageException refused = Assert.Throws<UsageException>(() => CompressJob.Run(All(job, "student") with { MlmModel = job["start"] }, job.Context));
        Assert.Contains($"limbeck pretrain --model {job["start"]} --freeze-encoder", refused.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(job["student"]));
    }

    [Fact]
    public void Teachers_that_cut_texts_differently_are_refused_before_anything_begins()
    {
        using TinyJob job = Prepared();
        BertTokenizer other = BertTokenizer.FromVocabulary([.. Enumerable.Range(0, TinyWorld.Tokenizer.VocabularySize).Select(id => TinyWorld.Tokenizer.IdToToken(id) is "film" ? "movie" : TinyWorld.Tokenizer.IdToToken(id))]);
        using (BertModel model = new(TinyWorld.Config(), HeadKind.None))
        {
            model.Initialize(new SeededRandom(9));
            model.Save(job["other"]);
            other.SaveTo(job["other"]);
        }

        Assert.Contains(
            "must be the pretrained model that the task's teacher was fine-tuned from",
            Assert.Throws<UsageException>(() => CompressJob.Run(All(job, "student") with { GeneralTeacherModel = job["other"] }, job.Context)).Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(job["student"]));
    }

    /// <summary>The paper's section 4.2, live: the authors' code writes its table to attributes that nothing reads.</summary>
    [Theory]
    [InlineData("CoLA", 50, 64)]
    [InlineData("SST-2", 20, 64)]
    [InlineData("RTE", 20, 128)]
    [InlineData("QNLI", 10, 128)]
    public void The_papers_epochs_and_lengths_of_a_task_really_apply(string task, int epochs, int length)
    {
        using TinyJob job = new();
        BertConfig config = TinyWorld.Config(dropout: 0) with { MaxPositions = 200, Labels = task is "RTE" or "QNLI" ? ["entailment", "not_entailment"] : ["0", "1"] };
        using (BertModel teacher = TinyWorld.Model(config, 3))
        {
            teacher.Save(job["teacher"]);
            TinyWorld.Tokenizer.SaveTo(job["teacher"]);
        }

        // Three rows are one batch; all are longer than any length of the paper.
        string text = string.Join(' ', Enumerable.Repeat("good film", 100));
        string[] rows = task switch
        {
            "CoLA" => [.. Enumerable.Range(0, 3).Select(i => $"x\t{i % 2}\t\t{text}")],
            "SST-2" => ["sentence\tlabel", .. Enumerable.Range(0, 3).Select(i => $"{text}\t{i % 2}")],
            _ => ["index\tone\ttwo\tlabel", .. Enumerable.Range(0, 3).Select(i => $"{i}\t{text}\t{text}\t{(i % 2 == 0 ? "entailment" : "not_entailment")}")],
        };
        if (task == "RTE")
        {
            rows[0] = "index\tsentence1\tsentence2\tlabel";
        }
        else if (task == "QNLI")
        {
            rows[0] = "index\tquestion\tsentence\tlabel";
        }

        Directory.CreateDirectory(job[$"glue/{task}"]);
        File.WriteAllLines(job[$"glue/{task}/train.tsv"], rows);
        File.WriteAllLines(job[$"glue/{task}/dev.tsv"], rows);
        CompressSettings settings = new()
        {
            Stage = "all",
            TeacherModel = job["teacher"],
            StudentModel = "1/8/4/16",
            Task = task,
            DataDir = job["glue"],
            OutputDir = job["student"],
            CacheDir = job["cache"],
            EvalSteps = 1000,
            NoReportTiming = true,
            Tensorboard = false,
        };
        JobPlan plan = CompressJob.Plan(settings, job.Context);
        Assert.Equal([(epochs, (long)epochs, length), (3, 3, length)], plan.Stages.Select(stage => (stage.Epochs, stage.Steps, stage.MaxLength)));
        TrainingReport report = CompressJob.Run(settings, job.Context);
        Assert.Equal((epochs + 3, (epochs + 3) * 3L * length, length), (report.Steps, report.Tokens, report.MaxSeqLength));
    }

    private static string[] Everything(TinyJob job) =>
        [.. Directory.EnumerateFileSystemEntries(job[""], "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(path => $"{path} {File.GetLastWriteTimeUtc(path):O}")];

    private static TinyJob Prepared()
    {
        TinyJob job = new();
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        File.WriteAllText(job["corpus.txt"], TinyCorpus.Text(60, 8));
        using BertModel model = new(TinyWorld.Config(), HeadKind.MaskedLanguageModel);
        model.Initialize(new SeededRandom(9));
        model.Save(job["mlm"]);
        TinyWorld.Tokenizer.SaveTo(job["mlm"]);
        return job;
    }

    private static CompressSettings All(TinyJob job, string output) => job.Compress(output) with
    {
        Stage = "all",
        GeneralTeacherModel = job["start"],
        TrainCorpus = job["corpus.txt"],
        MlmModel = job["mlm"],
        SaveSteps = 2,
        LoggingSteps = 1,
        General = new CompressSettings().General with { MaxSeqLength = 24, MaxSteps = 5, PerDeviceTrainBatchSize = 4, GradientAccumulationSteps = 2, LearningRate = 2e-3, LrSchedulerType = "constant" },
        Augment = new AugmentationSettings { N = 2, K = 3 },
    };
}
