using Limbeck.Inference;
using Limbeck.Models;
using Limbeck.Tokenization;
using Limbeck.Training.Compression;
using Limbeck.Training.Data;
using Limbeck.Training.Evaluation.Reporting;
using Limbeck.Training.Metrics;

namespace Limbeck.Training.Jobs;

/// <summary>Makes the report of a run that trained a classifier or regression, after its model is written.</summary>
internal sealed record TaskReport : JobReport<TaskSettings>
{
    /// <summary>The settings of the last stages alone, where others came before; otherwise null.</summary>
    public TaskSettings? LastStages { get; init; }

    /// <summary>The rows.</summary>
    public required TaskData Task { get; init; }

    /// <summary>The saved model's outputs for the scored rows in the task's order; null when nothing was scored.</summary>
    public float[]? Answers { get; init; }

    /// <summary>The teacher, or null.</summary>
    public TaskReportTeacher? Teacher { get; init; }

    /// <summary>The runs to compare with.</summary>
    public IReadOnlyList<BaselineRun> Baselines { get; init; } = [];

    /// <summary>Reads the runs to compare with, before any work is done.</summary>
    /// <param name="settings">The job's settings.</param>
    /// <param name="task">The rows.</param>
    /// <exception cref="UsageException">One is not there or cannot be compared with.</exception>
    public static IReadOnlyList<BaselineRun> ReadBaselines(TaskSettings settings, TaskData task)
    {
        if (settings.BaselineResults is null)
        {
            return [];
        }

        if (task.Validation is null)
        {
            throw new UsageException("--baseline-results has scores to compare with, but this run scores nothing: give --validation-file or --validation-split");
        }

        try
        {
            IReadOnlyList<BaselineRun> runs = BaselineRun.ReadAll(settings.BaselineResults);
            UsageException.ThrowIfAny("--baseline-results", [.. runs.Select(run => run.Fault(task.Task, task.Validation.Examples.Count)).OfType<string>()]);
            return runs;
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"--baseline-results: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    protected override RunReport Make(JobContext context)
    {
        string folder = Results.OutputDir;
        using BertModel model = BertModel.Load(folder, HeadKind.Classifier, out _);
        BertTokenizer tokenizer = BertTokenizer.FromDirectory(folder);
        Dataset rows = Task.Validation ?? Task.Train;
        EncodedDataset encoded = EncodedDataset.Encode(rows, tokenizer, Results.MaxSeqLength, context.Team.Threads);
        List<string> notes = [];
        List<ReportModel> models = [ReportModel.Of(Path.GetFileName(Path.TrimEndingDirectorySeparator(folder)), ReportRole.Model, model, folder)];
        ReportLayers? layers = null;
        if (Teacher is not null)
        {
            models.Add(ReportModel.Of(Teacher.Folder, ReportRole.Teacher, Teacher.Model, ModelFolder.Weights(Teacher.Folder)));
            EncodedDataset teacherRows = EncodedDataset.Encode(rows, Teacher.Tokenizer, Results.MaxSeqLength, context.Team.Threads);
            layers = LayerDistances.Measure(model.Encoder, encoded, Teacher.Model.Encoder, teacherRows, Teacher.Map, context.Team);
        }

        Answers? own = Answers is null ? null : new Answers(Task.Validation!, Answers);
        Answers? teacher = Answers is null || Teacher?.Answers is null ? null : new Answers(Task.Validation!, Teacher.Answers);
        if (Results.Metrics is MetricSet score && Results.Majority is MetricSet majority && score.Primary <= majority.Primary)
        {
            notes.Add("The score is not better than always giving the commonest answer. Were the labels in the right order? More epochs, a higher learning rate or more data may help.");
        }

        return new RunReport
        {
            Title = Title,
            Story = Story,
            Run = Run(Task.Train.Name, Teacher?.Folder),
            Machine = ReportMachine.Here(context.Team),
            Scores = own is null ? null : Scores(own, teacher, model.ParameterCount),
            Models = models,
            Timing = Settings.NoReportTiming ? null : Timing(model, tokenizer, rows, encoded, context),
            Curves = Curves(),
            Layers = layers,
            Examples = own?.Examples(teacher),
            Predictions = own?.Compact() is string compact && own.CompactGold() is string gold ? new ReportPredictions(rows.Sha256, gold, compact, teacher?.Compact()) : null,
            Notes = notes,
        };
    }

    private ReportScores Scores(Answers own, Answers? teacher, long weights)
    {
        TaskDefinition task = Task.Task;
        ReportScore Row(string name, ReportRole role, MetricSet metrics) => new(name, role, metrics.Values.ToDictionary(), metrics.Primary);
        List<ReportScore> rows = [Row(Teacher is null ? "this model" : "this student", ReportRole.Model, Results.Metrics!)];
        List<ReportComparison> comparisons = [];
        if (Results.Mismatched is MetricSet mismatched)
        {
            rows.Add(Row("the same on the mismatched rows", ReportRole.Model, mismatched));
        }

        if (Results.Teacher is MetricSet taught && teacher is not null)
        {
            rows.Add(Row("teacher", ReportRole.Teacher, taught));
            comparisons.Add(new ReportComparison("teacher", ReportRole.Teacher, own.Against(teacher)));
        }

        foreach (BaselineRun run in Baselines)
        {
            string name = run.Method == "none" ? $"{(run.Weights == weights ? "the same student" : "a student")} without a teacher" : $"{run.Method}, {Path.GetFileName(Path.TrimEndingDirectorySeparator(run.Place))}";
            rows.Add(new ReportScore(name, ReportRole.Baseline, run.Metrics, task.PrimaryMetrics.Average(metric => run.Metrics[metric])));
            if (run.Predictions is not null && run.DataSha256 == Task.Validation!.Sha256)
            {
                comparisons.Add(new ReportComparison(name, ReportRole.Baseline, own.Against(run.Predictions)));
            }
        }

        if (Results.Majority is MetricSet majority)
        {
            string name = task.Kind == TaskKind.Regression ? "always the mean" : "always the commonest label";
            rows.Add(Row(name, ReportRole.Majority, majority));
            if (own.AgainstMajority(Task.Train) is BootstrapInterval interval)
            {
                comparisons.Add(new ReportComparison(name, ReportRole.Majority, interval));
            }
        }

        return new ReportScores
        {
            Metrics = [.. task.MetricNames.Select(name => new ReportMetric(name))],
            PrimaryMetrics = task.PrimaryMetrics,
            Rows = rows,
            Retention = Results.Teacher is { Primary: > 0 } whole ? Results.Metrics!.Primary / whole.Primary : null,
            Comparisons = comparisons,
            Agreement = teacher is null ? null : own.AgreementWith(teacher),
            BaselineHint = Teacher is null || Results.Method == "none" || Baselines.Any(run => run.Method == "none") ? null : Hint(),
        };
    }

    /// <summary>The two commands that put the student without a teacher into this report.</summary>
    private string Hint()
    {
        string alone = Path.TrimEndingDirectorySeparator(Settings.OutputDir!) + "-alone";
        TaskSettings last = LastStages ?? Settings;
        if (last is CompressSettings several)
        {
            // Of a run of several stages the last one's settings still hold those of the others, which a task stage alone refuses.
            CompressSettings usual = new();
            last = several with { Augment = usual.Augment, General = usual.General, SentenceLoss = usual.SentenceLoss, SentenceWeight = usual.SentenceWeight, Segments = usual.Segments, ShortSeqProb = usual.ShortSeqProb, MaxTokens = usual.MaxTokens };
        }

        string command = CommandLine.Of(Verb, last, "output_dir", "baseline_results", "aug_train", "aug_file", "aug_budget", "aug_prediction");
        string baselines = Settings.BaselineResults is null ? alone : $"{Settings.BaselineResults},{alone}";
        return $"# train it{(Settings is CompressSettings { Augmented: true } ? ", with the updates of the original rows" : ", with as many updates")}\n{command} --no-teacher --output-dir {CommandLine.Quoted(alone)}\n"
            + $"# write this report again, without training\n{CommandLine.Of(Verb, Settings, "baseline_results")} --baseline-results {CommandLine.Quoted(baselines)} --resume";
    }

    private ReportTiming Timing(BertModel model, BertTokenizer tokenizer, Dataset rows, EncodedDataset encoded, JobContext context)
    {
        ModelOptions options = new() { MaxSequenceLength = Results.MaxSeqLength, Team = context.Team };
        using TextClassifier student = new(model, tokenizer, options);
        using TextClassifier? teacher = Teacher is null ? null : new TextClassifier(Teacher.Model, Teacher.Tokenizer, options);
        List<(ReportRole, Action<IReadOnlyList<TextInput>>)> models = [(ReportRole.Model, texts => student.Classify(texts, context.Cancellation))];
        if (teacher is not null)
        {
            models.Add((ReportRole.Teacher, texts => teacher.Classify(texts, context.Cancellation)));
        }

        TextInput[] texts = [.. rows.Examples.Select(example => new TextInput(example.Text, example.Pair))];
        return SpeedMeasurement.Run(models, texts, (double)encoded.Tokens / encoded.Count, SpeedMeasurement.Budget, context.Cancellation);
    }
}
