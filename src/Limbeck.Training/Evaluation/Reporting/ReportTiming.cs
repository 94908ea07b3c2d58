namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>How fast models answered on the machine of the run, tokenizing included.</summary>
/// <param name="Models">One entry a model, in the order of <see cref="RunReport.Models"/>.</param>
/// <param name="LatencyTexts">Different texts that were asked one by one.</param>
/// <param name="ThroughputTexts">Texts that were asked together.</param>
/// <param name="MeanTokens">Mean tokens of a text, as the model's own tokenizer cuts it.</param>
public sealed record ReportTiming(IReadOnlyList<ReportSpeed> Models, int LatencyTexts, int ThroughputTexts, double MeanTokens)
{
    /// <summary>The entry of a role, or null.</summary>
    /// <param name="role">The role.</param>
    public ReportSpeed? Of(ReportRole role) => Models.FirstOrDefault(model => model.Role == role);
}
