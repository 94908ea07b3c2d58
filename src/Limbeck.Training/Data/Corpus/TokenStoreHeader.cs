using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Limbeck.Training.Data.Corpus;

/// <summary>The head of a token store and the places that follow from it.</summary>
/// <remarks>
/// Layout, little-endian: magic (8 bytes), version, bytes of the header, bytes of an id, bytes of the key, bytes of the description, 0 (int32 each), tokens, sentences,
/// documents (int64 each), SHA-256 of all behind the header, key, description (UTF-8), zeros, SHA-256 of all before it; a multiple of 64 bytes. Then come the ids of all
/// tokens, zeros to a multiple of 8, the first token of each sentence and at last the number of tokens (int64), the first sentence of each document and at last the number
/// of sentences (int64).
/// </remarks>
internal sealed record TokenStoreHeader(string Key, string Description, int IdBytes)
{
    internal const int HashBytes = SHA256.HashSizeInBytes;
    internal const int Version = 1;
    private const int FixedBytes = 88;
    private const int Alignment = 64;
    private const int MostTextBytes = 1 << 20;
    private static ReadOnlySpan<byte> Magic => "LMBTOKEN"u8;

    /// <summary>Tokens in all.</summary>
    public long Tokens { get; init; }

    /// <summary>Sentences in all.</summary>
    public long Sentences { get; init; }

    /// <summary>Documents in all.</summary>
    public long Documents { get; init; }

    /// <summary>SHA-256 of all behind the header.</summary>
    public byte[] BodyHash { get; init; } = new byte[HashBytes];

    /// <summary>Size of the header: where the ids begin.</summary>
    public int Bytes => (FixedBytes + Encoding.UTF8.GetByteCount(Key) + Encoding.UTF8.GetByteCount(Description) + HashBytes + Alignment - 1) & -Alignment;

    /// <summary>Where the sentences' first tokens lie.</summary>
    public long SentencesAt => Bytes + (((Tokens * IdBytes) + 7) & -8L);

    /// <summary>Where the documents' first sentences lie.</summary>
    public long DocumentsAt => SentencesAt + ((Sentences + 1) * sizeof(long));

    /// <summary>Size of the whole file.</summary>
    public long FileBytes => DocumentsAt + ((Documents + 1) * sizeof(long));

    public byte[] ToBytes()
    {
        byte[] bytes = new byte[Bytes];
        byte[] key = Encoding.UTF8.GetBytes(Key);
        byte[] description = Encoding.UTF8.GetBytes(Description);
        Magic.CopyTo(bytes);
        int[] numbers = [Version, Bytes, IdBytes, key.Length, description.Length];
        for (int i = 0; i < numbers.Length; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8 + (4 * i)), numbers[i]);
        }

        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(32), Tokens);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(40), Sentences);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(48), Documents);
        BodyHash.CopyTo(bytes, FixedBytes - HashBytes);
        key.CopyTo(bytes, FixedBytes);
        description.CopyTo(bytes, FixedBytes + key.Length);
        SHA256.HashData(bytes.AsSpan(0, Bytes - HashBytes), bytes.AsSpan(Bytes - HashBytes));
        return bytes;
    }

    /// <summary>Reads and checks the header of a file.</summary>
    /// <exception cref="InvalidDataException">It is not a token store of this version, or is damaged.</exception>
    public static TokenStoreHeader Read(FileStream file)
    {
        byte[] head = new byte[FixedBytes];
        file.Position = 0;
        if (file.ReadAtLeast(head, FixedBytes, throwOnEndOfStream: false) < FixedBytes || !head.AsSpan(0, 8).SequenceEqual(Magic))
        {
            throw Damaged(file, "it is not a token store");
        }

        int Number(int at) => BinaryPrimitives.ReadInt32LittleEndian(head.AsSpan(at));
        long Long(int at) => BinaryPrimitives.ReadInt64LittleEndian(head.AsSpan(at));
        if (Number(8) != Version)
        {
            throw Damaged(file, $"its format is {Number(8)}; this version of Limbeck reads {Version}");
        }

        int size = Number(12);
        int keyBytes = Number(20);
        int descriptionBytes = Number(24);
        if (size < FixedBytes + HashBytes || size > file.Length || keyBytes < 0 || descriptionBytes < 0 || keyBytes > MostTextBytes || descriptionBytes > MostTextBytes
            || FixedBytes + keyBytes + descriptionBytes + HashBytes > size || size > FixedBytes + (2 * MostTextBytes) + HashBytes + Alignment)
        {
            throw Damaged(file, $"its header says {size} bytes with texts of {keyBytes} and {descriptionBytes}; the file has {file.Length} bytes");
        }

        byte[] bytes = new byte[size];
        file.Position = 0;
        file.ReadExactly(bytes);
        if (!SHA256.HashData(bytes.AsSpan(0, size - HashBytes)).AsSpan().SequenceEqual(bytes.AsSpan(size - HashBytes)))
        {
            throw Damaged(file, "its header is not what was written (the hash differs)");
        }

        return new TokenStoreHeader(Encoding.UTF8.GetString(bytes, FixedBytes, keyBytes), Encoding.UTF8.GetString(bytes, FixedBytes + keyBytes, descriptionBytes), Number(16))
        {
            Tokens = Long(32),
            Sentences = Long(40),
            Documents = Long(48),
            BodyHash = head[(FixedBytes - HashBytes)..],
        };
    }

    public static InvalidDataException Damaged(FileStream file, string why) =>
        new($"{file.Name}: the corpus's tokens cannot be used: {why}. Delete the file (limbeck cache rm); it is made again.");
}
