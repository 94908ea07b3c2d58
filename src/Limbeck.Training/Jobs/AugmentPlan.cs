namespace Limbeck.Training.Jobs;

/// <summary>What an augmentation is going to give, about.</summary>
/// <param name="Rows">Rows of the data.</param>
/// <param name="AugmentedRows">Rows of the file, those of the data among them.</param>
internal sealed record AugmentPlan(long Rows, long AugmentedRows);
