namespace Limbeck.Tokenization;

/// <summary>A text, or a pair of texts, as a model takes it: <c>[CLS] text [SEP]</c> or <c>[CLS] text [SEP] pair [SEP]</c>.</summary>
public sealed class Encoding
{
    internal Encoding(int[] ids, int[] typeIds, TokenOffset[]? offsets, int removedTokens)
    {
        Ids = ids;
        TypeIds = typeIds;
        Offsets = offsets;
        RemovedTokens = removedTokens;
    }

    /// <summary>[T] ids of the tokens, the template's special tokens included.</summary>
    public int[] Ids { get; }

    /// <summary>[T] 0 for the first text and what surrounds it, 1 for the second text and its final separator.</summary>
    public int[] TypeIds { get; }

    /// <summary>
    /// [T] where each token came from, in UTF-16 code units of its own text (the first for type 0, the second for type 1); (0, 0) for the tokens the template adds.
    /// Null when offsets were not asked for.
    /// </summary>
    public TokenOffset[]? Offsets { get; }

    /// <summary>Whether tokens were removed to keep to the maximum length.</summary>
    public bool Truncated => RemovedTokens > 0;

    /// <summary>How many tokens truncation removed, of both texts together.</summary>
    public int RemovedTokens { get; }
}
