namespace Limbeck.Training.Data.Corpus;

/// <summary>A training sequence as places in a <see cref="TokenStore"/>: a segment is a run of tokens.</summary>
/// <param name="First">First token of A.</param>
/// <param name="FirstLength">Tokens of A; at least one.</param>
/// <param name="Second">First token of B.</param>
/// <param name="SecondLength">Tokens of B; 0 where there is no B.</param>
/// <param name="IsRandomNext">Whether B comes from another document.</param>
public readonly record struct CorpusExample(long First, int FirstLength, long Second, int SecondLength, bool IsRandomNext)
{
    /// <summary>Tokens of the sequence, special ones counted.</summary>
    public int Length => FirstLength + SecondLength + (SecondLength > 0 ? 3 : 2);
}
