using Limbeck.Training.Evaluation.Reporting;
using Limbeck.Training.Jobs;
using Limbeck.Training.Metrics;

namespace Limbeck.Training.Tests.Evaluation.Reporting;

/// <summary>A report with everything in it, and texts that try to break the page.</summary>
internal static class ReportSample
{
    /// <summary>Markup, quotes, an entity, a control character, half a surrogate pair, a right-to-left override, and a word without an end.</summary>
    public static readonly string Nasty = "</q><script>alert('x')</script> &amp; \"quoted\" ]]> <!-- \0\u0001\uD800 \u202E abc " + new string('w', 400);

    public static ReportRun Run { get; } = new()
    {
        Method = "tinybert",
        Date = new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.FromHours(2)),
        OutputDir = "runs/student",
        Task = "MRPC",
        TrainData = "MRPC train",
        TrainRows = 3668,
        EvalData = "MRPC dev",
        EvalRows = 408,
        StartModel = "3/312/12/1200",
        TeacherModel = "runs/teacher",
        Seed = 42,
        Steps = 100,
        Tokens = 12345,
        Seconds = 61.5,
        PeakActivationBytes = 1 << 20,
        MaxSeqLength = 128,
        Command = "limbeck compress --teacher-model runs/teacher --output-dir \"runs/my student\"",
        Recipe = """{"job":"compress","teacher_model":"runs/teacher","intermediate":{"learning_rate":0.0003}}""",
    };

    public static ReportMachine Machine { get; } = new("A <fast> CPU", "Avx512", 8, 16, 8, "Linux", ".NET 10", "0.1.0");

    /// <summary>Only what every report must have.</summary>
    public static RunReport Least { get; } = new() { Title = "least", Story = "Nothing but the frame.", Run = Run, Machine = Machine };

    public static RunReport Full { get; } = new()
    {
        Title = $"title {Nasty}",
        Story = $"story {Nasty}",
        Run = Run,
        Machine = Machine,
        Scores = new ReportScores
        {
            Metrics = [new("accuracy"), new("f1"), new("perplexity", IsShare: false, HigherIsBetter: false)],
            PrimaryMetrics = ["accuracy", "f1"],
            Rows =
            [
                new("this student", ReportRole.Model, new Dictionary<string, double> { ["accuracy"] = 0.81, ["f1"] = 0.87, ["perplexity"] = 12.5 }, 0.84),
                new("teacher", ReportRole.Teacher, new Dictionary<string, double> { ["accuracy"] = 0.83, ["f1"] = 0.89 }, 0.86),
                new($"run {Nasty}", ReportRole.Baseline, new Dictionary<string, double> { ["accuracy"] = double.NaN, ["f1"] = 0.8 }, double.NaN),
            ],
            Retention = 0.84 / 0.86,
            Comparisons = [new("teacher", ReportRole.Teacher, new BootstrapInterval(-0.02, -0.05, 0.01, 0.95, 1000))],
            Agreement = new ReportAgreement(300, 10, 20, 78, 350),
            BaselineHint = "# train it\nlimbeck compress --no-teacher\n# again\nlimbeck compress --resume",
        },
        Models =
        [
            new("student", ReportRole.Model, 3, 312, 12, 1200, 30522, new ModelSize(9_680_000, 3_430_000, 98_000, 6_830_000, 3744), 52_840_000),
            new("teacher", ReportRole.Teacher, 6, 384, 12, 1536, 30522, new ModelSize(11_920_000, 10_650_000, 148_000, 21_230_000, 9216), 90_870_000),
        ],
        Timing = new ReportTiming([new(ReportRole.Model, 1.25, 2.5, 800), new(ReportRole.Teacher, 5, 9, 210)], 32, 128, 53.2),
        Curves =
        [
            new("intermediate", "loss", ReportCurveKind.Loss, [new(10, 5), new(20, double.NaN), new(30, 3), new(40, double.PositiveInfinity)]),
            new("intermediate", "hidden_loss", ReportCurveKind.Loss, [new(10, 1), new(20, 0.9)]),
            new("prediction", "loss", ReportCurveKind.Loss, [new(50, 0.5)]),
            new("prediction", "accuracy", ReportCurveKind.Evaluation, [new(50, 0.7), new(60, 0.7)]),
            new("prediction", "perplexity", ReportCurveKind.Evaluation, [new(50, 20), new(60, 12.5)]),
            new($"stage {Nasty}", "tokens_a_second", ReportCurveKind.Other, [new(0, double.NaN)]),
        ],
        Layers = new ReportLayers("MRPC dev", 29, 1499, [new(0, 0, 0.08, null), new(1, 2, 0.2, 0.3), new(2, 4, null, 0.4)]),
        Examples = new ReportExamples(
            ReportExampleKind.Disagreement, 30,
            [.. Enumerable.Range(0, 20).Select(i => new ReportExample(i + 2, $"{i} {Nasty}", i % 2 == 0 ? Nasty : null, Nasty, new(Nasty, 0.9, false), new("<b>", 0.8, true)))]),
        Predictions = new ReportPredictions("00ff", "c:01", "c:00", "c:01"),
        Notes = [$"note {Nasty}"],
    };
}
