namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>An answer to a row.</summary>
/// <param name="Label">The label, or a regression's number.</param>
/// <param name="Score">The label's probability, or the number.</param>
/// <param name="Right">Whether it is the right label; null for a regression.</param>
public sealed record ReportAnswer(string Label, double Score, bool? Right);
