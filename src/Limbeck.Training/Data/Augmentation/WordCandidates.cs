using Limbeck.Inference;
using Limbeck.Tokenization;

namespace Limbeck.Training.Data.Augmentation;

/// <summary>
/// Finds what words may be replaced by. A word of one piece is masked and the masked language model asked; a word of several pieces has the words that are nearest to it.
/// Sentences that were seen lately are remembered, so each place of a sentence goes through the model once, however many variants and rows it serves.
/// </summary>
/// <remarks>What a sentence gets does not depend on the sentences beside it or before it. Not thread-safe; the model runs on all threads.</remarks>
public sealed class WordCandidates
{
    // Bounds memory: a sentence with ten words to replace takes about two kilobytes.
    private const int MostRemembered = 20_000;

    private readonly MaskFiller? filler;
    private readonly BertTokenizer tokenizer;
    private readonly AugmentationOptions options;
    private readonly int maxLength;
    private readonly IReadOnlyDictionary<string, IReadOnlyList<string>> nearest;
    private readonly bool[] isWord;
    private readonly bool[] mayBeAmongBest;
    private readonly Dictionary<string, AugmentedSentence> known = [];

    /// <summary>Prepares the search.</summary>
    /// <param name="filler">Runs the masked language model; null looks every word up.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="nearest">For words that are looked up their replacements; a word that is not in it has none.</param>
    /// <param name="options">K and switches.</param>
    /// <param name="maxLength">Most tokens of an input. A longer sentence is cut, and words behind the cut stay.</param>
    public WordCandidates(MaskFiller? filler, BertTokenizer tokenizer, IReadOnlyDictionary<string, IReadOnlyList<string>> nearest, AugmentationOptions options, int maxLength)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(options);
        this.filler = filler;
        this.tokenizer = tokenizer;
        this.nearest = nearest;
        this.options = options;
        this.maxLength = maxLength;
        isWord = [.. Enumerable.Range(0, filler?.VocabularySize ?? 0).Select(id => id < tokenizer.VocabularySize && IsWord(tokenizer, id)
            && (!options.ContentWords || TinyBertAugmentation.IsReplaceable(tokenizer.IdToToken(id))))];
        mayBeAmongBest = options.FilterAfterwards ? [.. isWord.Select((_, id) => id < tokenizer.VocabularySize)] : isWord;
    }

    /// <summary>Words of one piece that were masked.</summary>
    public long MaskedWords { get; private set; }

    /// <summary>Words that were looked up.</summary>
    public long LookedUpWords { get; private set; }

    /// <summary>Words of either kind for which nothing was found.</summary>
    public long WordsWithoutCandidates { get; private set; }

    /// <summary>Whether a wordpiece can stand for a word: written down, it is read back as itself. Continuations and special tokens are not.</summary>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="id">The wordpiece.</param>
    public static bool IsWord(BertTokenizer tokenizer, int id)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        string piece = tokenizer.IdToToken(id);
        return !piece.StartsWith(tokenizer.Options.ContinuationPrefix, StringComparison.Ordinal) && tokenizer.Tokenize(piece) is [int same] && same == id
            && id != tokenizer.UnknownId && id != tokenizer.ClassId && id != tokenizer.SeparatorId && id != tokenizer.PadId && id != tokenizer.MaskId;
    }

    /// <summary>Begins a sentence: its words, and its inputs to the model unless it is known.</summary>
    /// <param name="text">The sentence.</param>
    /// <param name="work">Receives what <see cref="Complete"/> shall compute.</param>
    /// <returns>The sentence; its candidates are there after <see cref="Complete"/>.</returns>
    public AugmentedSentence Begin(string text, List<MaskedWord> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        if (known.TryGetValue(text, out AugmentedSentence? sentence))
        {
            return sentence;
        }

        IReadOnlyList<string> words = tokenizer.Words(text);
        sentence = new AugmentedSentence(text, words, new IReadOnlyList<string>?[words.Count]);
        known.Add(text, sentence);
        int[][] pieces = [.. words.Select(tokenizer.Tokenize)];
        int start = 1;
        for (int i = 0; i < pieces.Length; i++)
        {
            if (TinyBertAugmentation.IsReplaceable(words[i]))
            {
                if (filler is not null && pieces[i].Length == 1 && pieces[i][0] != tokenizer.UnknownId)
                {
                    Mask(sentence, i, pieces, start, work);
                }
                else
                {
                    LookedUpWords++;
                    Set(sentence, i, nearest.GetValueOrDefault(words[i], []));
                }
            }

            start += pieces[i].Length;
        }

        return sentence;
    }

    /// <summary>Asks the model about all masked words at once.</summary>
    /// <param name="work">What was begun; cleared.</param>
    /// <param name="cancellation">Checked between batches.</param>
    public void Complete(List<MaskedWord> work, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        cancellation.ThrowIfCancellationRequested();
        int most = options.Candidates + (options.ContentWords ? 1 : 0);
        IReadOnlyList<int[]> best = filler?.Best([.. work.Select(word => word.Input)], most, mayBeAmongBest, cancellation) ?? [];
        for (int i = 0; i < best.Count; i++)
        {
            (AugmentedSentence sentence, int word, _) = work[i];
            IEnumerable<string> words = best[i].Where(id => isWord[id]).Select(tokenizer.IdToToken);
            MaskedWords++;
            Set(sentence, word, [.. words.Where(candidate => !options.ContentWords || candidate != sentence.Words[word]).Take(options.Candidates)]);
        }

        work.Clear();
        if (known.Count > MostRemembered)
        {
            known.Clear();
        }
    }

    private void Mask(AugmentedSentence sentence, int word, int[][] pieces, int position, List<MaskedWord> work)
    {
        int length = pieces.Sum(piece => piece.Length);
        int first = options.SeeOriginal ? length : Math.Min(length, maxLength - 2);
        int[] ids = [tokenizer.ClassId, .. pieces.SelectMany(piece => piece).Take(first), tokenizer.SeparatorId];
        int[] types = new int[ids.Length];
        if (options.SeeOriginal)
        {
            types = [.. types, .. Enumerable.Repeat(1, length + 1)];
            ids = [.. ids, .. ids.AsSpan(1)];
            (ids, types) = (ids[..Math.Min(ids.Length, maxLength)], types[..Math.Min(types.Length, maxLength)]);
        }

        if (position > first || position >= maxLength)
        {
            Set(sentence, word, []);
            return;
        }

        ids[position] = tokenizer.MaskId;
        work.Add(new MaskedWord(sentence, word, new MaskedSequence(ids, types, position)));
    }

    private void Set(AugmentedSentence sentence, int word, IReadOnlyList<string> candidates)
    {
        WordsWithoutCandidates += candidates.Count == 0 ? 1 : 0;
        sentence.Candidates[word] = candidates.Count > 0 ? candidates : [sentence.Words[word]];
    }
}
