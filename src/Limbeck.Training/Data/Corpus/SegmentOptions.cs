namespace Limbeck.Training.Data.Corpus;

/// <summary>How sentences become training sequences.</summary>
/// <param name="Kind">What a sequence is made of.</param>
/// <param name="MaxSequenceLength">Most tokens of a sequence, special ones counted.</param>
/// <param name="ShortSequenceProbability">The share of documents whose sequences aim at a random shorter length; not for lines.</param>
public sealed record SegmentOptions(SegmentKind Kind = SegmentKind.Pairs, int MaxSequenceLength = 128, double ShortSequenceProbability = 0.1)
{
    /// <summary>The shortest length that makes sense.</summary>
    public const int LeastLength = 8;

    /// <summary>Most tokens of a sequence without the special ones.</summary>
    public int Capacity => MaxSequenceLength - (Kind == SegmentKind.Pairs ? 3 : 2);
}
