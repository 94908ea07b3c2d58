using System.Globalization;
using Limbeck.Models;
using Limbeck.Tensors.Threading;
using Limbeck.Tokenization;
using Limbeck.Training.Data;
using Limbeck.Training.Evaluation;
using Limbeck.Training.Jobs;
using Limbeck.Training.Loop;
using Limbeck.Training.Metrics;

namespace Limbeck.Benchmarks;

/// <summary>
/// The tables of docs/results: one resumable command trains and scores one cell and appends its line to a .jsonl file; a cell that is there already is skipped.
/// Every row is scored with the last checkpoint on the dev rows; nothing is chosen on them.
/// </summary>
internal static class ResultCells
{
    /// <summary>Epochs and learning rate of the teacher for each task: batch 32, length 128, AdamW with decay 0.01 on everything, clipping at 1, linear with 10 % warm-up.</summary>
    private static readonly Dictionary<string, (int Epochs, double Rate)> TeacherSettings = new()
    {
        ["SST-2"] = (2, 3e-5),
        ["MRPC"] = (4, 5e-5),
        ["CoLA"] = (5, 5e-5),
        ["STS-B"] = (4, 5e-5),
        ["RTE"] = (5, 5e-5),
    };

    /// <summary>
    /// Of the intermediate stage, falling to 0 after a rise over a tenth of the updates. The paper's constant 5e-5 is for many passes over augmented rows;
    /// this was chosen on a tenth of STS-B's training rows, held back (one seed; --student-init pca: Pearson 74.7, and 73.5 with a constant 3e-4;
    /// from a general student, with a fitted head: 84.4, and 82.8 with 2e-4).
    /// </summary>
    private const double IntermediateRate = 6e-4;

    /// <summary>Passes over the training set in the intermediate stage; the prediction stage makes 3.</summary>
    private static int IntermediatePasses(string task) => task switch { "CoLA" => 20, "SST-2" => 5, _ => 10 };

    /// <summary>cell --row teacher|tinybert|alone --task T --seed N --glue DIR --model DIR --runs DIR [--student S] [--student-init I, a kind or a general student's folder] [--aug-file F] [--passes N of the intermediate stage, if not as in the tables] [--layer-map MAP, if not the usual one] [--teacher-seed N, if not 1] [--teacher-table NAME whose teacher it is, if not the same table's] [--variant NAME, which sets a row apart] [--precision fp32|bf16] [--table NAME] [--results FILE] [--threads N]</summary>
    public static int Run(string[] args)
    {
        string row = Need(args, "--row");
        TaskDefinition task = TaskDefinition.Find(Need(args, "--task"));
        int seed = BenchmarkOptions.Integer(args, "--seed", 1);
        string table = BenchmarkOptions.Text(args, "--table") ?? "task-distillation";
        string student = row == "teacher" ? Path.GetFileName(Path.TrimEndingDirectorySeparator(Need(args, "--model"))) : Need(args, "--student");
        string init = BenchmarkOptions.Text(args, "--student-init") ?? "random";
        ResultsFile results = new(BenchmarkOptions.Text(args, "--results") ?? Path.Combine("docs", "results", $"{table}.jsonl"));
        bool general = Directory.Exists(init);
        string? augmented = BenchmarkOptions.Text(args, "--aug-file");
        string method = (row == "teacher" || init == "random" ? row : general ? $"{row}, general" : $"{row}, init {init}") + (augmented is null ? string.Empty : ", augmented");
        string? variant = BenchmarkOptions.Text(args, "--variant");
        string? precision = BenchmarkOptions.Text(args, "--precision");
        int passes = BenchmarkOptions.Integer(args, "--passes", IntermediatePasses(task.Name));
        bool otherPasses = row != "teacher" && passes != IntermediatePasses(task.Name);
        method += otherPasses ? $" ({passes} passes)" : string.Empty;
        string? map = row == "teacher" ? null : BenchmarkOptions.Text(args, "--layer-map");
        method += map is null ? string.Empty : $" (map {map})";
        int teacherSeed = row == "teacher" ? 1 : BenchmarkOptions.Integer(args, "--teacher-seed", 1);
        method += teacherSeed == 1 ? string.Empty : $" (teacher of seed {teacherSeed})";
        method += variant is null ? string.Empty : $" ({variant})";
        string cell = $"{table}/{student}/{method}/{task.Name}/{seed}";
        if (results.Contains(cell))
        {
            Console.WriteLine($"{results.FilePath} has {cell} already");
            return 0;
        }

        using WorkerTeam team = new(BenchmarkOptions.Integer(args, "--threads", WorkerTeam.PhysicalCores));
        using CancellationTokenSource source = new();
        Console.CancelKeyPress += (_, pressed) =>
        {
            pressed.Cancel = true;
            source.Cancel();
        };
        JobContext context = new(Console.Error, ProgressDisplay.OnStandardError(), team, source.Token);
        string runs = Need(args, "--runs");
        string output = Path.Combine(runs, cell.Replace('/', '_').Replace(", ", "_", StringComparison.Ordinal).Replace(' ', '-').Replace(':', '-').Replace("(", string.Empty, StringComparison.Ordinal).Replace(")", string.Empty, StringComparison.Ordinal));
        TrainingReport report = row == "teacher"
            ? Teacher(args, task, seed, output, context)
            : Student(args, task, seed, student, init, augmented, passes, row == "alone", Path.Combine(runs, $"{BenchmarkOptions.Text(args, "--teacher-table") ?? table}_{Path.GetFileName(Path.TrimEndingDirectorySeparator(Need(args, "--model")))}_teacher_{task.Name}_{teacherSeed}"), output, context);
        (string gold, string predictions) = Answers(task, Need(args, "--glue"), report, team);
        results.Append(new ResultLine
        {
            Cell = cell,
            Table = table,
            Model = student,
            Method = method,
            Task = task.Name,
            Seed = seed,
            Metrics = report.Metrics!.Values.ToDictionary(pair => pair.Key, pair => pair.Value),
            Majority = report.Majority!.Values.ToDictionary(pair => pair.Key, pair => pair.Value),
            Steps = report.Steps,
            Seconds = report.Seconds,
            Command = $"dotnet run -c Release --project benchmarks/Limbeck.Benchmarks -- cell --table {table} --row {row} --task {task.Name} --seed {seed}"
                + (row == "teacher" ? string.Empty : $" --student {student} --student-init {(general ? "GENERAL_STUDENT" : init)}") + (augmented is null ? string.Empty : " --aug-file TRAIN_AUG") + (otherPasses ? $" --passes {passes}" : string.Empty) + (map is null ? string.Empty : $" --layer-map {map}") + (teacherSeed == 1 ? string.Empty : $" --teacher-seed {teacherSeed}") + (BenchmarkOptions.Text(args, "--teacher-table") is { } of ? $" --teacher-table {of}" : string.Empty) + (variant is null ? string.Empty : $" --variant {variant}") + (precision is null ? string.Empty : $" --precision {precision}") + " --model all-MiniLM-L6-v2 --glue GLUE_DIR --runs DIR",
            Gold = gold,
            Predictions = predictions,
        });
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{cell}: {string.Join(", ", report.Metrics!.Values.Select(pair => $"{pair.Key} {100 * pair.Value:F2}"))}; {report.Steps} steps, {report.Seconds:F0} s"));
        return 0;
    }

    /// <summary>results [FOLDER]: renders the folder's .jsonl files to README.md beside them.</summary>
    public static int Render(string[] args)
    {
        string folder = args.FirstOrDefault() ?? Path.Combine("docs", "results");
        string page = """
            # Results

            Rendered from the `.jsonl` files of this folder by `dotnet run -c Release --project benchmarks/Limbeck.Benchmarks -- results`; every line of them has the command that made it.
            Scores are of the last checkpoint on GLUE's dev sets; nothing was chosen on them.

            Methods: `teacher`, fine-tuned on the labels; `tinybert`, TinyBERT's intermediate and prediction stages; `alone`, the same student with as many updates on the labels
            alone. `init pca`: embeddings from the teacher's principal components, layers and head random. `general`: the student of a general distillation,
            its head fitted to the teacher's before the prediction stage; `(lines)`: that of docs/embedders.md, which has seen single lines only, no pairs. `augmented`: the intermediate stage draws as many tokens from augmented rows.

            Cells whose command says `--precision bf16` were trained with it (all of table `ablation`), the others in float32; scoring is always float32. The general students of `ablation` (the corpus is 28 MB of English sentences; tinybert2-192's with its own `--student-model`):

            ```
            limbeck compress --stage general --teacher-model all-MiniLM-L6-v2 --student-model tinybert3-312 --student-init fitted --train-corpus general.txt --segments pairs --max-tokens 8400000 --dropout 0 \
              --general-per-device-train-batch-size 16 --general-gradient-accumulation-steps 1 --general-optimizer adamw --general-learning-rate 6e-4 --general-lr-scheduler-type linear \
              --general-warmup-ratio 0.05 --precision bf16 --output-dir GENERAL_STUDENT
            ```

            The augmented rows, with the masked language model of docs/pretrain.md: `limbeck augment --model minilm-mlm --task TASK --data-dir GLUE_DIR --content-words --n N`, N 20 for CoLA, 10 for the others; SST-2's with `--precision bf16`.

            All students learn from the teacher of seed 1, but those whose method says `(teacher of seed N)`; retention is of the mean of the teacher's seeds. `(map ...)` is another layer map than the usual, even one. The teacher of seed 1's five cells were made twice, on different days and machines of one kind, with the same answer to every dev row. (All lines of `ablation` are of builds whose products cut their sums at 768 steps; later ones
            cut them at 1,536, so that a repetition agrees in the seeds' spread and not to the bit. Those of `parts` are of such later builds.)


            """ + ResultsPage.Render(Directory.GetFiles(folder, "*.jsonl").Order(StringComparer.Ordinal).SelectMany(file => new ResultsFile(file).Read()));
        File.WriteAllText(Path.Combine(folder, "README.md"), page);
        Console.WriteLine(page);
        return 0;
    }

    private static TrainingReport Teacher(string[] args, TaskDefinition task, int seed, string output, JobContext context)
    {
        (int epochs, double rate) = TeacherSettings[task.Name];
        return FineTuneJob.Run(
            new FineTuneSettings
            {
                ModelNameOrPath = Need(args, "--model"),
                Task = task.Name,
                DataDir = Need(args, "--glue"),
                OutputDir = output,
                Resume = true,
                Seed = (ulong)seed,
                MaxSeqLength = 128,
                NoReportTiming = true,
                Precision = Precision(args),
                Training = new StageSettings { NumTrainEpochs = epochs, LearningRate = rate },
            },
            context);
    }

    private static TrainingReport Student(string[] args, TaskDefinition task, int seed, string student, string init, string? augmented, int passes, bool alone, string teacher, string output, JobContext context)
    {
        CompressSettings defaults = new();
        return CompressJob.Run(
            defaults with
            {
                TeacherModel = teacher,
                StudentModel = student,
                StudentInit = init,
                Task = task.Name,
                DataDir = Need(args, "--glue"),
                OutputDir = output,
                Resume = true,
                Seed = (ulong)seed,
                NoTeacher = alone,
                AugFile = augmented,
                AugBudget = augmented is null ? defaults.AugBudget : "tokens",
                LayerMap = BenchmarkOptions.Text(args, "--layer-map"),
                HeadInit = Directory.Exists(init) && !alone ? "fitted" : defaults.HeadInit,
                Intermediate = defaults.Intermediate with { NumTrainEpochs = passes, LearningRate = IntermediateRate, LrSchedulerType = "warmup_linear", WarmupRatio = 0.1 },
                NoReportTiming = true,
                Precision = Precision(args),
            },
            context);
    }

    private static (string Gold, string Predictions) Answers(TaskDefinition task, string glue, TrainingReport report, WorkerTeam team)
    {
        using BertModel model = BertModel.Load(report.OutputDir, HeadKind.Classifier, out _);
        Dataset dev = GlueReader.Read(task, glue, "dev");
        EncodedDataset encoded = EncodedDataset.Encode(dev, BertTokenizer.FromDirectory(report.OutputDir), report.MaxSeqLength);
        float[] logits = Evaluator.InTaskOrder(Evaluator.Logits(model, encoded, team), TaskLabels.Match(model.Config, task, report.OutputDir));
        if (task.Kind == TaskKind.Regression)
        {
            return (CompactValues.OfNumbers([.. dev.Examples.Select(example => (float)example.Score)]), CompactValues.OfNumbers(logits));
        }

        int width = task.Labels.Count;
        int[] classes = [.. Enumerable.Range(0, dev.Examples.Count).Select(i => Array.IndexOf(logits[(i * width)..((i + 1) * width)], logits[(i * width)..((i + 1) * width)].Max()))];
        return (CompactValues.OfClasses([.. dev.Examples.Select(example => example.Label)]), CompactValues.OfClasses(classes));
    }

    private static string Precision(string[] args) => BenchmarkOptions.Text(args, "--precision") ?? "fp32";

    private static string Need(string[] args, string name) => BenchmarkOptions.Text(args, name) ?? throw new ArgumentException($"{name} is missing");
}
