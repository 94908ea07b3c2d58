namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>Everything that the report of a run says: plain values, from which <see cref="ReportJson"/> and <see cref="ReportPage"/> are made. What is null or empty is left out of both.</summary>
public sealed record RunReport
{
    /// <summary>One line that names the model and its task.</summary>
    public required string Title { get; init; }

    /// <summary>What was done, in one or two sentences.</summary>
    public required string Story { get; init; }

    /// <summary>What was run, with what, and how to repeat it.</summary>
    public required ReportRun Run { get; init; }

    /// <summary>Where it ran.</summary>
    public required ReportMachine Machine { get; init; }

    /// <summary>The scores; null when nothing was scored.</summary>
    public ReportScores? Scores { get; init; }

    /// <summary>What the page says where nothing was scored.</summary>
    public string NothingScored { get; init; } = "Nothing was scored: there were no labelled rows beside those to train on. Give --validation-file or --validation-split.";

    /// <summary>This model, and after it its teacher when there is one.</summary>
    public IReadOnlyList<ReportModel> Models { get; init; } = [];

    /// <summary>Latency and throughput; null when they were not measured.</summary>
    public ReportTiming? Timing { get; init; }

    /// <summary>Losses and evaluations over the updates.</summary>
    public IReadOnlyList<ReportCurve> Curves { get; init; } = [];

    /// <summary>How far the layers are from the teacher's; null when there is no teacher or no rows to compare on.</summary>
    public ReportLayers? Layers { get; init; }

    /// <summary>Rows worth looking at; null when nothing was scored.</summary>
    public ReportExamples? Examples { get; init; }

    /// <summary>The rows' labels and answers, from which a later run computes intervals; null when they are not kept.</summary>
    public ReportPredictions? Predictions { get; init; }

    /// <summary>What the reader should know before trusting the numbers.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>The first model of a role, or null.</summary>
    /// <param name="role">The role.</param>
    public ReportModel? ModelOf(ReportRole role) => Models.FirstOrDefault(model => model.Role == role);
}
