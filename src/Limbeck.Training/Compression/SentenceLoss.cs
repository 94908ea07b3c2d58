namespace Limbeck.Training.Compression;

/// <summary>How far a student's sentence vector, projected to the teacher's width, is from the teacher's.</summary>
public enum SentenceLoss
{
    /// <summary>Sentence vectors are not learned.</summary>
    None,

    /// <summary>1 - cosine.</summary>
    Cosine,

    /// <summary>Mean squared error.</summary>
    MeanSquaredError,
}
