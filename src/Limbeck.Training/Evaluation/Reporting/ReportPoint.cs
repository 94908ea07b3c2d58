namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>A point of a curve.</summary>
/// <param name="Step">Updates made.</param>
/// <param name="Value">The value; may be NaN or infinite.</param>
public readonly record struct ReportPoint(long Step, double Value);
