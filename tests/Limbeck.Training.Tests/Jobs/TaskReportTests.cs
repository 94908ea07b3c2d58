using System.Text.Json;
using System.Xml;
using Limbeck.Training.Evaluation.Reporting;
using Limbeck.Training.Jobs;

namespace Limbeck.Training.Tests.Jobs;

public sealed class TaskReportTests
{
    [Fact]
    public void A_distillations_report_has_everything()
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        CompressJob.Run(job.Compress("alone") with { NoTeacher = true }, job.Context);
        TrainingReport student = CompressJob.Run(job.Compress("student") with { NoReportTiming = false, BaselineResults = job["alone"], LoggingSteps = 1 }, job.Context);
        using JsonDocument document = Json(job["student"]);
        JsonElement report = document.RootElement;
        JsonElement[] rows = [.. report.GetProperty("scores").GetProperty("rows").EnumerateArray()];
        Assert.Equal(["model", "teacher", "baseline", "majority"], rows.Select(row => row.GetProperty("role").GetString()));
        Assert.Equal("the same student without a teacher", rows[2].GetProperty("name").GetString());
        Assert.Equal(student.Metrics!["accuracy"], rows[0].GetProperty("metrics").GetProperty("accuracy").GetDouble());
        Assert.Equal(student.Metrics.Primary / student.Teacher!.Primary, report.GetProperty("scores").GetProperty("retention").GetDouble(), 1e-12);
        JsonElement[] comparisons = [.. report.GetProperty("scores").GetProperty("comparisons").EnumerateArray()];
        Assert.Equal(["teacher", "baseline", "majority"], comparisons.Select(one => one.GetProperty("role").GetString()));
        Assert.Equal(student.Metrics.Primary - student.Teacher.Primary, comparisons[0].GetProperty("difference").GetDouble(), 1e-12);
        Assert.False(report.GetProperty("scores").TryGetProperty("baseline_hint", out _));
        Assert.Equal(["model", "teacher"], report.GetProperty("models").EnumerateArray().Select(model => model.GetProperty("role").GetString()));
        Assert.Equal(new FileInfo(Path.Combine(job["student"], "model.safetensors")).Length, report.GetProperty("models")[0].GetProperty("bytes").GetInt64());
        Assert.Equal(2, report.GetProperty("timing").GetProperty("models").GetArrayLength());
        Assert.Equal(
            ["intermediate/loss", "intermediate/hidden_loss", "intermediate/attention_loss", "prediction/loss"],
            report.GetProperty("curves").EnumerateArray().Where(curve => curve.GetProperty("kind").GetString() == "loss").Select(curve => $"{curve.GetProperty("stage").GetString()}/{curve.GetProperty("name").GetString()}"));
        Assert.Equal(2, report.GetProperty("layers").GetProperty("pairs").GetArrayLength());
        Assert.Equal("disagreement", report.GetProperty("examples").GetProperty("kind").GetString());
        JsonElement agreement = report.GetProperty("scores").GetProperty("agreement");
        Assert.Equal(student.EvalRows - agreement.GetProperty("same_answer").GetInt32(), report.GetProperty("examples").GetProperty("total").GetInt32());
        Page(job["student"]);
    }

    [Fact]
    public void A_fine_tunings_report_compares_with_the_commonest_answer()
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        using JsonDocument document = Json(job["teacher"]);
        JsonElement report = document.RootElement;
        Assert.Equal(["model", "majority"], report.GetProperty("scores").GetProperty("rows").EnumerateArray().Select(row => row.GetProperty("role").GetString()));
        Assert.Equal("mistake", report.GetProperty("examples").GetProperty("kind").GetString());
        foreach (string none in (string[])["timing", "layers", "compression"])
        {
            Assert.False(report.TryGetProperty(none, out _), none);
        }

        Assert.Contains("report.html", job.Messages.ToString(), StringComparison.Ordinal);
        Page(job["teacher"]);
    }

    [Fact]
    public void The_command_in_the_report_repeats_the_run()
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        CompressSettings settings = job.Compress("a student");
        CompressJob.Run(settings, job.Context);
        using JsonDocument document = Json(job["a student"]);
        JsonElement run = document.RootElement.GetProperty("run");
        string command = run.GetProperty("command").GetString()!;
        Assert.StartsWith("limbeck compress --train-file ", command, StringComparison.Ordinal);
        Assert.Contains($"--output-dir \"{job["a student"]}\"", command, StringComparison.Ordinal);
        Assert.Contains("--no-report-timing", command, StringComparison.Ordinal);
        Assert.Contains("--intermediate-num-train-epochs 2 --intermediate-learning-rate 0.001", command, StringComparison.Ordinal);
        CompressSettings again = SettingsSchema.Read<CompressSettings>("recipe", run.GetProperty("recipe").GetRawText(), []);
        foreach (SettingInfo setting in SettingsSchema.Of(typeof(CompressSettings)).Settings.Where(setting => !setting.Name.Contains('.', StringComparison.Ordinal)))
        {
            Assert.Equal(setting.Get(settings), setting.Get(again));
        }

        string hint = document.RootElement.GetProperty("scores").GetProperty("baseline_hint").GetString()!;
        Assert.Contains($"--no-teacher --output-dir \"{job["a student"]}-alone\"", hint, StringComparison.Ordinal);
        Assert.Contains($"--baseline-results \"{job["a student"]}-alone\" --resume", hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("plain-1.5/x:y,z", "plain-1.5/x:y,z")]
    [InlineData("a b", "\"a b\"")]
    [InlineData("", "\"\"")]
    [InlineData("a\"b$c", "'a\"b$c'")]
    [InlineData("it's \"it\"", "'it'\\''s \"it\"'")]
    public void Words_are_quoted_as_shells_take_them(string word, string quoted) => Assert.Equal(quoted, CommandLine.Quoted(word));

    [Fact]
    public void A_finished_run_makes_its_report_again_with_a_baseline()
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        CompressJob.Run(job.Compress("student"), job.Context);
        CompressJob.Run(job.Compress("student-alone") with { NoTeacher = true }, job.Context);
        string weights = job.Weights("student");
        CompressJob.Run(job.Compress("student") with { BaselineResults = job["student-alone"], Resume = true }, job.Context);
        using JsonDocument document = Json(job["student"]);
        Assert.Contains(document.RootElement.GetProperty("scores").GetProperty("rows").EnumerateArray(), row => row.GetProperty("role").GetString() == "baseline");
        Assert.Equal(weights, job.Weights("student"));

        // What a resumed run's report repeats is the run, not its resumption.
        Assert.False(SettingsSchema.Read<CompressSettings>("recipe", document.RootElement.GetProperty("run").GetProperty("recipe").GetRawText(), []).Resume);
    }

    [Fact]
    public void A_report_that_cannot_be_written_loses_nothing_but_itself()
    {
        using TinyJob job = new();
        Directory.CreateDirectory(Path.Combine(job["teacher"], "report.html", "in the way"));
        TrainingReport report = FineTuneJob.Run(job.FineTune("teacher") with { Resume = true }, job.Context);
        Assert.NotNull(report.Metrics);
        Assert.Contains("warning: the report could not be made", job.Messages.ToString(), StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(job["teacher"], "results.json")));
        Assert.NotNull(EvaluateJob.Run(new EvaluateSettings { Model = job["teacher"], DataFile = job["dev.tsv"] }, job.Context).Metrics);
    }

    [Fact]
    public void Timing_changes_nothing_that_is_trained()
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("without"), job.Context);
        FineTuneJob.Run(job.FineTune("with") with { NoReportTiming = false }, job.Context);
        Assert.Equal(job.Weights("without"), job.Weights("with"));
        using JsonDocument document = Json(job["with"]);
        Assert.True(document.RootElement.GetProperty("timing").GetProperty("models")[0].GetProperty("texts_per_second").GetDouble() > 0);
    }

    [Fact]
    public void A_regression_and_a_run_without_rows_to_score_have_reports_too()
    {
        using TinyJob job = new(["0.5", "3.25"]);
        FineTuneJob.Run(job.FineTune("teacher"), job.Context);
        CompressJob.Run(job.Compress("student"), job.Context);
        using (JsonDocument document = Json(job["student"]))
        {
            Assert.Equal("largest_error", document.RootElement.GetProperty("examples").GetProperty("kind").GetString());
            Assert.StartsWith("r:", document.RootElement.GetProperty("predictions").GetProperty("teacher").GetString(), StringComparison.Ordinal);
        }

        Page(job["student"]);
        FineTuneJob.Run(job.FineTune("unscored") with { ValidationFile = null }, job.Context);
        using (JsonDocument document = Json(job["unscored"]))
        {
            Assert.False(document.RootElement.TryGetProperty("scores", out _));
        }

        Page(job["unscored"]);
    }

    [Fact]
    public void Runs_that_cannot_be_compared_with_are_refused_before_any_work()
    {
        using TinyJob job = new();
        FineTuneJob.Run(job.FineTune("other") with { MaxEvalSamples = 10 }, job.Context);
        foreach ((string place, string part) in ((string, string)[])[(job["other"], "10 rows, this run on 40"), (job["nowhere"], "no such file"), (job["start"], "no results.json in it"), (Path.Combine(job["start"], "config.json"), "not the results of a run")])
        {
            UsageException refused = Assert.Throws<UsageException>(() => FineTuneJob.Run(job.FineTune("model") with { BaselineResults = place }, job.Context));
            Assert.Contains(part, refused.Message, StringComparison.Ordinal);
            Assert.False(Directory.Exists(job["model"]));
        }

        Assert.Contains(
            "scores nothing",
            Assert.Throws<UsageException>(() => FineTuneJob.Run(job.FineTune("model") with { BaselineResults = job["other"], ValidationFile = null }, job.Context)).Message,
            StringComparison.Ordinal);
    }

    private static JsonDocument Json(string folder) => JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, ReportFiles.Json)));

    private static void Page(string folder)
    {
        using XmlReader reader = XmlReader.Create(Path.Combine(folder, ReportFiles.Page), new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore, XmlResolver = null });
        while (reader.Read())
        {
        }
    }
}
