namespace Limbeck.Training.Data.Corpus;

/// <summary>What a training sequence is made of.</summary>
public enum SegmentKind
{
    /// <summary>[CLS] A [SEP] B [SEP]: sentences of one document packed up to the length and parted at random; half of the time B comes from another document.</summary>
    Pairs,

    /// <summary>[CLS] A [SEP]: sentences of one document packed up to the length.</summary>
    Single,

    /// <summary>[CLS] A [SEP]: each line by itself.</summary>
    Lines,
}
