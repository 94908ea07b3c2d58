namespace Limbeck.Tokenization;

/// <summary>The tokens of the texts being encoded and the scratch they are made with. One for each thread, reused, so that steady work allocates only its results.</summary>
internal sealed class TokenBuffer
{
    private const int MostKept = 1 << 20;

    [ThreadStatic]
    private static TokenBuffer? ofThread;

    /// <summary>Ids; the first <see cref="Count"/> are in use.</summary>
    public int[] Ids = new int[512];

    /// <summary>First UTF-16 code unit of each token.</summary>
    public int[] Starts = new int[512];

    /// <summary>One past the last UTF-16 code unit of each token.</summary>
    public int[] Ends = new int[512];

    /// <summary>How many tokens there are.</summary>
    public int Count;

    /// <summary>A word in lower case.</summary>
    public char[] Word = new char[512];

    /// <summary>Hashes of the beginnings of a word.</summary>
    public uint[] Hashes = new uint[64];

    /// <summary>Scratch of the normaliser.</summary>
    public readonly BertNormalizer.Scratch Normalizer = new();

    /// <summary>Normalised text.</summary>
    public readonly NormalizedText Normalized = new();

    /// <summary>Stretches of the raw text.</summary>
    public readonly List<AddedTokenMatcher.Stretch> Stretches = [];

    /// <summary>Stretches of the normalised text.</summary>
    public readonly List<AddedTokenMatcher.Stretch> NormalizedStretches = [];

    /// <summary>Takes this thread's buffer, empty.</summary>
    public static TokenBuffer Take()
    {
        TokenBuffer buffer = ofThread ?? new TokenBuffer();
        ofThread = null;
        buffer.Count = 0;
        return buffer;
    }

    /// <summary>Puts it back for the next text, unless one huge text has blown it up.</summary>
    public void Return()
    {
        if (Ids.Length <= MostKept && Word.Length <= MostKept && Normalized.Chars.Length <= MostKept && Normalizer.Cleaned.Values.Length <= MostKept
            && Normalizer.Decomposed.Values.Length <= MostKept && Stretches.Capacity <= MostKept && NormalizedStretches.Capacity <= MostKept)
        {
            ofThread = this;
        }
    }

    /// <summary>Appends a token.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="start">First UTF-16 code unit.</param>
    /// <param name="end">One past the last.</param>
    public void Add(int id, int start, int end)
    {
        if (Count == Ids.Length)
        {
            Array.Resize(ref Ids, 2 * Count);
            Array.Resize(ref Starts, 2 * Count);
            Array.Resize(ref Ends, 2 * Count);
        }

        Ids[Count] = id;
        Starts[Count] = start;
        Ends[Count] = end;
        Count++;
    }
}
