namespace Limbeck.Tokenization;

public sealed partial class BertTokenizer
{
    /// <summary>The words that wordpieces are made of: normalised text, cut at white space, each punctuation mark a word of its own.</summary>
    /// <param name="text">Any text; special tokens written in it are words as they stand.</param>
    /// <returns>The words in order. Joined by spaces they encode to the same ids as the text.</returns>
    public IReadOnlyList<string> Words(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<string> words = [];
        TokenBuffer buffer = TokenBuffer.Take();
        NormalizedText normalized = buffer.Normalized;
        rawTokens.Split(text, buffer.Stretches);
        foreach (AddedTokenMatcher.Stretch stretch in buffer.Stretches)
        {
            if (stretch.Id >= 0)
            {
                words.Add(text[stretch.Start..stretch.End]);
                continue;
            }

            normalizer.Normalize(text, stretch.Start, stretch.End, buffer.Normalizer, normalized);
            for (int at = 0; NextWord(normalized.Chars, ref at, normalized.Count, out int start);)
            {
                words.Add(new string(normalized.Chars, start, at - start));
            }
        }

        buffer.Return();
        return words;
    }

    // The next word of normalised text from at on, which is moved to its end; false when there is none before to.
    private static bool NextWord(ReadOnlySpan<char> text, ref int at, int to, out int start)
    {
        start = at;
        while (at < to)
        {
            int next = at;
            int c = text[next++];
            if (char.IsHighSurrogate((char)c))
            {
                c = char.ConvertToUtf32((char)c, text[next++]);
            }

            CharacterFlags flags = CharacterClasses.Of(c) & (CharacterFlags.WhiteSpace | CharacterFlags.Punctuation);
            if (flags == 0)
            {
                at = next;
            }
            else if (at > start)
            {
                return true;
            }
            else if ((flags & CharacterFlags.WhiteSpace) == 0)
            {
                at = next;
                return true;
            }
            else
            {
                at = next;
                start = next;
            }
        }

        return at > start;
    }
}
