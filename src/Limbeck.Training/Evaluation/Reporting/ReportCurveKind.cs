namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>What a curve tells.</summary>
public enum ReportCurveKind
{
    /// <summary>A training loss: all losses of a stage share one chart.</summary>
    Loss,

    /// <summary>A score on held-out rows: all of a stage share one chart.</summary>
    Evaluation,

    /// <summary>Something else that was logged while training: a chart of its own.</summary>
    Other,
}
