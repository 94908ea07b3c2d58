using Limbeck.Inference;
using Limbeck.Models;
using Limbeck.Tokenization;
using Limbeck.Training.Compression;
using Limbeck.Training.Data;
using Limbeck.Training.Data.Corpus;
using Limbeck.Training.Evaluation.Reporting;
using Limbeck.Training.Metrics;

namespace Limbeck.Training.Jobs;

/// <summary>Makes the report of a run that learned from raw text: masked language modelling, or general distillation.</summary>
internal sealed record CorpusReport : JobReport<TrainingSettings>
{
    // Lines of the corpus that layers are compared on and speed is measured on: so many, so far apart.
    private const int Lines = 256;
    private const int Apart = 7;

    /// <summary>The corpus, as the settings name it.</summary>
    public required string Corpus { get; init; }

    /// <summary>The pretrained model that a student learned from, or null.</summary>
    public BertModel? Teacher { get; init; }

    /// <summary>Its folder.</summary>
    public string? TeacherFolder { get; init; }

    /// <summary>Which of its layers each of the student's learned from.</summary>
    public LayerMap? Map { get; init; }

    /// <inheritdoc/>
    protected override RunReport Make(JobContext context)
    {
        string folder = Results.OutputDir;
        using BertModel model = BertModel.Load(folder, HeadKind.None, out _, Settings.Seed);
        BertTokenizer tokenizer = BertTokenizer.FromDirectory(folder);
        TextExample[] examples =
        [
            .. new TextCorpus(TextCorpus.Resolve(Corpus)).Lines().Where((_, number) => number % Apart == 0).Take(Lines).Select((line, i) => new TextExample(line.Text, null, -1, double.NaN, i + 1)),
        ];
        EncodedDataset rows = EncodedDataset.Encode(new Dataset(Corpus, TaskDefinition.Custom(TaskKind.Regression, isPair: false, []), examples), tokenizer, Results.MaxSeqLength, context.Team.Threads);
        List<ReportModel> models = [ReportModel.Of(Path.GetFileName(Path.TrimEndingDirectorySeparator(folder)), ReportRole.Model, model, folder) with { Size = Results.Size }];
        if (Teacher is not null)
        {
            models.Add(ReportModel.Of(TeacherFolder!, ReportRole.Teacher, Teacher, ModelFolder.Weights(TeacherFolder!)));
        }

        return new RunReport
        {
            Title = Title,
            Story = Story,
            Run = Run(Corpus, TeacherFolder),
            Machine = ReportMachine.Here(context.Team),
            Scores = Results.Metrics is MetricSet metrics ? Scores(metrics) : null,
            NothingScored = Teacher is null
                ? "Nothing was scored: no text was held back. Give --validation-split or --validation-file."
                : "Nothing was scored: a student of raw text has no task yet. The layers below say how near it is to its teacher; limbeck evaluate --zero-shot scores a sentence embedder.",
            Models = models,
            Timing = Settings.NoReportTiming || examples.Length == 0 ? null : Timing(examples, rows, context),
            Curves = Curves(),
            Layers = Teacher is null ? null : LayerDistances.Measure(model.Encoder, rows, Teacher.Encoder, rows, Map!, context.Team),
        };
    }

    private ReportScores Scores(MetricSet metrics)
    {
        ReportScore Row(string name, ReportRole role, MetricSet scored) => new(name, role, scored.Values.ToDictionary(), scored.Primary);
        List<ReportScore> rows = [Row("this model", ReportRole.Model, metrics)];
        if (Results.Before is MetricSet before)
        {
            rows.Add(Row("before training", ReportRole.Baseline, before));
        }

        if (Results.Majority is MetricSet majority)
        {
            rows.Add(Row("by frequency alone", ReportRole.Majority, majority));
        }

        return new ReportScores
        {
            Metrics = [.. metrics.Values.Select(metric => metric.Key == "accuracy" ? new ReportMetric(metric.Key) : new ReportMetric(metric.Key, IsShare: false, HigherIsBetter: false))],
            PrimaryMetrics = ["accuracy"],
            Rows = rows,
        };
    }

    private ReportTiming Timing(TextExample[] examples, EncodedDataset rows, JobContext context)
    {
        ModelOptions options = new() { MaxSequenceLength = Results.MaxSeqLength, Team = context.Team };
        using SentenceEmbedder own = SentenceEmbedder.Load(Results.OutputDir, options);
        using SentenceEmbedder? teacher = TeacherFolder is null ? null : SentenceEmbedder.Load(TeacherFolder, options);
        List<(ReportRole, Action<IReadOnlyList<TextInput>>)> models = [(ReportRole.Model, texts => own.Embed([.. texts.Select(text => text.Text)], context.Cancellation))];
        if (teacher is not null)
        {
            models.Add((ReportRole.Teacher, texts => teacher.Embed([.. texts.Select(text => text.Text)], context.Cancellation)));
        }

        return SpeedMeasurement.Run(models, [.. examples.Select(example => new TextInput(example.Text))], (double)rows.Tokens / rows.Count, SpeedMeasurement.Budget, context.Cancellation);
    }
}
