using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using Limbeck.Tokenization;

namespace Limbeck.Training.Pretraining;

/// <summary>BERT's masking: which tokens a model has to predict, and what it sees in their place. Devlin et al., arXiv:1810.04805, section 3.1.</summary>
/// <remarks>
/// Each token is chosen by itself with one probability, as transformers' DataCollatorForLanguageModeling does; BERT's own code chooses a fixed share of each
/// sequence. Of the chosen ones 80 % become [MASK], 10 % a token of the whole vocabulary (special ones included, as there), 10 % stay. Special tokens are never
/// chosen. With whole words, the pieces of a word are chosen together and replaced each by itself. Masks are a pure function of seed, epoch and example: every
/// epoch has others, and a resumed run has the same ones. Safe to use from several threads.
/// </remarks>
public sealed class MaskedLanguageModelling
{
    /// <summary>The share of chosen tokens that become [MASK].</summary>
    public const double MaskedShare = 0.8;

    /// <summary>The share of chosen tokens that become a random one.</summary>
    public const double RandomShare = 0.1;

    /// <summary>The epoch of masks that stay the same: those a model is scored with.</summary>
    public const int FixedEpoch = -1;

    private const ulong MaskStream = 0x6D61736B;
    private const int ExampleBits = 40;

    private readonly bool[] special;
    private readonly bool[] continues;
    private readonly int maskId;
    private readonly double probability;
    private readonly bool wholeWords;
    private readonly ulong seed;

    /// <summary>Prepares masking for a vocabulary.</summary>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="probability">The share of tokens to predict, 0 to 1.</param>
    /// <param name="wholeWords">Choose all pieces of a word together.</param>
    /// <param name="seed">The run's seed.</param>
    /// <exception cref="ArgumentException">The vocabulary has no masking token.</exception>
    public MaskedLanguageModelling(BertTokenizer tokenizer, double probability = 0.15, bool wholeWords = false, ulong seed = 42)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentOutOfRangeException.ThrowIfNegative(probability);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(probability, 1);
        if (tokenizer.MaskId < 0)
        {
            throw new ArgumentException($"the vocabulary has no {tokenizer.Options.MaskToken}, which masked language modelling needs: use the tokenizer of a model that was pretrained with it", nameof(tokenizer));
        }

        special = new bool[tokenizer.VocabularySize];
        foreach (int id in (int[])[tokenizer.ClassId, tokenizer.SeparatorId, tokenizer.UnknownId, tokenizer.MaskId, tokenizer.PadId])
        {
            if (id >= 0)
            {
                special[id] = true;
            }
        }

        continues = [.. tokenizer.Vocabulary.Select(token => token.Length > tokenizer.Options.ContinuationPrefix.Length && token.StartsWith(tokenizer.Options.ContinuationPrefix, StringComparison.Ordinal))];
        maskId = tokenizer.MaskId;
        this.probability = probability;
        this.wholeWords = wholeWords;
        this.seed = seed;
    }

    /// <summary>What decides the masks, for a run's fingerprint.</summary>
    public string Description => FormattableString.Invariant($"{probability:R} {(wholeWords ? "words" : "tokens")} {seed}");

    /// <summary>Masks one sequence in place.</summary>
    /// <param name="ids">[T] token ids; those chosen are replaced.</param>
    /// <param name="epoch">From 0, or <see cref="FixedEpoch"/>.</param>
    /// <param name="example">The sequence's number in the data, less than 2^40.</param>
    /// <param name="labels">[T] receives the id that stood at each chosen place, <see cref="Losses.IgnoredLabel"/> elsewhere.</param>
    /// <returns>How many were chosen; it may be none.</returns>
    public int Mask(Span<int> ids, int epoch, long example, Span<int> labels)
    {
        SeededRandom random = new(seed ^ MaskStream, ((ulong)(uint)epoch << ExampleBits) | (ulong)example);
        int chosen = 0;
        bool take = false;
        bool inWord = false;
        for (int t = 0; t < ids.Length; t++)
        {
            int id = ids[t];
            labels[t] = Losses.IgnoredLabel;
            if (special[id])
            {
                inWord = false;
                continue;
            }

            if (!(wholeWords && inWord && continues[id]))
            {
                take = random.NextDouble() < probability;
            }

            inWord = true;
            if (take)
            {
                labels[t] = id;
                chosen++;
                double fate = random.NextDouble();
                ids[t] = fate < MaskedShare ? maskId : fate < MaskedShare + RandomShare ? random.NextInt(special.Length) : id;
            }
        }

        return chosen;
    }
}
