using System.Text.Json;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Training.Compression;
using Limbeck.Training.Data;
using Limbeck.Training.Jobs;
using Limbeck.Training.Loop;
using Limbeck.Training.Tests.Jobs;

namespace Limbeck.Training.Tests.Compression;

/// <summary>
/// The bugs of TinyBERT's original code, one by one, and that ours does not have them. Those of augmentation and of the corpus have their tests where those parts have theirs
/// (a file that reads back to the same fields; no token masked at probability 0).
/// </summary>
public sealed class ReferenceBugTests
{
    // Relative; worst seen: 2e-6.
    private const double Tolerance = 1e-4;

    [Fact]
    public void The_teacher_runs_without_dropout()
    {
        using BertModel teacher = TinyWorld.Model(TinyWorld.Config(dropout: 0.5f), 1);
        EncodedDataset data = TinyWorld.Encoded(8, 1);
        TrainingBatch batch = new(data.Pack([0, 1, 2, 3]), [0, 1, 2, 3]);
        using LiveTeacher live = new(teacher, data, new TeacherNeeds(true, [2], [2]));
        using Tape still = new(recording: false);
        Assert.Equal(teacher.Logits(still, batch.Packed).ToArray(), live.Get(batch).Logits);
    }

    [Fact]
    public void A_regressions_last_stage_learns_the_teachers_scores_and_not_the_gold_ones()
    {
        using BertModel teacher = TinyWorld.Model(TinyWorld.Config(dropout: 0) with { Labels = ["score"], ProblemType = "regression" }, 1);
        TaskDefinition task = TaskDefinition.Custom(TaskKind.Regression, isPair: false, []);
        EncodedDataset data = EncodedDataset.Encode(
            new Dataset("scores", task, [.. TinyWorld.Data(8, 1).Examples.Select(example => example with { Label = -1, Score = 100 })]), TinyWorld.Tokenizer, 32);
        TrainingBatch batch = new(data.Pack([0, 1, 2, 3]), [0, 1, 2, 3]);
        using LiveTeacher live = new(teacher, data, new TeacherNeeds(true, [], []));
        Assert.Equal(0, Loss(false), 1e-9);
        Assert.True(Loss(true) > 1000);

        double Loss(bool gold)
        {
            // The teacher as its own student: whatever differs from 0 is not the teacher's word.
            using TinyBert method = new(teacher.Config, teacher, new TinyBertOptions { LayerMap = LayerMap.Uniform(2, 2), GoldRegression = gold }, new SeededRandom(1));
            using Tape tape = new(recording: true);
            double[] losses = new double[1];
            method.Prediction(live, data).Compute(tape, batch, 1f, losses);
            return losses[0];
        }
    }

    [Fact]
    public void Padding_is_not_counted_so_a_loss_is_the_mean_over_real_tokens()
    {
        using BertModel teacher = TinyWorld.Model(TinyWorld.Config(dropout: 0), 1);
        using BertModel student = TinyWorld.Model(TinyWorld.Config(1, 16, 4, 32, 0), 2);
        using TinyBert method = new(teacher.Config, student, new TinyBertOptions { LayerMap = LayerMap.Uniform(1, 2) }, new SeededRandom(1));
        EncodedDataset data = TinyWorld.Encoded(40, 1);
        int shortest = Array.IndexOf(data.Lengths, data.Lengths.Min());
        int longest = Array.IndexOf(data.Lengths, data.Lengths.Max());
        (double a, double b) = (data.Lengths[shortest], data.Lengths[longest]);
        Assert.True(b > 1.5 * a);
        double[] first = Losses(shortest);
        double[] second = Losses(longest);
        double[] together = Losses(shortest, longest);
        Assert.Equal(((a * first[1]) + (b * second[1])) / (a + b), together[1], Tolerance * together[1]);
        Assert.Equal(((a * a * first[2]) + (b * b * second[2])) / ((a * a) + (b * b)), together[2], Tolerance * together[2]);

        double[] Losses(params int[] rows)
        {
            using LiveTeacher live = new(teacher, data, new TeacherNeeds(false, method.TeacherHidden, method.TeacherScores));
            using Tape tape = new(recording: true);
            double[] losses = new double[3];
            method.Intermediate(live).Compute(tape, new TrainingBatch(data.Pack(rows), rows), 1f, losses);
            return losses;
        }
    }

    [Theory]
    [InlineData(24)]
    [InlineData(40)]
    public void The_projection_has_the_teachers_width_whatever_that_is(int hidden)
    {
        using BertModel student = TinyWorld.Model(TinyWorld.Config(1, 16, 4, 32), 2);
        using TinyBert method = new(TinyWorld.Config(hidden: hidden), student, new TinyBertOptions { LayerMap = LayerMap.Uniform(1, 2) }, new SeededRandom(1));
        Assert.Equal([hidden, 16], method.Parameters.Single(parameter => parameter.Name == "fit_dense.weight").Value.Shape.ToArray());
    }

    [Fact]
    public void Without_a_step_of_evaluation_the_model_is_saved_all_the_same()
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        TrainingReport report = CompressJob.Run(job.Compress("student") with { ValidationFile = null, EvalSteps = 0, SaveSteps = 0 }, job.Context);
        Assert.True(report.Steps > 0);
        using BertModel saved = BertModel.Load(job["student"], HeadKind.Classifier, out LoadReport loaded);
        Assert.Empty(loaded.New);
    }

    [Fact]
    public void WNLI_is_trained_scored_and_saved_as_any_other_task()
    {
        using TinyJob job = new();
        string[] rows = [.. TinyWorld.Data(60, 3).Examples.Select((example, i) => $"{i}\t{example.Text}\tthe film was good\t{example.Label}")];
        Write(job, "WNLI", "train.tsv", "index\tsentence1\tsentence2\tlabel", rows);
        Write(job, "WNLI", "dev.tsv", "index\tsentence1\tsentence2\tlabel", rows[..20]);
        FineTuneSettings teacher = job.FineTune("teacher") with { Task = "WNLI", DataDir = job["glue"], TrainFile = null, ValidationFile = null };
        FineTuneJob.Run(teacher, job.Context);
        TrainingReport report = CompressJob.Run(
            job.Compress("student") with { Task = "WNLI", DataDir = job["glue"], TrainFile = null, ValidationFile = null, LoadBestModelAtEnd = true, EvalSteps = 2 }, job.Context);
        Assert.NotNull(report.Metrics);
        using BertModel saved = BertModel.Load(job["student"], HeadKind.Classifier, out _);
        Assert.True(File.Exists(Path.Combine(job["student"], "best", "model.safetensors")) || File.Exists(Path.Combine(job["student"], "model.safetensors")));
    }

    [Fact]
    public void MNLIs_best_model_is_the_matched_sets_and_both_sets_are_reported()
    {
        using TinyJob job = new();
        string[] names = ["entailment", "neutral", "contradiction"];
        string Row(TextExample example, int i, int label, bool dev) =>
            $"{i}\t{i}\t{i}\tfiction\t-\t-\t-\t-\t{example.Text}\tthe film was good\t{(dev ? "x\tx\tx\tx\tx" : "x")}\t{names[label]}";
        const string Head = "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\t";
        TextExample[] examples = [.. TinyWorld.Data(80, 3).Examples];
        Write(job, "MNLI", "train.tsv", $"{Head}label1\tgold_label", [.. examples.Select((example, i) => Row(example, i, example.Label, false))]);
        Write(job, "MNLI", "dev_matched.tsv", $"{Head}label1\tlabel2\tlabel3\tlabel4\tlabel5\tgold_label", [.. examples.Take(30).Select((example, i) => Row(example, i, example.Label, true))]);

        // Here the labels are the other way round: whoever chose by this set would take the worst model.
        Write(job, "MNLI", "dev_mismatched.tsv", $"{Head}label1\tlabel2\tlabel3\tlabel4\tlabel5\tgold_label", [.. examples.Take(30).Select((example, i) => Row(example, i, 1 - example.Label, true))]);
        FineTuneSettings settings = job.FineTune("model") with
        {
            Task = "MNLI",
            DataDir = job["glue"],
            TrainFile = null,
            ValidationFile = null,
            LoadBestModelAtEnd = true,
            EvalSteps = 1,
            Training = new StageSettings { NumTrainEpochs = 8, LearningRate = 5e-3 },
        };
        TrainingReport report = FineTuneJob.Run(settings, job.Context);
        double[] scores = [.. File.ReadLines(Path.Combine(job["model"], "metrics.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)
            .Where(line => line.TryGetProperty("eval_accuracy", out _)).Select(line => line.GetProperty("eval_accuracy").GetDouble())];
        Assert.True(scores.Length > 3 && scores.Max() > scores.Min(), string.Join(' ', scores));
        Assert.Equal(scores.Max(), report.Metrics!["accuracy"], 1e-9);
        Assert.True(report.Mismatched!["accuracy"] < report.Metrics["accuracy"]);
    }

    private static void Write(TinyJob job, string task, string name, string head, string[] rows)
    {
        Directory.CreateDirectory(Path.Combine(job["glue"], task));
        File.WriteAllLines(Path.Combine(job["glue"], task, name), rows.Prepend(head));
    }
}
