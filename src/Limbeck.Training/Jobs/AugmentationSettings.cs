using Limbeck.Training.Data;
using Limbeck.Training.Data.Augmentation;

namespace Limbeck.Training.Jobs;

/// <summary>How labelled texts are varied by TinyBERT's data augmentation: the constants of the paper's Algorithm 1 and the switches to what the authors' code does.</summary>
public record AugmentationSettings
{
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

    /// <summary>Parity with the authors' code.</summary>
    [Setting("Parity with the authors' code: the model sees the sentence without the mask too, as second segment.")]
    public bool SeeOriginal { get; init; }

    /// <summary>Parity with the authors' code.</summary>
    [Setting("Parity with the authors' code: continuations count among the K best and are dropped afterwards, which leaves fewer words.")]
    public bool FilterAfterwards { get; init; }

    /// <summary>Parity with the authors' code.</summary>
    [Setting("Parity with the authors' code: the second text of a pair is varied beside the last variant of the first.")]
    public bool PairAfterLastVariant { get; init; }

    /// <summary>Whether the model is not asked.</summary>
    internal bool ByVectorsAlone => Candidates == "vectors";

    /// <summary>The algorithm's constants.</summary>
    /// <param name="task">The rows' task.</param>
    /// <param name="seed">Of the draws.</param>
    internal AugmentationOptions Options(TaskDefinition task, ulong seed) => new()
    {
        Variants = N ?? AugmentationOptions.VariantsOf(task.IsGlue ? task.Name : null),
        Probability = P,
        Candidates = K,
        Seed = seed,
        SeeOriginal = SeeOriginal,
        FilterAfterwards = FilterAfterwards,
        PairAfterLastVariant = PairAfterLastVariant,
        ContentWords = ContentWords,
    };

    /// <summary>Checks values.</summary>
    /// <param name="prefix">Before a key in messages: "augment." or nothing.</param>
    /// <param name="faults">Receives one sentence for each fault.</param>
    internal void CheckValues(string prefix, List<string> faults)
    {
        void Need(bool good, string name, object? got, string needed)
        {
            if (!good)
            {
                faults.Add(FormattableString.Invariant($"{SettingInfo.ToFlag(prefix + name)} is {got}; needed {needed}"));
            }
        }

        Need(N is null or >= 1, "n", N, "1 or more");
        Need(P is >= 0 and <= 1, "p", P, "a probability, 0 to 1");
        Need(K >= 1, "k", K, "1 or more");
        Need(MaxWordVectors >= 0, "max_word_vectors", MaxWordVectors, "0 or more");
    }
}
