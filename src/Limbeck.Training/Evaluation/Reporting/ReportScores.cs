namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>A run's scores beside those it must be compared with.</summary>
public sealed record ReportScores
{
    /// <summary>The columns.</summary>
    public required IReadOnlyList<ReportMetric> Metrics { get; init; }

    /// <summary>The names of the metrics whose mean is the task's one figure.</summary>
    public required IReadOnlyList<string> PrimaryMetrics { get; init; }

    /// <summary>The rows: this model first.</summary>
    public required IReadOnlyList<ReportScore> Rows { get; init; }

    /// <summary>This model's figure as a share of the teacher's; null without a teacher, or where the teacher's is not above 0.</summary>
    public double? Retention { get; init; }

    /// <summary>This model against others on the same rows, with intervals.</summary>
    public IReadOnlyList<ReportComparison> Comparisons { get; init; } = [];

    /// <summary>Who is right how often; null without a teacher, and for a regression.</summary>
    public ReportAgreement? Agreement { get; init; }

    /// <summary>How to learn what the same student scores without a teacher; null when that is known or does not apply.</summary>
    public string? BaselineHint { get; init; }

    /// <summary>The row of a role, or null.</summary>
    /// <param name="role">The role.</param>
    public ReportScore? RowOf(ReportRole role) => Rows.FirstOrDefault(row => row.Role == role);
}
