namespace Limbeck.Training.Data.Augmentation;

/// <summary>The constants of TinyBERT's data augmentation and the switches to what its authors' code does otherwise.</summary>
public sealed record AugmentationOptions
{
    /// <summary>N_a where a task has none of its own: the default of the authors' code (the paper has 20 for all tasks).</summary>
    public const int DefaultVariants = 30;

    /// <summary>N_a: how often a sentence is drawn anew. Equal draws count once, so it gets at most so many variants.</summary>
    public int Variants { get; init; } = DefaultVariants;

    /// <summary>p_t: the probability that a word is replaced in a draw.</summary>
    public double Probability { get; init; } = 0.4;

    /// <summary>K: how many words a word may be replaced by.</summary>
    public int Candidates { get; init; } = 15;

    /// <summary>Seed of the draws.</summary>
    public ulong Seed { get; init; } = 42;

    /// <summary>Parity with the authors' code: the model also sees the sentence without the mask, as second segment.</summary>
    public bool SeeOriginal { get; init; }

    /// <summary>Parity with the authors' code: continuations count among the K best and are dropped afterwards, which leaves fewer than K words.</summary>
    public bool FilterAfterwards { get; init; }

    /// <summary>Parity with the authors' code: the second text of a pair is varied beside the last variant of the first, not beside the first itself.</summary>
    public bool PairAfterLastVariant { get; init; }

    /// <summary>
    /// Not in the paper: a word may be replaced only by words that may be replaced themselves (letters, no stop words), and not by itself. For a model that is not sure of
    /// much and would put a comma or "the" into most gaps.
    /// </summary>
    public bool ContentWords { get; init; }

    /// <summary>N_a of the authors' code for a task.</summary>
    /// <param name="task">GLUE's name of it, or null for data of the user's own.</param>
    public static int VariantsOf(string? task) => task switch
    {
        "MNLI" or "QQP" => 10,
        "SST-2" or "QNLI" => 20,
        _ => DefaultVariants,
    };
}
