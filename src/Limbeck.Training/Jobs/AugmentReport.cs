namespace Limbeck.Training.Jobs;

/// <summary>What came of an augmentation.</summary>
/// <param name="File">The file that was written.</param>
/// <param name="Task">GLUE's name of the task, or custom.</param>
/// <param name="Rows">Rows of the data.</param>
/// <param name="AugmentedRows">Rows of the file, those of the data among them.</param>
/// <param name="MaskedWords">Words that the model was asked about in this run.</param>
/// <param name="LookedUpWords">Words that were looked up among word vectors in this run.</param>
/// <param name="WordsWithoutCandidates">Words of either kind for which nothing was found in this run.</param>
/// <param name="Tokens">Tokens that went through the model in this run.</param>
/// <param name="Seconds">Time of this run.</param>
public sealed record AugmentReport(
    string File, string Task, int Rows, long AugmentedRows, long MaskedWords, long LookedUpWords, long WordsWithoutCandidates, long Tokens, double Seconds);
