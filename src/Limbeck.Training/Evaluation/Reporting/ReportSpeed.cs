namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>One model's speed.</summary>
/// <param name="Role">Whose.</param>
/// <param name="LatencyMilliseconds">Median time of one text alone.</param>
/// <param name="SlowMilliseconds">The time that nine of ten single texts keep below.</param>
/// <param name="TextsPerSecond">Median over rounds of texts together.</param>
public sealed record ReportSpeed(ReportRole Role, double LatencyMilliseconds, double SlowMilliseconds, double TextsPerSecond);
