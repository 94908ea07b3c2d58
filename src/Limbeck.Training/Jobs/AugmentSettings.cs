using Limbeck.Training.Data;
using Limbeck.Training.Data.Augmentation;

namespace Limbeck.Training.Jobs;

/// <summary>The settings of <c>limbeck augment</c>: TinyBERT's data augmentation.</summary>
public sealed record AugmentSettings : ISettings
{
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

    /// <summary>N_a of Algorithm 1.</summary>
    [Setting("How often each sentence is drawn anew; equal draws count once. By default the authors' number for the task: 30; SST-2 and QNLI 20, MNLI and QQP 10.", Alias = "N")]
    public int? N { get; init; }

    /// <summary>p_t of Algorithm 1.</summary>
    [Setting("Probability that a word is replaced.")]
    public double P { get; init; } = 0.4;

    /// <summary>K of Algorithm 1.</summary>
    [Setting("How many words each may be replaced by.", Alias = "M")]
    public int K { get; init; } = 15;

    /// <summary>Who finds words for words of one piece.</summary>
    [Setting("Who finds words for a word of one piece: the masked language model, as in the paper, or the word vectors, as for words of several pieces; these take seconds and need no masked-language-model head.", Choices = "model|vectors")]
    public string Candidates { get; init; } = "model";

    /// <summary>Candidates that may be replaced themselves.</summary>
    [Setting("Not in the paper: replace a word only by words that could be replaced themselves (letters, no stop words) and not by itself; for a model that would put a comma into most gaps.")]
    public bool ContentWords { get; init; }

    /// <summary>Word vectors for words of several pieces.</summary>
    [Setting("Word vectors for words of several pieces, in GloVe's text format (.gz too); by default the model's own input embeddings, averaged over a word's pieces.", Alias = "glove_embs")]
    public string? WordVectors { get; init; }

    /// <summary>Lines of the word vectors to read.</summary>
    [Setting("Read only the first so many lines of the word vectors; 0 for all.")]
    public int MaxWordVectors { get; init; } = 100_000;

    /// <summary>Longest input of the model.</summary>
    [Setting("Longest input of the model in tokens; words behind it stay. By default as long as the model reads.")]
    public int? MaxSeqLength { get; init; }

    /// <summary>Seed of the draws.</summary>
    [Setting("Seed of the draws.")]
    public ulong Seed { get; init; } = 42;

    /// <summary>Parity with the authors' code.</summary>
    [Setting("Parity with the authors' code: the model sees the sentence without the mask too, as second segment.")]
    public bool SeeOriginal { get; init; }

    /// <summary>Parity with the authors' code.</summary>
    [Setting("Parity with the authors' code: continuations count among the K best and are dropped afterwards, which leaves fewer words.")]
    public bool FilterAfterwards { get; init; }

    /// <summary>Parity with the authors' code.</summary>
    [Setting("Parity with the authors' code: the second text of a pair is varied beside the last variant of the first.")]
    public bool PairAfterLastVariant { get; init; }

    /// <summary>Columns of the user's tables.</summary>
    internal TableOptions Table => new() { TextColumn = TextColumn, PairColumn = PairColumn, LabelColumn = LabelColumn };

    /// <summary>Whether the model is not asked.</summary>
    internal bool ByVectorsAlone => Candidates == "vectors";

    /// <summary>The file of augmented rows that lies beside a file of rows: train_aug.tsv for train.tsv.</summary>
    /// <param name="rows">The rows' file; a final .gz goes.</param>
    internal static string Beside(string rows)
    {
        string plain = rows.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? rows[..^3] : rows;
        return Path.Combine(Path.GetDirectoryName(plain) ?? string.Empty, Path.GetFileNameWithoutExtension(plain) + "_aug" + Path.GetExtension(plain));
    }

    /// <summary>The algorithm's constants.</summary>
    /// <param name="task">The rows' task.</param>
    internal AugmentationOptions Options(TaskDefinition task) => new()
    {
        Variants = N ?? AugmentationOptions.VariantsOf(task.IsGlue ? task.Name : null),
        Probability = P,
        Candidates = K,
        Seed = Seed,
        SeeOriginal = SeeOriginal,
        FilterAfterwards = FilterAfterwards,
        PairAfterLastVariant = PairAfterLastVariant,
        ContentWords = ContentWords,
    };

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

        Need(N is null or >= 1, "n", N, "1 or more");
        Need(P is >= 0 and <= 1, "p", P, "a probability, 0 to 1");
        Need(K >= 1, "k", K, "1 or more");
        Need(MaxWordVectors >= 0, "max_word_vectors", MaxWordVectors, "0 or more");
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
