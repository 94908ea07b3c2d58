using Limbeck.Inference;
using Limbeck.Models;
using Limbeck.Training.Data;
using Limbeck.Training.Jobs;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Tests.Jobs;

public sealed class JobTests
{
    [Fact]
    public void A_teacher_is_trained_and_a_student_distilled_end_to_end()
    {
        using TinyJob job = new();
        TrainingReport teacher = FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        TrainingReport student = CompressJob.Run(job.Compress("student"), job.Context);
        Assert.Equal((8L, 12L), (teacher.Steps, student.Steps));
        Assert.Equal(["negative", "positive"], BertConfig.Read(job["student"]).Labels);
        foreach (string file in (string[])["config.json", "model.safetensors", "vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "README.md", "results.json", "metrics.jsonl", "report.html", "report.json"])
        {
            Assert.True(File.Exists(Path.Combine(job["student"], file)), file);
        }

        Assert.Contains("layer map (student:teacher): 0:0,1:2", job.Messages.ToString(), StringComparison.Ordinal);
        Assert.Contains("pipeline_tag: text-classification", File.ReadAllText(Path.Combine(job["student"], "README.md")), StringComparison.Ordinal);
        Assert.Equal(teacher.Metrics, student.Teacher);

        EvaluateReport evaluated = EvaluateJob.Run(new EvaluateSettings { Model = job["student"], DataFile = job["dev.tsv"] }, job.Context);
        Assert.Equal(student.Metrics, evaluated.Metrics);
        Dataset dev = TableReader.Read(job["dev.tsv"]);
        using TextClassifier classifier = TextClassifier.Load(job["student"], new ModelOptions { MaxSequenceLength = 16 });
        double right = classifier.Classify([.. dev.Examples.Select(example => new TextInput(example.Text))])
            .Zip(dev.Examples).Count(pair => pair.First.Label == dev.Task.Labels[pair.Second.Label]);
        Assert.Equal(right / dev.Examples.Count, evaluated.Metrics["accuracy"]);
    }

    [Fact]
    public void Without_the_teacher_the_student_makes_as_many_updates()
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        TrainingReport alone = CompressJob.Run(job.Compress("alone") with { NoTeacher = true }, job.Context);
        Assert.Equal(("none", 12L), (alone.Method, alone.Steps));
        Assert.NotNull(alone.Teacher);
    }

    [Fact]
    public void The_same_seed_gives_the_same_bits_and_another_seed_others()
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("a"), job.Context);
        FineTuneJob.Run(job.FineTune("b"), job.Context);
        FineTuneJob.Run(job.FineTune("c") with { Seed = 43 }, job.Context);
        Assert.Equal(job.Weights("a"), job.Weights("b"));
        Assert.NotEqual(job.Weights("a"), job.Weights("c"));
    }

    [Fact]
    public void An_interrupted_run_resumed_ends_with_the_same_bits()
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        CompressJob.Run(job.Compress("whole"), job.Context);
        using CancellationTokenSource stop = new();
        using StoppingWriter stopping = new(stop, "intermediate 1/");
        JobContext context = new(stopping, new ProgressDisplay(stopping, terminal: false, TimeSpan.Zero), job.Context.Team, stop.Token);
        Assert.ThrowsAny<OperationCanceledException>(() => CompressJob.Run(job.Compress("broken") with { LoggingSteps = 1 }, context));
        Assert.False(File.Exists(Path.Combine(job["broken"], "results.json")));
        CompressJob.Run(job.Compress("broken") with { Resume = true }, job.Context);
        Assert.Equal(job.Weights("whole"), job.Weights("broken"));
    }

    [Fact]
    public void A_folder_with_something_in_it_is_refused_before_any_work()
    {
        using TinyJob job = new();
        Directory.CreateDirectory(job["taken"]);
        File.WriteAllText(Path.Combine(job["taken"], "mine.txt"), "mine");
        UsageException refused = Assert.Throws<UsageException>(() => FineTuneJob.Run(job.FineTune("taken") with { ModelNameOrPath = "nowhere" }, job.Context));
        Assert.Contains("--resume", refused.Message, StringComparison.Ordinal);
        FineTuneJob.Run(job.FineTune("taken") with { OverwriteOutputDir = true }, job.Context);
        Assert.Equal("mine", File.ReadAllText(Path.Combine(job["taken"], "mine.txt")));
        Assert.Throws<TrainingException>(() => FineTuneJob.Run(job.FineTune("taken") with { Resume = true, Training = new StageSettings { LearningRate = 1e-4 } }, job.Context));
    }

    [Fact]
    public void A_teacher_with_its_labels_the_other_way_round_keeps_them_and_passes_them_on()
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        EvaluateReport before = EvaluateJob.Run(new EvaluateSettings { Model = job["teacher"], DataFile = job["dev.tsv"] }, job.Context);
        using (BertModel model = BertModel.Load(job["teacher"], HeadKind.Classifier, out _))
        using (BertModel turned = new(model.Config with { Labels = ["positive", "negative"] }, HeadKind.Classifier))
        {
            foreach ((Limbeck.Tensors.Parameter from, Limbeck.Tensors.Parameter to) in model.Parameters.Zip(turned.Parameters))
            {
                from.Value.Span.CopyTo(to.Value.Span);
            }

            int width = model.Config.HiddenSize;
            Span<float> weight = turned["classifier.weight"].Value.Span;
            model["classifier.weight"].Value.Span[width..].CopyTo(weight);
            model["classifier.weight"].Value.Span[..width].CopyTo(weight[width..]);
            turned["classifier.bias"].Value.Span.Reverse();
            turned.Save(job["teacher"]);
        }

        EvaluateReport after = EvaluateJob.Run(new EvaluateSettings { Model = job["teacher"], DataFile = job["dev.tsv"] }, job.Context);
        Assert.Equal(before.Metrics["accuracy"], after.Metrics["accuracy"]);
        TrainingReport student = CompressJob.Run(job.Compress("student"), job.Context);
        Assert.Equal(["positive", "negative"], BertConfig.Read(job["student"]).Labels);
        Assert.Equal(before.Metrics["accuracy"], student.Teacher!["accuracy"]);
        TrainingReport more = FineTuneJob.Run(job.FineTune("more") with { ModelNameOrPath = job["teacher"] }, job.Context);
        Assert.Equal(["positive", "negative"], BertConfig.Read(job["more"]).Labels);
        Assert.Contains("training goes on from it", job.Messages.ToString(), StringComparison.Ordinal);
        Assert.NotNull(more.Metrics);
    }

    [Fact]
    public void A_model_for_other_labels_gets_a_new_classifier_and_says_so()
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        using TinyJob other = new(["no", "yes"]);
        FineTuneJob.Run(other.FineTune("teacher") with { ModelNameOrPath = job["teacher"] }, other.Context);
        Assert.Equal(["no", "yes"], BertConfig.Read(other["teacher"]).Labels);
        Assert.Contains("for other labels (negative, positive)", other.Messages.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_student_may_start_as_a_slice_of_its_teacher_with_the_wordpieces_it_needs()
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        File.WriteAllLines(job["short.tsv"], File.ReadLines(job["train.tsv"]).Where(line => !line.Contains("poor", StringComparison.Ordinal)));
        CompressJob.Run(job.Compress("student") with { StudentInit = "teacher", TrimVocabulary = true, TrainFile = job["short.tsv"] }, job.Context);
        string[] vocabulary = File.ReadAllLines(Path.Combine(job["student"], "vocab.txt"));
        Assert.DoesNotContain("poor", vocabulary);
        Assert.Contains("good", vocabulary);
        Assert.Equal(vocabulary.Length, BertConfig.Read(job["student"]).VocabularySize);
    }

    [Fact]
    public void A_student_may_start_from_its_teachers_principal_components()
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        CompressJob.Run(job.Compress("student") with { StudentInit = "pca", TrimVocabulary = true }, job.Context);
        Assert.Contains("principal components (", job.Messages.ToString(), StringComparison.Ordinal);
        string message = Assert.Throws<UsageException>(() => CompressJob.Run(job.Compress("wide") with { StudentInit = "pca", StudentModel = "1/64/2/64" }, job.Context)).Message;
        Assert.Contains("64 units", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_student_may_start_with_layers_fitted_to_its_teachers()
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        CompressJob.Run(job.Compress("student") with { StudentInit = "fitted", TrimVocabulary = true }, job.Context);
        Assert.Contains("its layers are fitted to the teacher's on ", job.Messages.ToString(), StringComparison.Ordinal);
        string message = Assert.Throws<UsageException>(() => CompressJob.Run(job.Compress("wide") with { StudentInit = "fitted", StudentModel = "1/16/2/32" }, job.Context)).Message;
        Assert.Contains("2 heads", message, StringComparison.Ordinal);

        // A plan says what is wrong too, but fits nothing.
        Assert.Contains("2 heads", Assert.Throws<UsageException>(() => CompressJob.Plan(job.Compress("plan") with { StudentInit = "fitted", StudentModel = "1/16/2/32" }, job.Context)).Message, StringComparison.Ordinal);
        int before = job.Messages.ToString().Length;
        CompressJob.Plan(job.Compress("plan") with { StudentInit = "fitted" }, job.Context);
        Assert.DoesNotContain("fitted to the teacher's on", job.Messages.ToString()[before..], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("intermediate 3/")]
    [InlineData("prediction 2/")]
    public void A_head_fitted_before_the_prediction_stage_is_the_same_after_a_stop_before_and_behind_it(string where)
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        CompressSettings settings = job.Compress("whole") with { HeadInit = "fitted", TrimVocabulary = true };
        CompressJob.Run(settings, job.Context);
        CompressJob.Run(settings with { OutputDir = job["random"], HeadInit = "random" }, job.Context);
        Assert.NotEqual(job.Weights("random"), job.Weights("whole"));

        using CancellationTokenSource stop = new();
        using StoppingWriter stopping = new(stop, where);
        JobContext context = new(stopping, new ProgressDisplay(stopping, terminal: false, TimeSpan.Zero), job.Context.Team, stop.Token);
        Assert.ThrowsAny<OperationCanceledException>(() => CompressJob.Run(settings with { OutputDir = job["broken"] }, context));
        int before = job.Messages.ToString().Length;
        CompressJob.Run(settings with { OutputDir = job["broken"], Resume = true }, job.Context);
        Assert.Equal(job.Weights("whole"), job.Weights("broken"));
        Assert.Equal(where.StartsWith('i'), job.Messages.ToString()[before..].Contains("fitted to the teacher's on 120 rows", StringComparison.Ordinal));
    }

    [Fact]
    public void A_fitted_head_without_a_prediction_stage_is_refused()
    {
        CompressSettings settings = new() { HeadInit = "fitted" };
        List<string> faults = [];
        (settings with { Prediction = settings.Prediction with { NumTrainEpochs = 0 } }).Check(faults, complete: false);
        Assert.Contains("--head-init", Assert.Single(faults), StringComparison.Ordinal);
    }

    [Fact]
    public void A_mistyped_kind_of_first_weights_is_told_with_the_nearest()
    {
        List<string> faults = [];
        new CompressSettings { StudentInit = "fited" }.Check(faults, complete: false);
        Assert.Contains("Did you mean 'fitted'?", Assert.Single(faults), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pca")]
    [InlineData("fitted")]
    [InlineData("teacher")]
    public void A_student_with_a_vocabulary_of_its_own_cannot_start_from_the_teachers_words(string init)
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        File.WriteAllLines(job["short.tsv"], File.ReadLines(job["train.tsv"]).Where(line => !line.Contains("poor", StringComparison.Ordinal)));
        CompressJob.Run(job.Compress("trimmed") with { TrimVocabulary = true, TrainFile = job["short.tsv"] }, job.Context);
        string message = Assert.Throws<UsageException>(
            () => CompressJob.Run(job.Compress("student") with { StudentModel = job["trimmed"], StudentInit = init, TrainFile = job["short.tsv"] }, job.Context)).Message;
        Assert.Contains("a vocabulary of its own", message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(job["student"]));
    }

    [Fact]
    public void Unlabelled_texts_are_learned_from_too()
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        File.WriteAllLines(job["more.txt"], TinyWorld.Data(64, 9).Examples.Select(example => example.Text));
        TrainingReport student = CompressJob.Run(job.Compress("student") with { Unlabelled = job["more.txt"] }, job.Context);
        Assert.Equal((184, 18L), (student.TrainRows, student.Steps));
    }

    [Fact]
    public void Students_with_other_heads_are_refused_unless_attention_is_left_out()
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        CompressSettings settings = job.Compress("student") with { StudentModel = "1/16/2/32" };
        Assert.Contains("--attention-loss none", Assert.Throws<UsageException>(() => CompressJob.Run(settings, job.Context)).Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(job["student"]));
        CompressJob.Run(settings with { AttentionLoss = "none" }, job.Context);
        Assert.Contains("3:2", Assert.Throws<UsageException>(() => CompressJob.Run(job.Compress("other") with { StudentModel = "3/16/4/32" }, job.Context)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_regression_is_trained_and_distilled()
    {
        using TinyJob job = new(["0.5", "3.25"]);
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        TrainingReport student = CompressJob.Run(job.Compress("student"), job.Context);
        BertConfig config = BertConfig.Read(job["student"]);
        Assert.Equal(["LABEL_0"], config.Labels);
        Assert.Equal("regression", config.ProblemType);
        Assert.Equal(["pearson", "spearmanr"], student.Metrics!.Values.Select(metric => metric.Key));
    }

    [Fact]
    public void A_share_of_the_training_file_can_be_held_back()
    {
        using TinyJob job = new();
        TrainingReport report = FineTuneJob.Run(job.FineTune("teacher") with { ValidationFile = null, ValidationSplit = 0.2 }, job.Context);
        Assert.InRange(report.EvalRows, 15, 24);
        Assert.Equal(120, report.TrainRows + report.EvalRows);
    }
}
