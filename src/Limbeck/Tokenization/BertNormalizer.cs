namespace Limbeck.Tokenization;

/// <summary>The normaliser: cleans text, sets Chinese characters apart, strips accents, lowers case, and remembers where every character came from.</summary>
/// <remarks>
/// Works on code points; half of a surrogate pair counts as U+FFFD. Uses none of the platform's Unicode tables (see <see cref="UnicodeTables"/>).
/// When decomposition reorders marks, the n-th character that began a source character keeps the n-th place in the source, as the reference library does.
/// </remarks>
internal sealed class BertNormalizer(BertTokenizerOptions options)
{
    private const int MostMarksInsertedOneByOne = 32;

    private readonly bool cleanText = options.CleanText;
    private readonly bool handleChinese = options.HandleChineseChars;
    private readonly bool stripAccents = options.StripAccents ?? options.LowerCase;
    private readonly bool lowerCase = options.LowerCase;

    /// <summary>Buffers of one thread.</summary>
    internal sealed class Scratch
    {
        /// <summary>Text cleaned, with Chinese characters set apart.</summary>
        public readonly CodePointBuffer Cleaned = new();

        /// <summary>Decomposed text; <see cref="CodePointBuffer.Starts"/> holds combining classes, <see cref="CodePointBuffer.Ends"/> 0 for the first character of a decomposition.</summary>
        public readonly CodePointBuffer Decomposed = new();

        /// <summary>Text without accents.</summary>
        public readonly CodePointBuffer Stripped = new();
    }

    /// <summary>Normalises <c>text[from..to]</c> as a text of its own.</summary>
    /// <param name="text">The source.</param>
    /// <param name="from">First code unit.</param>
    /// <param name="to">One past the last.</param>
    /// <param name="scratch">Buffers of the calling thread.</param>
    /// <param name="result">Overwritten; its positions are those of <paramref name="text"/>.</param>
    public void Normalize(ReadOnlySpan<char> text, int from, int to, Scratch scratch, NormalizedText result)
    {
        CharacterFlags seen = Clean(text, from, to, scratch.Cleaned);
        CodePointBuffer current = scratch.Cleaned;
        if (stripAccents && (seen & (CharacterFlags.Canonical | CharacterFlags.Stripped)) != 0)
        {
            Decompose(current, scratch.Decomposed);
            Strip(current, scratch.Decomposed, scratch.Stripped);
            current = scratch.Stripped;
        }

        result.Count = 0;
        for (int i = 0; i < current.Count; i++)
        {
            int c = current.Values[i];
            int start = current.Starts[i];
            int end = current.Ends[i];
            if (!lowerCase || (CharacterClasses.Of(c) & CharacterFlags.Cased) == 0)
            {
                result.Add(c, start, end);
            }
            else if (c == 0x130)
            {
                result.Add('i', start, end);
                result.Add(0x307, start, end);
            }
            else
            {
                result.Add(CharacterClasses.ToLower(c), start, end);
            }
        }
    }

    private CharacterFlags Clean(ReadOnlySpan<char> text, int from, int to, CodePointBuffer cleaned)
    {
        CharacterFlags seen = CharacterFlags.None;
        cleaned.Count = 0;
        for (int i = from; i < to;)
        {
            int start = i;
            int c = text[i++];
            if (c is >= 0xD800 and < 0xE000)
            {
                if (c < 0xDC00 && i < to && char.IsLowSurrogate(text[i]))
                {
                    c = char.ConvertToUtf32((char)c, text[i++]);
                }
                else
                {
                    c = CharacterClasses.Replacement;
                }
            }

            CharacterFlags flags = CharacterClasses.Of(c);
            if (cleanText && (flags & (CharacterFlags.Removed | CharacterFlags.MadeSpace)) != 0)
            {
                if ((flags & CharacterFlags.Removed) == 0)
                {
                    cleaned.Add(' ', start, i);
                }

                continue;
            }

            seen |= flags;
            if (handleChinese && (flags & CharacterFlags.Chinese) != 0)
            {
                cleaned.Add(' ', start, i);
                cleaned.Add(c, start, i);
                cleaned.Add(' ', start, i);
            }
            else
            {
                cleaned.Add(c, start, i);
            }
        }

        return seen;
    }

    private static void Decompose(CodePointBuffer source, CodePointBuffer decomposed)
    {
        Span<int> parts = stackalloc int[4];
        decomposed.Count = 0;
        for (int i = 0; i < source.Count; i++)
        {
            int c = source.Values[i];
            if ((CharacterClasses.Of(c) & CharacterFlags.Canonical) == 0)
            {
                decomposed.Add(c, 0, 0);
                continue;
            }

            int count = CharacterClasses.Decompose(c, parts);
            for (int k = 0; k < count; k++)
            {
                decomposed.Add(parts[k], CharacterClasses.CombiningClass(parts[k]), k == 0 ? 0 : 1);
            }
        }

        for (int i = 0; i < decomposed.Count; i++)
        {
            int first = i;
            while (i < decomposed.Count && decomposed.Starts[i] != 0)
            {
                i++;
            }

            Reorder(decomposed, first, i);
        }
    }

    // Canonical order of a run of marks: by class, equal classes keep their order. A run is hardly ever longer than three.
    private static void Reorder(CodePointBuffer marks, int first, int end)
    {
        if (end - first > MostMarksInsertedOneByOne)
        {
            int length = end - first;
            long[] order = new long[length];
            for (int i = 0; i < length; i++)
            {
                order[i] = ((long)marks.Starts[first + i] << 32) | (uint)i;
            }

            Array.Sort(order);
            int[] values = marks.Values.AsSpan(first, length).ToArray();
            int[] continues = marks.Ends.AsSpan(first, length).ToArray();
            for (int i = 0; i < length; i++)
            {
                marks.Values[first + i] = values[(int)order[i]];
                marks.Starts[first + i] = (int)(order[i] >> 32);
                marks.Ends[first + i] = continues[(int)order[i]];
            }

            return;
        }

        for (int i = first + 1; i < end; i++)
        {
            (int value, int combiningClass, int continues) = (marks.Values[i], marks.Starts[i], marks.Ends[i]);
            int at = i;
            for (; at > first && marks.Starts[at - 1] > combiningClass; at--)
            {
                marks.Values[at] = marks.Values[at - 1];
                marks.Starts[at] = marks.Starts[at - 1];
                marks.Ends[at] = marks.Ends[at - 1];
            }

            (marks.Values[at], marks.Starts[at], marks.Ends[at]) = (value, combiningClass, continues);
        }
    }

    private static void Strip(CodePointBuffer source, CodePointBuffer decomposed, CodePointBuffer stripped)
    {
        stripped.Count = 0;
        int place = -1;
        for (int i = 0; i < decomposed.Count; i++)
        {
            place += 1 - decomposed.Ends[i];
            int c = decomposed.Values[i];
            if ((CharacterClasses.Of(c) & CharacterFlags.Stripped) == 0)
            {
                int from = Math.Max(place, 0);
                stripped.Add(c, source.Starts[from], source.Ends[from]);
            }
        }
    }
}
