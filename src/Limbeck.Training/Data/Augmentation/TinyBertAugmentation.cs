using Limbeck.Tensors;

namespace Limbeck.Training.Data.Augmentation;

/// <summary>
/// TinyBERT's data augmentation. Jiao et al., arXiv:1909.10351v5, Algorithm 1: each word of a sentence has candidates C; N_a times the sentence is drawn anew,
/// each word replaced with probability p_t by a random one of its candidates. Where candidates come from is <see cref="WordCandidates"/>' part: the K best of a
/// masked language model for a word of one piece, the K nearest by word vectors for a word of several.
/// </summary>
/// <remarks>
/// As in the authors' code (huawei-noah/Pretrained-Language-Model at 0598f02, data_augmentation.py): only words of the letters a to z that are no stop words are replaced;
/// candidates are looked for once, on the sentence as it is, with one word masked; a word without candidates stands for itself; a candidate is drawn for each word whether
/// it is then used or not; equal variants count once; words are joined by spaces.
/// Departures: the draws are seeded and depend on seed and row alone (theirs have no seed); a variant that replaced no word is not a new row (theirs takes it for one
/// where the spaces differ); the second text of a pair is varied beside the first text itself (theirs: beside its last variant, and that row comes twice), with a switch.
/// </remarks>
/// <param name="options">N_a, p_t, seed, switches.</param>
public sealed class TinyBertAugmentation(AugmentationOptions options)
{
    /// <summary>Whether a word may be replaced: letters a to z alone, and no stop word.</summary>
    /// <param name="word">A word, in whatever case.</param>
    public static bool IsReplaceable(string word)
    {
        ArgumentNullException.ThrowIfNull(word);
        return word.Length > 0 && word.AsSpan().IndexOfAnyExcept(Letters) < 0 && !StopWords.Contains(word.ToLowerInvariant());
    }

    private static readonly System.Buffers.SearchValues<char> Letters =
        System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    /// <summary>A row and its variants: the row itself first, then those with another first text, then those with another second text.</summary>
    /// <param name="text">The text, or the first of a pair.</param>
    /// <param name="pair">The second of a pair; null for a single text.</param>
    /// <param name="row">The row's number among the data's, from 0. Draws depend on it and the seed alone.</param>
    public IEnumerable<(string Text, string? Pair)> Rows(AugmentedSentence text, AugmentedSentence? pair, int row)
    {
        ArgumentNullException.ThrowIfNull(text);
        yield return (text.Text, pair?.Text);
        string beside = text.Text;
        foreach (string variant in Variants(text, new SeededRandom(options.Seed, 2 * (ulong)row)))
        {
            yield return (variant, pair?.Text);
            beside = options.PairAfterLastVariant ? variant : beside;
        }

        if (pair is null)
        {
            yield break;
        }

        if (options.PairAfterLastVariant)
        {
            yield return (beside, pair.Text);
        }

        foreach (string variant in Variants(pair, new SeededRandom(options.Seed, (2 * (ulong)row) + 1)))
        {
            yield return (beside, variant);
        }
    }

    /// <summary>The different variants of a sentence, at most N_a, in the order in which they were drawn; not the sentence itself.</summary>
    /// <param name="sentence">With its candidates.</param>
    /// <param name="random">Source of the draws.</param>
    public IReadOnlyList<string> Variants(AugmentedSentence sentence, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(sentence);
        ArgumentNullException.ThrowIfNull(random);
        List<string> variants = [];
        HashSet<string> seen = [sentence.Text, string.Join(' ', sentence.Words)];
        string[] words = new string[sentence.Words.Count];
        for (int draw = 0; draw < options.Variants; draw++)
        {
            for (int i = 0; i < words.Length; i++)
            {
                words[i] = sentence.Words[i];
                if (sentence.Candidates[i] is { } candidates)
                {
                    string candidate = candidates[random.NextInt(candidates.Count)];
                    words[i] = random.NextDouble() < options.Probability ? candidate : words[i];
                }
            }

            string variant = string.Join(' ', words);
            if (seen.Add(variant))
            {
                variants.Add(variant);
            }
        }

        return variants;
    }
}
