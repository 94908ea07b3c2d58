namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>Rows worth looking at.</summary>
/// <param name="Kind">Why these.</param>
/// <param name="Total">Rows of the kind, shown or not; all rows for the largest errors of a regression.</param>
/// <param name="Rows">The first of them, the clearest first.</param>
public sealed record ReportExamples(ReportExampleKind Kind, int Total, IReadOnlyList<ReportExample> Rows);
