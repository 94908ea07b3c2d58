using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Limbeck.Training.Loop;

/// <summary>The head of a teacher cache file and the places that follow from it.</summary>
/// <remarks>
/// Layout, little-endian: magic (8 bytes), version, bytes of the header, C, hidden layers, H, attention layers, A, bytes of the key (int32
/// each), examples (int64), bytes of the description, 0 (int32 each), key, description (UTF-8), each example's length (int32), zeros, SHA-256
/// of all before it; a multiple of 64 bytes. Then come the records in chunks: a chunk ends with the record that brings it to
/// <see cref="ChunkBytes"/> or with the last one, and is followed by its SHA-256. So all places follow from the lengths alone,
/// and a file that was cut anywhere is good up to its last whole chunk.
/// </remarks>
internal sealed class TeacherCacheHeader
{
    internal const long ChunkBytes = 16 << 20;
    internal const int HashBytes = SHA256.HashSizeInBytes;
    private const int Version = 1;
    private const int FixedBytes = 56;
    private const int HeaderAlignment = 64;
    private static ReadOnlySpan<byte> Magic => "LMBTEACH"u8;

    public TeacherCacheHeader(string key, string description, TeacherCacheShape shape, int[] lengths)
    {
        shape.Validate();
        foreach (int length in lengths)
        {
            if (length < 1)
            {
                throw new ArgumentException($"an example of {length} tokens cannot be in a teacher cache; every example has at least one.");
            }

            if (shape.RecordBytes(length) > Array.MaxLength)
            {
                throw new ArgumentException($"the teacher's outputs for one example of {length} tokens take {shape.RecordBytes(length)} bytes; a record has less than 2 GB. Store fewer layers, or run with --no-teacher-cache.");
            }
        }

        (Key, Description, Shape, Lengths) = (key, description, shape, lengths);
        Bytes = SizeOf(Encoding.UTF8.GetByteCount(key) + Encoding.UTF8.GetByteCount(description), lengths.Length);

        Offsets = new long[lengths.Length];
        List<(int EndRecord, long Offset, long Bytes)> chunks = [];
        long position = Bytes;
        long begin = position;
        for (int i = 0; i < lengths.Length; i++)
        {
            Offsets[i] = position;
            position += shape.RecordBytes(lengths[i]);
            if (position - begin >= ChunkBytes || i == lengths.Length - 1)
            {
                chunks.Add((i + 1, begin, position - begin));
                position += HashBytes;
                begin = position;
            }
        }

        Chunks = [.. chunks];
        FileBytes = position;
    }

    public string Key { get; }

    public string Description { get; }

    public TeacherCacheShape Shape { get; }

    public int[] Lengths { get; }

    /// <summary>Where each record begins in the file.</summary>
    public long[] Offsets { get; }

    /// <summary>Each chunk: the number of records up to its end, where it begins, its bytes without the hash.</summary>
    public (int EndRecord, long Offset, long Bytes)[] Chunks { get; }

    /// <summary>Size of the header.</summary>
    public int Bytes { get; }

    /// <summary>Size of the whole file.</summary>
    public long FileBytes { get; }

    /// <summary>Size of a header.</summary>
    /// <param name="textBytes">Bytes of key and description.</param>
    /// <param name="examples">Number of examples.</param>
    public static int SizeOf(int textBytes, int examples) =>
        checked((FixedBytes + textBytes + (examples * sizeof(int)) + HashBytes + HeaderAlignment - 1) & -HeaderAlignment);

    public byte[] ToBytes()
    {
        byte[] bytes = new byte[Bytes];
        byte[] key = Encoding.UTF8.GetBytes(Key);
        byte[] description = Encoding.UTF8.GetBytes(Description);
        Magic.CopyTo(bytes);
        int[] numbers = [Version, Bytes, Shape.Classes, Shape.HiddenLayers, Shape.HiddenSize, Shape.AttentionLayers, Shape.Heads, key.Length];
        for (int i = 0; i < numbers.Length; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8 + (4 * i)), numbers[i]);
        }

        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(40), Lengths.Length);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(48), description.Length);
        key.CopyTo(bytes, FixedBytes);
        description.CopyTo(bytes, FixedBytes + key.Length);
        int at = FixedBytes + key.Length + description.Length;
        foreach (int length in Lengths)
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), length);
            at += sizeof(int);
        }

        SHA256.HashData(bytes.AsSpan(0, Bytes - HashBytes), bytes.AsSpan(Bytes - HashBytes));
        return bytes;
    }

    /// <summary>Reads and checks the header of a file.</summary>
    /// <exception cref="InvalidDataException">It is not a teacher cache of this version, or is damaged.</exception>
    public static TeacherCacheHeader Read(FileStream file)
    {
        (string key, string description, byte[] fixedPart) = ReadTexts(file);
        int size = BinaryPrimitives.ReadInt32LittleEndian(fixedPart.AsSpan(12));
        long examples = BinaryPrimitives.ReadInt64LittleEndian(fixedPart.AsSpan(40));
        if (size < FixedBytes || size > file.Length || examples < 0 || examples > size / sizeof(int))
        {
            throw Damaged(file, $"its header says {size} bytes and {examples} examples; the file has {file.Length} bytes");
        }

        byte[] bytes = new byte[size];
        file.Position = 0;
        file.ReadExactly(bytes);
        if (!SHA256.HashData(bytes.AsSpan(0, size - HashBytes)).AsSpan().SequenceEqual(bytes.AsSpan(size - HashBytes)))
        {
            throw Damaged(file, "its header is not what was written (the hash differs)");
        }

        int[] lengths = new int[examples];
        int at = FixedBytes + Encoding.UTF8.GetByteCount(key) + Encoding.UTF8.GetByteCount(description);
        for (int i = 0; i < lengths.Length; i++, at += sizeof(int))
        {
            lengths[i] = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at));
        }

        int Number(int offset) => BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(offset));
        return new TeacherCacheHeader(key, description, new TeacherCacheShape(Number(16), Number(20), Number(24), Number(28), Number(32)), lengths);
    }

    /// <summary>Reads key and description only, unchecked: enough for a list.</summary>
    /// <exception cref="InvalidDataException">It is not a teacher cache of this version.</exception>
    public static (string Key, string Description, byte[] FixedPart) ReadTexts(FileStream file)
    {
        byte[] bytes = new byte[FixedBytes];
        file.Position = 0;
        if (file.ReadAtLeast(bytes, FixedBytes, throwOnEndOfStream: false) < FixedBytes || !bytes.AsSpan(0, 8).SequenceEqual(Magic))
        {
            throw Damaged(file, "it is not a teacher cache");
        }

        int version = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(8));
        if (version != Version)
        {
            throw Damaged(file, $"its format is {version}; this version of Limbeck reads {Version}");
        }

        int keyBytes = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(36));
        int descriptionBytes = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(48));
        if (keyBytes < 0 || descriptionBytes < 0 || (long)keyBytes + descriptionBytes > file.Length - FixedBytes)
        {
            throw Damaged(file, "its header is not what was written (a text runs over the end)");
        }

        byte[] texts = new byte[keyBytes + descriptionBytes];
        file.ReadExactly(texts);
        return (Encoding.UTF8.GetString(texts, 0, keyBytes), Encoding.UTF8.GetString(texts, keyBytes, descriptionBytes), bytes);
    }

    public static InvalidDataException Damaged(FileStream file, string why) =>
        new($"{file.Name}: the teacher's outputs cannot be used: {why}. Delete the file (limbeck cache rm); it is made again.");
}
