using System.Collections.Frozen;

namespace Limbeck.Training.Data.Augmentation;

/// <summary>English words that carry grammar rather than meaning, which augmentation leaves alone: those of NLTK's list.</summary>
/// <remarks>NLTK's contractions with an apostrophe are not here: an apostrophe is a word of its own to the tokenizer, so they never meet one.</remarks>
internal static class StopWords
{
    private static readonly FrozenSet<string> All = string.Join(
        ' ',
        // Pronouns.
        "i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it its itself they them their theirs themselves",
        "what which who whom this that these those",
        // Verbs that help others.
        "am is are was were be been being have has had having do does did doing can will should",
        // Articles, conjunctions, prepositions.
        "a an the and but if or because as until while of at by for with about against between into through during before after above below to from up down in out on off over under",
        // Adverbs and quantities.
        "again further then once here there when where why how all any both each few more most other some such no nor not only own same so than too very just now",
        // What contractions are cut into.
        "s t d ll m o re ve y ain aren couldn didn doesn don hadn hasn haven isn ma mightn mustn needn shan shouldn wasn weren won wouldn")
        .Split(' ').ToFrozenSet(StringComparer.Ordinal);

    /// <summary>Whether a word is one of them.</summary>
    /// <param name="word">In lower case.</param>
    public static bool Contains(string word) => All.Contains(word);
}
