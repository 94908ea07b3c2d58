namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>One quantity over the updates of one stage.</summary>
/// <param name="Stage">The stage's name.</param>
/// <param name="Name">The quantity, as the log names it, without its eval_ prefix.</param>
/// <param name="Kind">What it tells.</param>
/// <param name="Points">By update; few enough to draw. A value may be NaN or infinite.</param>
public sealed record ReportCurve(string Stage, string Name, ReportCurveKind Kind, IReadOnlyList<ReportPoint> Points);
