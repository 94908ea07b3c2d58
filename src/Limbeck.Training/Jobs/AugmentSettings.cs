using Limbeck.Training.Data;

namespace Limbeck.Training.Jobs;

/// <summary>The settings of <c>limbeck augment</c>: TinyBERT's data augmentation.</summary>
public sealed record AugmentSettings : AugmentationSettings, ISettings
{
    /// <summary>Settings with the defaults.</summary>
    public AugmentSettings()
    {
    }

    /// <summary>Settings that vary texts as others do.</summary>
    /// <param name="how">How texts are varied.</param>
    public AugmentSettings(AugmentationSettings how)
        : base(how)
    {
    }

    /// <summary>The masked language model.</summary>
    [Setting("A masked language model: a Hugging Face directory with the head it was pretrained with (BertForMaskedLM).", Alias = "model_name_or_path")]
    public string? Model { get; init; }

    /// <summary>One of GLUE's tasks.</summary>
    [Setting("A GLUE task, such as CoLA or sst2; none for data of your own.", Alias = "task_name")]
    public string? Task { get; init; }

    /// <summary>GLUE's folder, or the task's.</summary>
    [Setting("GLUE's folder (with CoLA/train.tsv and so on), or the task's own.", Alias = "glue_dir")]
    public string? DataDir { get; init; }

    /// <summary>The rows to augment.</summary>
    [Setting("File to augment: TSV, CSV or JSONL with sentence1 (or sentence, text), sentence2, label; or GLUE's columns with --task.")]
    public string? TrainFile { get; init; }

    /// <summary>Column of the text.</summary>
    [Setting("Column of the text.")]
    public string? TextColumn { get; init; }

    /// <summary>Column of the second text.</summary>
    [Setting("Column of the second text.")]
    public string? PairColumn { get; init; }

    /// <summary>Column of the label.</summary>
    [Setting("Column of the label or score, which variants keep.")]
    public string? LabelColumn { get; init; }

    /// <summary>Augment the first rows only.</summary>
    [Setting("Augment only the first so many rows; 0 for all.")]
    public int MaxTrainSamples { get; init; }

    /// <summary>The file to write.</summary>
    [Setting("File to write; by default beside the rows: train_aug.tsv for train.tsv, reviews_aug.csv for reviews.csv.")]
    public string? OutputFile { get; init; }

    /// <summary>The folder to write to.</summary>
    [Setting("Folder to write to, under the default name.")]
    public string? OutputDir { get; init; }

    /// <summary>Start anew.</summary>
    [Setting("Start anew although the file is there.", Alias = "overwrite_output_dir")]
    public bool Overwrite { get; init; }

    /// <summary>Go on with an interrupted run.</summary>
    [Setting("Go on with an interrupted run; the file ends up the same as if it had never stopped.")]
    public bool Resume { get; init; }

    /// <summary>Longest input of the model.</summary>
    [Setting("Longest input of the model in tokens; words behind it stay. By default as long as the model reads.")]
    public int? MaxSeqLength { get; init; }

    /// <summary>Seed of the draws.</summary>
    [Setting("Seed of the draws.")]
    public ulong Seed { get; init; } = 42;

    /// <summary>What dense layers multiply in.</summary>
    [Setting("What the model's dense layers multiply in; bf16 is faster, and some candidates differ. auto: bf16 where the CPU has AVX512_BF16, else fp32.", Choices = PrecisionChoice.Choices)]
    public string Precision { get; init; } = "fp32";

    /// <summary>Columns of the user's tables.</summary>
    internal TableOptions Table => new() { TextColumn = TextColumn, PairColumn = PairColumn, LabelColumn = LabelColumn };

    /// <summary>The file of augmented rows that lies beside a file of rows: train_aug.tsv for train.tsv.</summary>
    /// <param name="rows">The rows' file; a final .gz goes.</param>
    internal static string Beside(string rows)
    {
        string plain = rows.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? rows[..^3] : rows;
        return Path.Combine(Path.GetDirectoryName(plain) ?? string.Empty, Path.GetFileNameWithoutExtension(plain) + "_aug" + Path.GetExtension(plain));
    }

    /// <inheritdoc/>
    public void Check(List<string> faults, bool complete)
    {
        ArgumentNullException.ThrowIfNull(faults);
        void Need(bool good, string name, object? got, string needed)
        {
            if (!good)
            {
                faults.Add(FormattableString.Invariant($"{SettingInfo.ToFlag(name)} is {got}; needed {needed}"));
            }
        }

        if (Task is not null && TaskDefinition.TryFind(Task) is null)
        {
            faults.Add($"--task is '{Task}'.{SettingsSchema.Suggest(Task, TaskDefinition.All.Select(task => task.Name))} The tasks are {string.Join(", ", TaskDefinition.All.Select(task => task.Name))}; for data of your own leave it out");
        }

        CheckValues(string.Empty, faults);
        Need(MaxTrainSamples >= 0, "max_train_samples", MaxTrainSamples, "0 or more");
        Need(MaxSeqLength is null or >= 3, "max_seq_length", MaxSeqLength, "3 or more");
        if (OutputFile is not null && OutputDir is not null)
        {
            faults.Add("--output-file and --output-dir are both given; give one");
        }

        if (Resume && Overwrite)
        {
            faults.Add("--resume and --overwrite are both given; give one");
        }

        if (TrainFile is not null && DataDir is not null)
        {
            faults.Add("--train-file and --data-dir are both given; give one");
        }

        if (complete && Model is null)
        {
            faults.Add("--model is missing: which masked language model shall find other words? (limbeck pretrain makes one)");
        }

        if (complete && TrainFile is null && (Task is null || DataDir is null))
        {
            faults.Add("there is nothing to augment: give --task with --data-dir (GLUE's folder), or --train-file");
        }
    }
}
