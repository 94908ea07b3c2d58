namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>Why rows are shown.</summary>
public enum ReportExampleKind
{
    /// <summary>Model and teacher give other answers.</summary>
    Disagreement,

    /// <summary>The model is wrong; there is no teacher.</summary>
    Mistake,

    /// <summary>The predicted number is farthest from the right one.</summary>
    LargestError,
}
