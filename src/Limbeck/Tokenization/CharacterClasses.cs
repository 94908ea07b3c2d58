namespace Limbeck.Tokenization;

/// <summary>What the tokenizer has to know about a code point.</summary>
[Flags]
internal enum CharacterFlags : byte
{
    /// <summary>An ordinary character.</summary>
    None = 0,

    /// <summary>Dropped when text is cleaned.</summary>
    Removed = 1,

    /// <summary>Becomes a space when text is cleaned.</summary>
    MadeSpace = 2,

    /// <summary>Set apart by spaces.</summary>
    Chinese = 4,

    /// <summary>A non-spacing mark, dropped when accents are stripped.</summary>
    Stripped = 8,

    /// <summary>Ends a word and is dropped.</summary>
    WhiteSpace = 16,

    /// <summary>A word of its own.</summary>
    Punctuation = 32,

    /// <summary>Has a lower case other than itself.</summary>
    Cased = 64,

    /// <summary>Decomposes canonically or has a combining class other than 0.</summary>
    Canonical = 128,
}

/// <summary>Looks up code points in a two-stage table built once from <see cref="UnicodeTables"/>.</summary>
internal static class CharacterClasses
{
    /// <summary>The character that stands for what cannot be read, such as half of a surrogate pair.</summary>
    public const int Replacement = 0xFFFD;

    private const int HangulFirst = 0xAC00;
    private const int HangulLast = 0xD7A3;
    private const int PageSize = 256;
    private const int PageCount = 0x110000 / PageSize;

    private static readonly ushort[] Pages = new ushort[PageCount];
    private static readonly byte[] Flags = Build(Pages);

    /// <summary>The flags of a code point.</summary>
    /// <param name="codePoint">0..0x10FFFF.</param>
    public static CharacterFlags Of(int codePoint) => (CharacterFlags)Flags[(Pages[codePoint >> 8] << 8) | (codePoint & 0xFF)];

    /// <summary>The simple lower case of a code point (Unicode 17); itself when it has none. U+0130, whose full lower case is two characters, is left as it is.</summary>
    /// <param name="codePoint">0..0x10FFFF.</param>
    public static int ToLower(int codePoint)
    {
        ReadOnlySpan<int> rows = UnicodeTables.LowerCase;
        int row = Row(rows, 4, codePoint);

        // Rows of step 2 may interleave ("DZ, Dz, dz"): the row that begins last before the code point is not always the one it belongs to.
        for (; row >= 0 && codePoint - rows[row * 4] < PageSize; row--)
        {
            ReadOnlySpan<int> values = rows.Slice(row * 4, 4);
            if (codePoint <= values[1] && (codePoint - values[0]) % values[2] == 0)
            {
                return codePoint + values[3];
            }
        }

        return codePoint;
    }

    /// <summary>The canonical combining class of a code point (Unicode 9.0).</summary>
    /// <param name="codePoint">0..0x10FFFF.</param>
    public static int CombiningClass(int codePoint)
    {
        ReadOnlySpan<int> rows = UnicodeTables.CombiningClasses;
        int row = Row(rows, 3, codePoint);
        return row >= 0 && codePoint <= rows[(row * 3) + 1] ? rows[(row * 3) + 2] : 0;
    }

    /// <summary>The full canonical decomposition of a code point (Unicode 9.0).</summary>
    /// <param name="codePoint">0..0x10FFFF.</param>
    /// <param name="destination">At least 4 long.</param>
    /// <returns>How many code points were written; 1, the code point itself, when it does not decompose.</returns>
    public static int Decompose(int codePoint, Span<int> destination)
    {
        if (codePoint is >= HangulFirst and <= HangulLast)
        {
            int index = codePoint - HangulFirst;
            destination[0] = 0x1100 + (index / 588);
            destination[1] = 0x1161 + (index % 588 / 28);
            destination[2] = 0x11A7 + (index % 28);
            return index % 28 == 0 ? 2 : 3;
        }

        ReadOnlySpan<int> rows = UnicodeTables.Decompositions;
        int row = Row(rows, 3, codePoint);
        if (row < 0 || rows[row * 3] != codePoint)
        {
            destination[0] = codePoint;
            return 1;
        }

        int count = Decompose(rows[(row * 3) + 1], destination);
        if (rows[(row * 3) + 2] is int second and not 0)
        {
            destination[count++] = second;
        }

        return count;
    }

    // The last row whose first value is at most the code point, or -1.
    private static int Row(ReadOnlySpan<int> rows, int width, int codePoint)
    {
        int low = 0;
        int high = rows.Length / width;
        while (low < high)
        {
            int middle = (low + high) >> 1;
            if (rows[middle * width] <= codePoint)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low - 1;
    }

    private static byte[] Build(ushort[] pages)
    {
        byte[] all = new byte[0x110000];
        Mark(all, UnicodeTables.Removed, CharacterFlags.Removed);
        Mark(all, UnicodeTables.MadeSpace, CharacterFlags.MadeSpace);
        Mark(all, UnicodeTables.Chinese, CharacterFlags.Chinese);
        Mark(all, UnicodeTables.Stripped, CharacterFlags.Stripped);
        Mark(all, UnicodeTables.WhiteSpace, CharacterFlags.WhiteSpace);
        Mark(all, UnicodeTables.Punctuation, CharacterFlags.Punctuation);
        Mark(all, [HangulFirst, HangulLast], CharacterFlags.Canonical);
        Mark(all, [0x130, 0x130], CharacterFlags.Cased);

        ReadOnlySpan<int> rows = UnicodeTables.LowerCase;
        for (int i = 0; i < rows.Length; i += 4)
        {
            for (int c = rows[i]; c <= rows[i + 1]; c += rows[i + 2])
            {
                all[c] |= (byte)CharacterFlags.Cased;
            }
        }

        rows = UnicodeTables.CombiningClasses;
        for (int i = 0; i < rows.Length; i += 3)
        {
            Mark(all, rows.Slice(i, 2), CharacterFlags.Canonical);
        }

        rows = UnicodeTables.Decompositions;
        for (int i = 0; i < rows.Length; i += 3)
        {
            all[rows[i]] |= (byte)CharacterFlags.Canonical;
        }

        // Pages that are all alike (most of them) are kept once.
        byte[] kept = new byte[PageCount * PageSize];
        int count = 0;
        int previous = -1;
        for (int page = 0; page < PageCount; page++)
        {
            ReadOnlySpan<byte> content = all.AsSpan(page * PageSize, PageSize);
            int found = previous >= 0 && content.SequenceEqual(kept.AsSpan(previous * PageSize, PageSize)) ? previous : Find(kept, count, content);
            if (found < 0)
            {
                found = count++;
                content.CopyTo(kept.AsSpan(found * PageSize));
            }

            pages[page] = (ushort)found;
            previous = found;
        }

        return kept.AsSpan(0, count * PageSize).ToArray();
    }

    private static int Find(byte[] kept, int count, ReadOnlySpan<byte> content)
    {
        for (int i = 0; i < count; i++)
        {
            if (content.SequenceEqual(kept.AsSpan(i * PageSize, PageSize)))
            {
                return i;
            }
        }

        return -1;
    }

    private static void Mark(byte[] all, ReadOnlySpan<int> ranges, CharacterFlags flag)
    {
        for (int i = 0; i < ranges.Length; i += 2)
        {
            for (int c = ranges[i]; c <= ranges[i + 1]; c++)
            {
                all[c] |= (byte)flag;
            }
        }
    }
}
