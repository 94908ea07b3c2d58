namespace Limbeck.Training.Data.Corpus;

/// <summary>A line of a corpus that has text.</summary>
/// <param name="Text">The line without its end.</param>
/// <param name="File">Which of the corpus's files, from 0.</param>
/// <param name="Line">Its number in that file, from 1.</param>
/// <param name="StartsDocument">Whether it is the first of its file or a blank line came before it.</param>
/// <param name="Position">Bytes of all files, as they lie on the disk, that had been read when it was; for progress.</param>
public readonly record struct CorpusLine(string Text, int File, int Line, bool StartsDocument, long Position);
