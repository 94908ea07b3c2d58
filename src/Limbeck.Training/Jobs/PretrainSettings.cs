namespace Limbeck.Training.Jobs;

/// <summary>The settings of <c>limbeck pretrain</c>: masked language modelling on a raw corpus.</summary>
/// <remarks>15 % of the tokens are to be predicted, as in BERT (arXiv:1810.04805); names are those of transformers' run_mlm.</remarks>
public sealed record PretrainSettings : TrainingSettings
{
    /// <summary>The default of <see cref="MaxSeqLength"/>.</summary>
    public const int DefaultLength = 128;

    /// <summary>The default of <see cref="StageSettings.NumTrainEpochs"/>.</summary>
    public const int DefaultEpochs = 1;

    /// <summary>The default of <see cref="ValidationSplit"/> when there is no <see cref="ValidationFile"/>.</summary>
    public const double DefaultSplit = 0.01;

    /// <summary>The model to start from.</summary>
    [Setting("The model to start from: a Hugging Face directory, with or without a masked-language-model head.", Alias = "model")]
    public string? ModelNameOrPath { get; init; }

    /// <summary>The corpus.</summary>
    [Setting("Raw text to learn from, UTF-8 or .gz, a sentence or paragraph a line, blank lines between documents. A file, a folder of .txt and .txt.gz files, or several with commas between.")]
    public string? TrainFile { get; init; }

    /// <summary>Text to score the model on.</summary>
    [Setting("Text to score the model on, of the same kind.")]
    public string? ValidationFile { get; init; }

    /// <summary>The share of the corpus to score instead.</summary>
    [Setting("Share of the corpus to hold back and score on: documents, or sentences where there are few documents; 0 for none. By default 0.01, unless --validation-file is given.")]
    public double? ValidationSplit { get; init; }

    /// <summary>Seed of the held-out part and of its masks.</summary>
    [Setting("Seed of the held-out part and of its masks, apart from --seed: later runs on the same corpus then hold back the same, and their scores can be compared.")]
    public ulong ValidationSeed { get; init; } = 42;

    /// <summary>Train only a new head.</summary>
    [Setting("Train the head only: the encoder and the word table, which the head's decoder shares, stay as they are.")]
    public bool FreezeEncoder { get; init; }

    /// <summary>Share of tokens to predict.</summary>
    [Setting("Share of the tokens to predict.")]
    public double MlmProbability { get; init; } = 0.15;

    /// <summary>Choose all pieces of a word together.</summary>
    [Setting("Choose all pieces of a word together.")]
    public bool WholeWordMask { get; init; }

    /// <summary>One line a sequence.</summary>
    [Setting("One line a sequence; otherwise as many lines of a document as fit.")]
    public bool LineByLine { get; init; }

    /// <summary>Longest sequence.</summary>
    [Setting("Longest sequence in tokens, special ones included; by default 128, or what the model reads if that is less.")]
    public int? MaxSeqLength { get; init; }

    /// <summary>Train on fewer sequences.</summary>
    [Setting("Use only so many sequences to train on, evenly spaced; 0 for all.")]
    public int MaxTrainSamples { get; init; }

    /// <summary>Score fewer sequences.</summary>
    [Setting("Use only so many held-out sequences to score on, evenly spaced; 0 for all.")]
    public int MaxEvalSamples { get; init; } = 500;

    /// <summary>Where corpora are kept as tokens.</summary>
    [Setting("Where the corpus is kept as tokens; by default $XDG_CACHE_HOME/limbeck or the platform's.")]
    public string? CacheDir { get; init; }

    /// <summary>How it trains.</summary>
    [Setting("", Inline = true)]
    public StageSettings Training { get; init; } = new() { LearningRate = 1e-4, DecayAll = false };

    /// <inheritdoc/>
    internal override IEnumerable<string?> ModelFolders => [ModelNameOrPath];

    /// <inheritdoc/>
    public override void Check(List<string> faults, bool complete)
    {
        base.Check(faults, complete);
        void Need(bool good, string name, object? got, string needed)
        {
            if (!good)
            {
                faults.Add($"{SettingInfo.ToFlag(name)} is {got}; needed {needed}");
            }
        }

        Training.CheckStage(string.Empty, faults);
        Need(ValidationSplit is null or (>= 0 and < 1), "validation_split", ValidationSplit, "0 or more and less than 1");
        Need(MlmProbability is > 0 and <= 1, "mlm_probability", MlmProbability, "more than 0 and at most 1");
        Need(MaxSeqLength is null or >= 3, "max_seq_length", MaxSeqLength, "3 or more");
        Need(MaxTrainSamples >= 0, "max_train_samples", MaxTrainSamples, "0 or more");
        Need(MaxEvalSamples >= 0, "max_eval_samples", MaxEvalSamples, "0 or more");
        Need(MetricForBestModel is null or "accuracy", "metric_for_best_model", MetricForBestModel, "accuracy: that of masked tokens");
        if (ValidationFile is not null && ValidationSplit > 0)
        {
            faults.Add("--validation-file and --validation-split are both given; give one");
        }

        if ((LoadBestModelAtEnd || EarlyStoppingPatience > 0) && ValidationFile is null && ValidationSplit == 0)
        {
            faults.Add("--load-best-model-at-end and --early-stopping-patience need text to score: give --validation-file or --validation-split");
        }

        if (complete && ModelNameOrPath is null)
        {
            faults.Add("--model is missing: which model shall learn?");
        }

        if (complete && TrainFile is null)
        {
            faults.Add("--train-file is missing: which text shall it learn from?");
        }
    }
}
