namespace Limbeck.Training.Data.Augmentation;

/// <summary>A sentence as augmentation sees it.</summary>
/// <param name="Text">The sentence as it stands in the file.</param>
/// <param name="Words">Its words (see <see cref="Tokenization.BertTokenizer.Words"/>).</param>
/// <param name="Candidates">[words] what each may be replaced by, best first; null for a word that stays. A word that nothing is like has itself.</param>
public sealed record AugmentedSentence(string Text, IReadOnlyList<string> Words, IReadOnlyList<string>?[] Candidates);
