namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>Whose score, size or speed a figure of a report is.</summary>
public enum ReportRole
{
    /// <summary>The model that the run made.</summary>
    Model,

    /// <summary>The model that it learned from.</summary>
    Teacher,

    /// <summary>Another run to compare with, such as the same student without a teacher.</summary>
    Baseline,

    /// <summary>The answer that needs no model: always the commonest label.</summary>
    Majority,
}
