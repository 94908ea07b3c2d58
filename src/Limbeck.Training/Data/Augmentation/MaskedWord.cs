using Limbeck.Inference;

namespace Limbeck.Training.Data.Augmentation;

/// <summary>One question to the masked language model.</summary>
/// <param name="Sentence">Whose candidates the answer completes.</param>
/// <param name="Word">Which word of it is masked.</param>
/// <param name="Input">What the model reads.</param>
public sealed record MaskedWord(AugmentedSentence Sentence, int Word, MaskedSequence Input);
