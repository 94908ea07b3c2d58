namespace Limbeck.Training.Data;

/// <summary>One row of a data set.</summary>
/// <param name="Text">The text, or the first of a pair, exactly as in the file.</param>
/// <param name="Pair">The second text of a pair; null for a single text.</param>
/// <param name="Label">Index into the task's labels; -1 for a row without a label and for regression.</param>
/// <param name="Score">The number to predict; NaN for a row without one and for classification.</param>
/// <param name="Line">The line of the file on which the row starts, counted from 1.</param>
public sealed record TextExample(string Text, string? Pair, int Label, double Score, int Line);
