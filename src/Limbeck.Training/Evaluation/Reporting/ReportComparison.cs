using Limbeck.Training.Metrics;

namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>This model's figure against another's on the same rows.</summary>
/// <param name="Against">The other, as its row is named.</param>
/// <param name="Role">The other's role.</param>
/// <param name="Interval">This model's figure minus the other's, with its interval over the choice of rows.</param>
public sealed record ReportComparison(string Against, ReportRole Role, BootstrapInterval Interval);
