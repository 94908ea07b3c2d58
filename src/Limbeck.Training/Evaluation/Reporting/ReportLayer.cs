namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>A layer against the teacher's layer that it is paired with.</summary>
/// <param name="Student">0 for the embedding block, then 1 to L.</param>
/// <param name="Teacher">The teacher's, counted alike.</param>
/// <param name="HiddenDistance">1 - CKA of the two layers' outputs: 0 for the same up to rotation and scale, about 1 for unrelated; null where it is not defined.</param>
/// <param name="AttentionDivergence">Mean Kullback-Leibler divergence of the attention rows from the teacher's, in nats; null for the embedding block and where the numbers of heads differ.</param>
public sealed record ReportLayer(int Student, int Teacher, double? HiddenDistance, double? AttentionDivergence);
