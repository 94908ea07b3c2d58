using System.Text.Json;
using Limbeck.Training.Evaluation;
using Limbeck.Training.Evaluation.Reporting;

namespace Limbeck.Training.Jobs;

/// <summary>Makes the report of a run that trained a model, after the model is written.</summary>
/// <typeparam name="TSettings">The job's settings.</typeparam>
internal abstract record JobReport<TSettings>
    where TSettings : TrainingSettings
{
    /// <summary>The tool's verb that runs such a job.</summary>
    public required string Verb { get; init; }

    /// <summary>The settings.</summary>
    public required TSettings Settings { get; init; }

    /// <summary>What results.json says.</summary>
    public required TrainingReport Results { get; init; }

    /// <summary>What was done, in one or two sentences.</summary>
    public required string Story { get; init; }

    /// <summary>One line that names the model and its task.</summary>
    public required string Title { get; init; }

    /// <summary>The model that training started from, or the student's shape.</summary>
    public required string StartModel { get; init; }

    /// <summary>Makes and writes the report. The model is written already, so whatever goes wrong here is only told.</summary>
    /// <param name="context">What the job runs with.</param>
    public void Write(JobContext context)
    {
        try
        {
            ReportFiles.Write(Results.OutputDir, Make(context));
            context.Messages.WriteLine($"report: {Path.Combine(Results.OutputDir, ReportFiles.Page)}");
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            context.Messages.WriteLine($"warning: the report could not be made ({e.GetType().Name}: {e.Message}); model and results are complete without it. Run the same command with --resume to make it again");
        }
    }

    /// <summary>Measures and compares.</summary>
    /// <param name="context">What the job runs with.</param>
    protected abstract RunReport Make(JobContext context);

    /// <summary>What was run, with what, and how to repeat it.</summary>
    /// <param name="trainData">Name of the data trained on.</param>
    /// <param name="teacher">The teacher's folder, or null.</param>
    protected ReportRun Run(string trainData, string? teacher) => new()
    {
        Method = Results.Method,
        Date = DateTimeOffset.UtcNow,
        OutputDir = Results.OutputDir,
        Task = Results.Task,
        TrainData = trainData,
        TrainRows = Results.TrainRows,
        EvalData = Results.EvalData,
        EvalRows = Results.EvalRows,
        StartModel = StartModel,
        TeacherModel = teacher,
        Seed = Settings.Seed,
        Steps = Results.Steps,
        Tokens = Results.Tokens,
        Seconds = Results.Seconds,
        Parts = Results.Parts,
        PeakActivationBytes = Results.PeakActivationBytes,
        MaxSeqLength = Results.MaxSeqLength,
        Command = CommandLine.Of(Verb, Settings),
        Recipe = Recipe(),
    };

    /// <summary>The loss and score curves that the run logged.</summary>
    protected IReadOnlyList<ReportCurve> Curves() => CurveReader.Read(Path.Combine(Results.OutputDir, "metrics.jsonl"));

    private string Recipe()
    {
        return JsonText.OfObject(
            json =>
            {
                json.WriteString("job", Verb);
                SettingsSchema.Write(Settings with { Resume = false, ResumeFromCheckpoint = null, OverwriteOutputDir = false }, json);
            });
    }
}
