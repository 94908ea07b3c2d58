namespace Limbeck.Training.Jobs;

/// <summary>The settings of <c>limbeck finetune</c>.</summary>
/// <remarks>
/// The defaults are BERT's usual ones as transformers applies them: AdamW with decay 0.01 on all parameters and eps 1e-8, the gradient clipped to norm 1,
/// linear decay after 10 % warm-up, learning rate 5e-5, batch 32, 3 epochs, length 128.
/// </remarks>
public sealed record FineTuneSettings : TaskSettings
{
    /// <summary>The default of <see cref="TaskSettings.MaxSeqLength"/>.</summary>
    public const int DefaultLength = 128;

    /// <summary>The default of <see cref="StageSettings.NumTrainEpochs"/>.</summary>
    public const int DefaultEpochs = 3;

    /// <summary>The model to start from.</summary>
    [Setting("The model to start from: a Hugging Face directory.", Alias = "model")]
    public string? ModelNameOrPath { get; init; }

    /// <summary>How it trains.</summary>
    [Setting("", Inline = true)]
    public StageSettings Training { get; init; } = new();

    /// <inheritdoc/>
    internal override IEnumerable<string?> ModelFolders => [ModelNameOrPath];

    /// <inheritdoc/>
    public override void Check(List<string> faults, bool complete)
    {
        base.Check(faults, complete);
        Training.CheckStage(string.Empty, faults);
        if (complete && ModelNameOrPath is null)
        {
            faults.Add("--model is missing: which model shall be fine-tuned?");
        }
    }
}
