namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>Who answers how many rows rightly.</summary>
/// <param name="BothRight">Model and teacher.</param>
/// <param name="OnlyModel">The model alone.</param>
/// <param name="OnlyTeacher">The teacher alone.</param>
/// <param name="BothWrong">Neither.</param>
/// <param name="Same">Rows with the same answer of both, right or wrong.</param>
public sealed record ReportAgreement(int BothRight, int OnlyModel, int OnlyTeacher, int BothWrong, int Same)
{
    /// <summary>All rows.</summary>
    public int Rows => BothRight + OnlyModel + OnlyTeacher + BothWrong;
}
