namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>A row of a table of scores.</summary>
/// <param name="Name">Whose, in the reader's words.</param>
/// <param name="Role">Whose.</param>
/// <param name="Values">By the name of the metric; one that is missing is shown as unknown.</param>
/// <param name="Primary">The task's one figure; null where it is not known.</param>
public sealed record ReportScore(string Name, ReportRole Role, IReadOnlyDictionary<string, double> Values, double? Primary);
