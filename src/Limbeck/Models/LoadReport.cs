namespace Limbeck.Models;

/// <summary>What became of a checkpoint's tensors when a model was loaded from it.</summary>
/// <param name="New">Tensors the checkpoint lacks, which started at random.</param>
/// <param name="Unused">Tensors of the checkpoint that the model has no place for.</param>
public sealed record LoadReport(IReadOnlyList<string> New, IReadOnlyList<string> Unused);
