using System.Diagnostics;
using System.Globalization;
using System.Text;
using Limbeck.Checkpoints;
using Limbeck.Inference;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tokenization;
using Limbeck.Training.Jobs;

namespace Limbeck.Cli.Quickstart;

/// <summary>The main job from end to end on made-up data: a teacher, a student trained alone, the same student distilled.</summary>
internal sealed class QuickstartJob(QuickstartPlan plan, string folder, ulong seed, JobContext context)
{
    /// <summary>One row of the table.</summary>
    /// <param name="Name">What it is.</param>
    /// <param name="Report">How it was trained and scored.</param>
    /// <param name="Bytes">Its weights on disk.</param>
    /// <param name="Milliseconds">The median time of one text.</param>
    internal sealed record Row(string Name, TrainingReport Report, long Bytes, double Milliseconds);

    /// <summary>Where the texts to train on lie.</summary>
    public string TrainFile => Path.Combine(folder, "train.csv");

    /// <summary>Where the texts to score lie.</summary>
    public string TestFile => Path.Combine(folder, "test.csv");

    /// <summary>Runs the job.</summary>
    /// <returns>Teacher, lone student, distilled student.</returns>
    public IReadOnlyList<Row> Run()
    {
        Directory.CreateDirectory(folder);
        SeededRandom random = new(seed, stream: 7);
        HashSet<string> seen = [];
        Write(TrainFile, plan.TrainRows, random, seen);
        Write(TestFile, plan.TestRows, random, seen);
        string start = Start();

        context.Messages.WriteLine($"made up {plan.TrainRows:N0} reviews to train on and {plan.TestRows:N0} others to score, in {folder}; one of them:");
        context.Messages.WriteLine($"  {File.ReadLines(TestFile).Skip(1).MaxBy(line => line.Length)}");
        context.Messages.WriteLine("\n1 of 3: the teacher");
        TrainingReport teacher = FineTuneJob.Run(
            Common(new FineTuneSettings { ModelNameOrPath = start, Training = new() { NumTrainEpochs = plan.TeacherEpochs, LearningRate = plan.TeacherRate } }, "teacher"), context);
        CompressSettings student = new()
        {
            TeacherModel = Path.Combine(folder, "teacher"),
            StudentModel = plan.Student,
            CacheDir = Path.Combine(folder, "cache"),
            Intermediate = new() { NumTrainEpochs = plan.IntermediateEpochs, LearningRate = plan.IntermediateRate, LrSchedulerType = "constant", WarmupRatio = 0, Optimizer = "bertadam", DecayAll = false, AdamEpsilon = 1e-6 },
            Prediction = new() { NumTrainEpochs = plan.PredictionEpochs, LearningRate = plan.PredictionRate, LrSchedulerType = "warmup_linear", WarmupRatio = 0.1, Optimizer = "bertadam", DecayAll = false, AdamEpsilon = 1e-6 },
            Alone = new() { LearningRate = plan.AloneRate },
        };
        context.Messages.WriteLine("\n2 of 3: a small student on the labels alone");
        TrainingReport alone = CompressJob.Run(Common(student with { NoTeacher = true }, "student-alone"), context);
        context.Messages.WriteLine("\n3 of 3: the same student, from the same first weights and with as many updates, learning from the teacher");
        TrainingReport distilled = CompressJob.Run(Common(student with { BaselineResults = alone.OutputDir }, "student"), context);
        Directory.Delete(student.CacheDir, recursive: true);
        return [Measure("teacher", teacher), Measure("student alone", alone), Measure("distilled student", distilled)];
    }

    private T Common<T>(T settings, string name)
        where T : TrainingSettings => settings with
        {
            TrainFile = TrainFile,
            ValidationFile = TestFile,
            MaxSeqLength = plan.Length,
            OutputDir = Path.Combine(folder, name),
            OverwriteOutputDir = true,
            Seed = seed,
            EvalSteps = int.MaxValue,
            SaveSteps = 0,
            Tensorboard = false,
        };

    /// <summary>Writes a table of made-up reviews, none of them twice.</summary>
    private static void Write(string path, int rows, SeededRandom random, HashSet<string> seen)
    {
        ReviewGenerator reviews = new(random);
        StringBuilder table = new("text,label\n");
        for (int row = 0; row < rows;)
        {
            (string text, bool positive) = reviews.Next();
            if (seen.Add(text))
            {
                table.Append(CultureInfo.InvariantCulture, $"\"{text}\",{(positive ? "positive" : "negative")}\n");
                row++;
            }
        }

        AtomicFile.WriteText(path, table.ToString());
    }

    /// <summary>A model of random weights with a vocabulary of the reviews' words: what a pretrained checkpoint is in real life.</summary>
    private string Start()
    {
        string path = Path.Combine(folder, "start");
        BertTokenizer tokenizer = BertTokenizer.FromVocabulary([.. ReviewGenerator.Vocabulary]);
        BertConfig config = plan.Teacher with { VocabularySize = tokenizer.VocabularySize };
        using BertModel model = new(config, HeadKind.None);
        model.Initialize(new SeededRandom(seed));
        model.Save(path);
        tokenizer.SaveTo(path);
        return path;
    }

    private Row Measure(string name, TrainingReport report)
    {
        const int Texts = 200;
        string[] texts = [.. File.ReadLines(TestFile).Skip(1).Take(Texts).Select(line => line[1..line.LastIndexOf('"')])];
        using TextClassifier classifier = TextClassifier.Load(report.OutputDir, new ModelOptions { Team = context.Team });
        List<double> times = [];
        foreach (string text in texts.Concat(texts))
        {
            long before = Stopwatch.GetTimestamp();
            classifier.Classify(text);
            times.Add(Stopwatch.GetElapsedTime(before).TotalMilliseconds);
        }

        double[] warm = [.. times.Skip(texts.Length).Order()];
        return new Row(name, report, new FileInfo(Path.Combine(report.OutputDir, "model.safetensors")).Length, warm[warm.Length / 2]);
    }
}
