namespace Limbeck.Tokenization;

/// <summary>A growing list of numbers (code points or UTF-16 code units), each with the stretch of the source it came from. Reused, so that steady work allocates nothing.</summary>
internal sealed class CodePointBuffer
{
    /// <summary>The numbers; the first <see cref="Count"/> are in use.</summary>
    public int[] Values = new int[256];

    /// <summary>For each number, the first UTF-16 code unit of its source.</summary>
    public int[] Starts = new int[256];

    /// <summary>For each number, one past the last UTF-16 code unit of its source.</summary>
    public int[] Ends = new int[256];

    /// <summary>How many are in use.</summary>
    public int Count;

    /// <summary>Appends one.</summary>
    /// <param name="value">The number.</param>
    /// <param name="start">First UTF-16 code unit of its source.</param>
    /// <param name="end">One past the last.</param>
    public void Add(int value, int start, int end)
    {
        if (Count == Values.Length)
        {
            Array.Resize(ref Values, 2 * Count);
            Array.Resize(ref Starts, 2 * Count);
            Array.Resize(ref Ends, 2 * Count);
        }

        Values[Count] = value;
        Starts[Count] = start;
        Ends[Count] = end;
        Count++;
    }
}
