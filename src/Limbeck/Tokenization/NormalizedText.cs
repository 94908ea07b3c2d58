namespace Limbeck.Tokenization;

/// <summary>Normalised UTF-16 text, each code unit with the stretch of the source it came from. Reused, so that steady work allocates nothing.</summary>
internal sealed class NormalizedText
{
    /// <summary>The code units; the first <see cref="Count"/> are in use.</summary>
    public char[] Chars = new char[256];

    /// <summary>For each code unit, the first UTF-16 code unit of its source.</summary>
    public int[] Starts = new int[256];

    /// <summary>For each code unit, one past the last UTF-16 code unit of its source.</summary>
    public int[] Ends = new int[256];

    /// <summary>How many are in use.</summary>
    public int Count;

    /// <summary>Appends a code point as one or two code units.</summary>
    /// <param name="codePoint">No surrogate.</param>
    /// <param name="start">First UTF-16 code unit of its source.</param>
    /// <param name="end">One past the last.</param>
    public void Add(int codePoint, int start, int end)
    {
        if (codePoint < 0x10000)
        {
            AddUnit((char)codePoint, start, end);
        }
        else
        {
            AddUnit((char)(0xD7C0 + (codePoint >> 10)), start, end);
            AddUnit((char)(0xDC00 + (codePoint & 0x3FF)), start, end);
        }
    }

    private void AddUnit(char unit, int start, int end)
    {
        if (Count == Chars.Length)
        {
            Array.Resize(ref Chars, 2 * Count);
            Array.Resize(ref Starts, 2 * Count);
            Array.Resize(ref Ends, 2 * Count);
        }

        Chars[Count] = unit;
        Starts[Count] = start;
        Ends[Count] = end;
        Count++;
    }
}
