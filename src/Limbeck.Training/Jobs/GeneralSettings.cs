namespace Limbeck.Training.Jobs;

/// <summary>How the general stage trains.</summary>
public sealed record GeneralSettings : StageSettings
{
    /// <summary>The general stage's longest sequence when other stages, with a length of their own, follow.</summary>
    [Setting("Longest sequence of the general stage in tokens, special ones included; by default 128, or what the teacher reads if that is less.")]
    public int? MaxSeqLength { get; init; }
}
