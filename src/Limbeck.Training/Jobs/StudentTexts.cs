using Limbeck.Tensors;

namespace Limbeck.Training.Jobs;

/// <summary>What a student will read, as far as its first weights depend on it.</summary>
/// <param name="Counts">How often the texts have each of the teacher's wordpieces.</param>
/// <param name="Sample">Texts of about so many tokens, in the teacher's ids, chosen by the seed.</param>
/// <param name="OnlyShape">Whether only the student's shape is wanted: whether it could start so is checked, but its weights are not made of the texts.</param>
internal sealed record StudentTexts(Func<long[]> Counts, Func<int, PackedBatch> Sample, bool OnlyShape = false);
