using System.Buffers;
using System.Globalization;
using System.Text;

namespace Limbeck.Tokenization;

/// <summary>Finds added tokens in a text: the leftmost first, of those that begin together the longest.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly (string Content, AddedToken Token)[] tokens;
    private readonly SearchValues<char> firstCharacters;

    /// <summary>Prepares a search.</summary>
    /// <param name="tokens">What to look for, and what it means; no content is empty.</param>
    public AddedTokenMatcher(IEnumerable<(string Content, AddedToken Token)> tokens)
    {
        this.tokens = [.. tokens.OrderByDescending(t => t.Content.Length)];
        firstCharacters = SearchValues.Create([.. this.tokens.Select(t => t.Content[0]).Distinct()]);
    }

    /// <summary>Whether there is nothing to look for.</summary>
    public bool IsEmpty => tokens.Length == 0;

    /// <summary>A stretch of text: an added token, or what lies between two.</summary>
    /// <param name="Id">Id of the token, or -1.</param>
    /// <param name="Start">First UTF-16 code unit.</param>
    /// <param name="End">One past the last.</param>
    internal readonly record struct Stretch(int Id, int Start, int End);

    /// <summary>Cuts a text at its added tokens.</summary>
    /// <param name="text">The text.</param>
    /// <param name="stretches">Overwritten; in order, none between tokens empty.</param>
    public void Split(ReadOnlySpan<char> text, List<Stretch> stretches)
    {
        stretches.Clear();
        int done = 0;
        int search = 0;
        while (search < text.Length)
        {
            int found = text[search..].IndexOfAny(firstCharacters);
            if (found < 0)
            {
                break;
            }

            int start = search + found;
            AddedToken? token = Longest(text[start..], out int length);
            if (token is null)
            {
                search = start + 1;
                continue;
            }

            int end = start + length;
            search = end;
            if (token.SingleWord && (EndsWithWord(text[..start]) || StartsWithWord(text[end..])))
            {
                continue;
            }

            if (token.StripLeft)
            {
                start = Math.Max(text[..start].TrimEnd().Length, done);
            }

            if (token.StripRight)
            {
                end = text.Length - text[end..].TrimStart().Length;
            }

            if (done < start)
            {
                stretches.Add(new Stretch(-1, done, start));
            }

            stretches.Add(new Stretch(token.Id, start, end));
            done = end;
        }

        if (done < text.Length)
        {
            stretches.Add(new Stretch(-1, done, text.Length));
        }
    }

    private AddedToken? Longest(ReadOnlySpan<char> text, out int length)
    {
        foreach ((string content, AddedToken token) in tokens)
        {
            if (text.StartsWith(content, StringComparison.Ordinal))
            {
                length = content.Length;
                return token;
            }
        }

        length = 0;
        return null;
    }

    private static bool StartsWithWord(ReadOnlySpan<char> text) => Rune.DecodeFromUtf16(text, out Rune rune, out _) == OperationStatus.Done && IsWord(rune);

    private static bool EndsWithWord(ReadOnlySpan<char> text) => Rune.DecodeLastFromUtf16(text, out Rune rune, out _) == OperationStatus.Done && IsWord(rune);

    // The regular expression \w of Unicode: letters, marks, decimal digits, letter numbers, connectors, joiners and the letters in circles and squares.
    private static bool IsWord(Rune rune) => CharUnicodeInfo.GetUnicodeCategory(rune.Value) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => true,
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => true,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation => true,
        _ => rune.Value is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189),
    };
}
