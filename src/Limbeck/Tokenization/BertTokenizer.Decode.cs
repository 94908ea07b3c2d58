using System.Buffers;
using System.Text;

namespace Limbeck.Tokenization;

public sealed partial class BertTokenizer
{
    // Whatever a clean-up changes holds one of these; the space in front of a word does not count.
    private static readonly SearchValues<char> Cleaned = SearchValues.Create(".?!,' ");

    /// <summary>Puts tokens together to a text: a space before each word, none before a continuation; some spaces before punctuation go, token by token.</summary>
    /// <param name="ids">Ids of this vocabulary.</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out, the unknown token too.</param>
    /// <exception cref="ArgumentOutOfRangeException">The vocabulary has no such id.</exception>
    public string Decode(IReadOnlyList<int> ids, bool skipSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(ids);
        StringBuilder text = new();
        bool first = true;
        for (int i = 0; i < ids.Count; i++)
        {
            int id = ids[i];
            CheckId(id, nameof(ids));
            if (skipSpecialTokens && isSpecial[id])
            {
                continue;
            }

            string token = vocabulary[id];
            bool mayClean = Options.CleanUpDecodedText && token.AsSpan().ContainsAny(Cleaned);
            if (!first)
            {
                bool continues = token.StartsWith(Options.ContinuationPrefix, StringComparison.Ordinal);
                token = continues ? token[Options.ContinuationPrefix.Length..] : " " + token;
            }

            first = false;
            text.Append(mayClean ? CleanUp(token) : token);
        }

        return text.ToString();
    }

    private static string CleanUp(string token) => token
        .Replace(" .", ".", StringComparison.Ordinal)
        .Replace(" ?", "?", StringComparison.Ordinal)
        .Replace(" !", "!", StringComparison.Ordinal)
        .Replace(" ,", ",", StringComparison.Ordinal)
        .Replace(" ' ", "'", StringComparison.Ordinal)
        .Replace(" n't", "n't", StringComparison.Ordinal)
        .Replace(" 'm", "'m", StringComparison.Ordinal)
        .Replace(" do not", " don't", StringComparison.Ordinal)
        .Replace(" 's", "'s", StringComparison.Ordinal)
        .Replace(" 've", "'ve", StringComparison.Ordinal)
        .Replace(" 're", "'re", StringComparison.Ordinal);
}
