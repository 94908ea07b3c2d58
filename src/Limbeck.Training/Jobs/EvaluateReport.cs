using Limbeck.Training.Metrics;

namespace Limbeck.Training.Jobs;

/// <summary>A model's score on a file.</summary>
/// <param name="Model">The model's folder.</param>
/// <param name="Task">GLUE's name of the task, or custom.</param>
/// <param name="File">The labelled file, or the folder's split.</param>
/// <param name="Rows">Rows scored.</param>
/// <param name="Metrics">The score.</param>
/// <param name="Majority">The score of always giving the file's commonest label.</param>
/// <param name="Truncated">Rows that were cut.</param>
public sealed record EvaluateReport(string Model, string Task, string File, int Rows, MetricSet Metrics, MetricSet Majority, int Truncated);
