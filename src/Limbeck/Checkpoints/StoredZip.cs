using System.Buffers.Binary;
using System.Text;

namespace Limbeck.Checkpoints;

/// <summary>Where the files of a zip archive lie, when they are stored as they are. PyTorch writes no other kind, so nothing is ever inflated.</summary>
internal static class StoredZip
{
    private const uint EndSignature = 0x06054B50;
    private const uint End64Signature = 0x06064B50;
    private const uint Locator64Signature = 0x07064B50;
    private const uint CentralSignature = 0x02014B50;
    private const uint LocalSignature = 0x04034B50;
    private const int EndBytes = 22;
    private const int End64Bytes = 56;
    private const int Locator64Bytes = 20;
    private const int CentralBytes = 46;
    private const int LocalBytes = 30;

    /// <summary>Every file of the archive and the place of its bytes.</summary>
    /// <exception cref="CheckpointException">Cut off, damaged, compressed or encrypted; the message names the file inside.</exception>
    public static Dictionary<string, (long Offset, long Length)> Read(MappedFile file)
    {
        (long offset, long length) = FindDirectory(file);
        if (length > int.MaxValue || offset < 0 || length < 0 || offset > file.Length - length)
        {
            throw Broken(file, $"the directory would be {length} bytes at {offset}; the file has {file.Length}");
        }
        ReadOnlySpan<byte> directory = file.Slice(offset, length);
        var entries = new Dictionary<string, (long Offset, long Length)>();
        while (directory.Length > 0)
        {
            if (directory.Length < CentralBytes || BinaryPrimitives.ReadUInt32LittleEndian(directory) != CentralSignature)
            {
                throw Broken(file, $"the directory has something else than an entry, {directory.Length} bytes before its end");
            }
            int nameLength = BinaryPrimitives.ReadUInt16LittleEndian(directory[28..]);
            int extraLength = BinaryPrimitives.ReadUInt16LittleEndian(directory[30..]);
            int total = CentralBytes + nameLength + extraLength + BinaryPrimitives.ReadUInt16LittleEndian(directory[32..]);
            if (directory.Length < total)
            {
                throw Broken(file, "the last entry of the directory is cut off");
            }
            string name = Encoding.UTF8.GetString(directory.Slice(CentralBytes, nameLength));
            if (!entries.TryAdd(name, ReadEntry(file, name, directory[..(CentralBytes + nameLength + extraLength)], offset)))
            {
                throw Broken(file, $"'{name}' is in it twice");
            }
            directory = directory[total..];
        }
        return entries;
    }

    private static (long Offset, long Length) ReadEntry(MappedFile file, string name, ReadOnlySpan<byte> entry, long directoryOffset)
    {
        int flags = BinaryPrimitives.ReadUInt16LittleEndian(entry[8..]);
        int method = BinaryPrimitives.ReadUInt16LittleEndian(entry[10..]);
        long packed = BinaryPrimitives.ReadUInt32LittleEndian(entry[20..]);
        long length = BinaryPrimitives.ReadUInt32LittleEndian(entry[24..]);
        long local = BinaryPrimitives.ReadUInt32LittleEndian(entry[42..]);
        if ((flags & 1) != 0 || method != 0)
        {
            throw new CheckpointException($"{file.Path}: '{name}' in the archive is {(method != 0 ? "compressed" : "encrypted")}; torch.save stores files as they are. Save it again with torch.save or as safetensors");
        }
        ReadOnlySpan<byte> extra = entry[(CentralBytes + BinaryPrimitives.ReadUInt16LittleEndian(entry[28..]))..];
        while (extra.Length >= 4)
        {
            int id = BinaryPrimitives.ReadUInt16LittleEndian(extra);
            int size = Math.Min(BinaryPrimitives.ReadUInt16LittleEndian(extra[2..]), extra.Length - 4);
            if (id == 1)
            {
                ReadOnlySpan<byte> wide = extra.Slice(4, size);
                length = Widen(file, name, length, ref wide);
                packed = Widen(file, name, packed, ref wide);
                local = Widen(file, name, local, ref wide);
            }
            extra = extra[(4 + size)..];
        }
        if (packed != length)
        {
            throw Broken(file, $"'{name}' is stored in {packed} bytes but has {length}");
        }
        if (local < 0 || local > directoryOffset - LocalBytes || BinaryPrimitives.ReadUInt32LittleEndian(file.Slice(local, LocalBytes)) != LocalSignature)
        {
            throw Broken(file, $"'{name}' would start at byte {local}, where no file starts");
        }
        ReadOnlySpan<byte> header = file.Slice(local, LocalBytes);
        long data = local + LocalBytes + BinaryPrimitives.ReadUInt16LittleEndian(header[26..]) + BinaryPrimitives.ReadUInt16LittleEndian(header[28..]);
        if (length < 0 || data > directoryOffset - length)
        {
            throw Broken(file, $"'{name}' needs {length} bytes at {data}; the files end at {directoryOffset}");
        }
        return (data, length);
    }

    private static long Widen(MappedFile file, string name, long value, ref ReadOnlySpan<byte> wide)
    {
        if (value != uint.MaxValue)
        {
            return value;
        }
        if (wide.Length < sizeof(long))
        {
            throw Broken(file, $"'{name}' lacks its 64-bit sizes");
        }
        value = BinaryPrimitives.ReadInt64LittleEndian(wide);
        wide = wide[sizeof(long)..];
        return value;
    }

    private static (long Offset, long Length) FindDirectory(MappedFile file)
    {
        int tailLength = (int)Math.Min(file.Length, EndBytes + ushort.MaxValue);
        ReadOnlySpan<byte> tail = file.Slice(file.Length - tailLength, tailLength);
        for (int i = tailLength - EndBytes; i >= 0; i--)
        {
            ReadOnlySpan<byte> end = tail[i..];
            if (BinaryPrimitives.ReadUInt32LittleEndian(end) != EndSignature || BinaryPrimitives.ReadUInt16LittleEndian(end[20..]) != end.Length - EndBytes)
            {
                continue;
            }
            long length = BinaryPrimitives.ReadUInt32LittleEndian(end[12..]);
            long offset = BinaryPrimitives.ReadUInt32LittleEndian(end[16..]);
            long at = file.Length - tailLength + i;
            bool wide = length == uint.MaxValue || offset == uint.MaxValue || BinaryPrimitives.ReadUInt16LittleEndian(end[10..]) == ushort.MaxValue;
            return wide ? FindWideDirectory(file, at) : (offset, length);
        }
        throw Broken(file, $"the archive's directory, which belongs at its end, is not in its {file.Length} bytes: the file is cut off");
    }

    private static (long Offset, long Length) FindWideDirectory(MappedFile file, long end)
    {
        if (end >= Locator64Bytes)
        {
            ReadOnlySpan<byte> locator = file.Slice(end - Locator64Bytes, Locator64Bytes);
            long at = BinaryPrimitives.ReadInt64LittleEndian(locator[8..]);
            if (BinaryPrimitives.ReadUInt32LittleEndian(locator) == Locator64Signature && at >= 0 && at <= end - End64Bytes)
            {
                ReadOnlySpan<byte> wide = file.Slice(at, End64Bytes);
                if (BinaryPrimitives.ReadUInt32LittleEndian(wide) == End64Signature)
                {
                    return (BinaryPrimitives.ReadInt64LittleEndian(wide[48..]), BinaryPrimitives.ReadInt64LittleEndian(wide[40..]));
                }
            }
        }
        throw Broken(file, "the archive's 64-bit directory is not where it should be");
    }

    private static CheckpointException Broken(MappedFile file, string what) => new($"{file.Path}: is not a whole zip archive: {what}. Fetch or save it again");
}
