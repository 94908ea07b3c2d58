namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>A row with the answers to it.</summary>
/// <param name="Line">Its line in the file, from 1.</param>
/// <param name="Text">The text, shortened.</param>
/// <param name="Pair">The second text, shortened, or null.</param>
/// <param name="Gold">The right answer.</param>
/// <param name="Model">This model's answer.</param>
/// <param name="Teacher">The teacher's answer; null without a teacher.</param>
public sealed record ReportExample(int Line, string Text, string? Pair, string Gold, ReportAnswer Model, ReportAnswer? Teacher);
