namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>How far a model's layers are from the teacher's, on the same tokens.</summary>
/// <param name="Data">Name of the rows.</param>
/// <param name="Rows">Rows compared on.</param>
/// <param name="Tokens">Their tokens.</param>
/// <param name="Pairs">By the layer map, first to last.</param>
public sealed record ReportLayers(string Data, int Rows, int Tokens, IReadOnlyList<ReportLayer> Pairs);
