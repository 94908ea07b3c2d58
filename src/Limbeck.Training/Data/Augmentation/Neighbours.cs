using Limbeck.Tensors.Threading;
using Limbeck.Tokenization;

namespace Limbeck.Training.Data.Augmentation;

/// <summary>What words that are looked up may be replaced by: the words nearest to them.</summary>
internal static class Neighbours
{
    /// <summary>The different words of the data that may be replaced and are to be looked up, in the order in which they come.</summary>
    /// <param name="rows">The data.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="all">All words; otherwise those that are several pieces or cannot be spelled.</param>
    public static IReadOnlyList<string> WordsToLookUp(IReadOnlyList<TextExample> rows, BertTokenizer tokenizer, bool all)
    {
        HashSet<string> seen = new(StringComparer.Ordinal);
        List<string> several = [];
        foreach (string word in rows.SelectMany(row => row.Pair is null ? [row.Text] : (string[])[row.Text, row.Pair]).SelectMany(tokenizer.Words))
        {
            if (seen.Add(word) && TinyBertAugmentation.IsReplaceable(word) && (all || tokenizer.Tokenize(word) is not [int only] || only == tokenizer.UnknownId))
            {
                several.Add(word);
            }
        }

        return several;
    }

    /// <summary>The nearest words of each.</summary>
    /// <param name="words">Words to look up.</param>
    /// <param name="vectors">Where to look.</param>
    /// <param name="tokenizer">The model's. Where it knows capitals, a capitalised word without a vector of its own has its lower case's neighbours, capitalised.</param>
    /// <param name="most">K.</param>
    /// <param name="team">The threads.</param>
    /// <param name="cancellation">Checked now and then.</param>
    /// <returns>Those that have a vector, with their neighbours.</returns>
    public static IReadOnlyDictionary<string, IReadOnlyList<string>> Of(
        IReadOnlyList<string> words, WordVectors vectors, BertTokenizer tokenizer, int most, WorkerTeam team, CancellationToken cancellation)
    {
        string Known(string word) => vectors.Contains(word) || tokenizer.Options.LowerCase ? word : word.ToLowerInvariant();
        IReadOnlyDictionary<string, IReadOnlyList<string>> nearest = vectors.Nearest(words.Select(Known), most, team, cancellation);
        Dictionary<string, IReadOnlyList<string>> neighbours = new(StringComparer.Ordinal);
        foreach (string word in words)
        {
            string known = Known(word);
            if (nearest.TryGetValue(known, out IReadOnlyList<string>? found))
            {
                neighbours.Add(word, known != word && IsTitle(word) ? [.. found.Select(Title)] : found);
            }
        }

        return neighbours;
    }

    private static bool IsTitle(string word) => char.IsUpper(word[0]) && !word.AsSpan(1).ContainsAnyInRange('A', 'Z');

    private static string Title(string word) => char.ToUpperInvariant(word[0]) + word[1..];
}
