namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>A column of a table of scores.</summary>
/// <param name="Name">Its key, such as accuracy.</param>
/// <param name="IsShare">Whether it is a share of 1, shown in hundredths; else it is shown as it is (a perplexity, a loss).</param>
/// <param name="HigherIsBetter">Which way is better.</param>
public sealed record ReportMetric(string Name, bool IsShare = true, bool HigherIsBetter = true);
