using System.Numerics;

namespace Limbeck.Tokenization;

/// <summary>The pieces words are spelled with, in one open-addressing hash table that is asked with slices of a word.</summary>
/// <remarks>
/// A piece is stored as it may begin a word and, when it has the continuation prefix, once more without it as it may continue one. One pass over the rest of a word gives the
/// hashes of all its beginnings; they are then tried longest first. UTF-16 code units serve: a piece never holds half of a surrogate pair.
/// </remarks>
internal sealed class PieceTable
{
    private const uint StartSeed = 0x811C9DC5;
    private const uint ContinueSeed = 0x2F0B4C47;

    private readonly Slot[] slots;
    private readonly int mask;
    private readonly char[] text;

    private struct Slot
    {
        public uint Hash;
        public int Text;
        public int Length; // 0: empty; negative: a continuation
        public int Id;
    }

    /// <summary>Stores pieces.</summary>
    /// <param name="vocabulary">Every token; the index is the id.</param>
    /// <param name="isPiece">Which of them words may be spelled with.</param>
    /// <param name="prefix">The continuation prefix.</param>
    public PieceTable(string[] vocabulary, bool[] isPiece, string prefix)
    {
        int entries = 0;
        int characters = 0;
        for (int id = 0; id < vocabulary.Length; id++)
        {
            if (isPiece[id])
            {
                entries += Continues(vocabulary[id], prefix) ? 2 : 1;
                characters += vocabulary[id].Length;
            }
        }

        slots = new Slot[(int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, entries * 2))];
        mask = slots.Length - 1;
        text = new char[characters];
        int at = 0;
        for (int id = 0; id < vocabulary.Length; id++)
        {
            if (!isPiece[id])
            {
                continue;
            }

            string token = vocabulary[id];
            token.CopyTo(0, text, at, token.Length);
            Insert(at, token.Length, id, continues: false);
            if (Continues(token, prefix))
            {
                Insert(at + prefix.Length, token.Length - prefix.Length, id, continues: true);
            }

            at += token.Length;
        }
    }

    /// <summary>Length in code units of the longest piece, at least 1: a bound on the hashes <see cref="Longest"/> needs.</summary>
    public int LongestPiece { get; private set; } = 1;

    /// <summary>The longest piece that begins what is left of a word.</summary>
    /// <param name="rest">Not empty.</param>
    /// <param name="continues">Whether something of the word stands before it.</param>
    /// <param name="hashes">Scratch, <see cref="LongestPiece"/> long.</param>
    /// <param name="length">Length of the piece in code units; 0 when there is none.</param>
    /// <returns>Its id, or -1.</returns>
    public int Longest(ReadOnlySpan<char> rest, bool continues, Span<uint> hashes, out int length)
    {
        int most = Math.Min(rest.Length, LongestPiece);
        uint hash = continues ? ContinueSeed : StartSeed;
        for (int i = 0; i < most; i++)
        {
            hash = Step(hash, rest[i]);
            hashes[i] = hash;
        }

        for (length = most; length > 0; length--)
        {
            int id = Find(hashes[length - 1], rest[..length], continues ? -length : length);
            if (id >= 0)
            {
                return id;
            }
        }

        return -1;
    }

    private static bool Continues(string token, string prefix) => token.Length > prefix.Length && token.StartsWith(prefix, StringComparison.Ordinal);

    private static uint Step(uint hash, char c) => BitOperations.RotateLeft((hash ^ c) * 0x9E3779B1, 13);

    private int Find(uint hash, ReadOnlySpan<char> piece, int signedLength)
    {
        for (int i = (int)hash & mask; slots[i].Length != 0; i = (i + 1) & mask)
        {
            ref readonly Slot slot = ref slots[i];
            if (slot.Hash == hash && slot.Length == signedLength && piece.SequenceEqual(text.AsSpan(slot.Text, piece.Length)))
            {
                return slot.Id;
            }
        }

        return -1;
    }

    private void Insert(int start, int length, int id, bool continues)
    {
        uint hash = continues ? ContinueSeed : StartSeed;
        for (int i = 0; i < length; i++)
        {
            hash = Step(hash, text[start + i]);
        }

        int at = (int)hash & mask;
        while (slots[at].Length != 0)
        {
            at = (at + 1) & mask;
        }

        slots[at] = new Slot { Hash = hash, Text = start, Length = continues ? -length : length, Id = id };
        LongestPiece = Math.Max(LongestPiece, length);
    }
}
