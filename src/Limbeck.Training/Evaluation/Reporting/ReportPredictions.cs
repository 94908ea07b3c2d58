namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>The scored rows' answers as <see cref="CompactValues"/>, for later comparisons on the same rows.</summary>
/// <param name="DataSha256">Hash of the rows: answers to other rows cannot be compared.</param>
/// <param name="Gold">The right answers.</param>
/// <param name="Model">This model's.</param>
/// <param name="Teacher">The teacher's, or null.</param>
public sealed record ReportPredictions(string DataSha256, string Gold, string Model, string? Teacher);
