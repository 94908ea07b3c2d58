using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace Limbeck.Training.Loop;

/// <summary>Writes scalars as a TensorBoard event file. Nothing else of TensorBoard's formats (no images, graphs or histograms).</summary>
/// <remarks>
/// A file is a sequence of records (TFRecord): uint64 length, masked CRC-32C of the length, the bytes, their masked CRC-32C, all little-endian.
/// The bytes are a protobuf <c>Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }</c> with
/// <c>Summary { repeated Value value = 1; }</c>, <c>Value { string tag = 1; float simple_value = 2; }</c>; the first names the version.
/// A resumed run continues its file: the records after the checkpoint's step are cut off. Not thread-safe.
/// </remarks>
public sealed class TensorBoardWriter : IDisposable
{
    private const string FilePrefix = "events.out.tfevents.";
    private const uint MaskDelta = 0xa282ead8;
    private const int HeaderBytes = 12;
    private const int LargestRecord = 1 << 20;

    private readonly FileStream file;
    private readonly TimeProvider time;
    private readonly MemoryStream record = new();

    private TensorBoardWriter(FileStream file, TimeProvider time)
    {
        this.file = file;
        this.time = time;
    }

    /// <summary>Starts a new event file.</summary>
    /// <param name="directory">The run's folder; made when it is not there. TensorBoard shows its name.</param>
    /// <param name="time">The clock of the events' wall time; null for the system's.</param>
    public static TensorBoardWriter Create(string directory, TimeProvider? time = null)
    {
        time ??= TimeProvider.System;
        Directory.CreateDirectory(directory);
        string start = time.GetUtcNow().ToUnixTimeMilliseconds().ToString("D13", CultureInfo.InvariantCulture);
        string path = Path.Combine(directory, $"{FilePrefix}{start}.limbeck");
        for (int n = 1; File.Exists(path); n++)
        {
            path = Path.Combine(directory, $"{FilePrefix}{start}.{n}.limbeck");
        }

        TensorBoardWriter writer = new(new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete), time);
        writer.WriteVersion();
        return writer;
    }

    /// <summary>Continues the newest event file that Limbeck wrote in the folder, without its events after the step; starts one when there is none.</summary>
    /// <param name="directory">The run's folder.</param>
    /// <param name="step">The step of the checkpoint that the run continues from.</param>
    /// <param name="time">The clock of the events' wall time; null for the system's.</param>
    public static TensorBoardWriter Resume(string directory, long step, TimeProvider? time = null)
    {
        string? path = Directory.Exists(directory)
            ? Directory.EnumerateFiles(directory, FilePrefix + "*.limbeck").Max(StringComparer.Ordinal)
            : null;
        if (path is null)
        {
            return Create(directory, time);
        }

        TensorBoardWriter writer = new(new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete), time ?? TimeProvider.System);
        writer.CutAfter(step);
        if (writer.file.Length == 0)
        {
            writer.WriteVersion();
        }

        return writer;
    }

    /// <summary>Adds one point to each of some curves.</summary>
    /// <param name="step">Updates done.</param>
    /// <param name="values">The curves' names ("train/loss"; the part before the slash groups them) and values; NaN and infinities are allowed.</param>
    public void Write(long step, params (string Tag, double Value)[] values)
    {
        ArgumentNullException.ThrowIfNull(values);
        using MemoryStream summary = new();
        Span<byte> single = stackalloc byte[4];
        foreach ((string tag, double value) in values)
        {
            using MemoryStream point = new();
            WriteField(point, 0x0a, Encoding.UTF8.GetBytes(tag));
            point.WriteByte(0x15);
            BinaryPrimitives.WriteSingleLittleEndian(single, (float)value);
            point.Write(single);
            WriteField(summary, 0x0a, point.ToArray());
        }

        BeginEvent(step);
        WriteField(record, 0x2a, summary.ToArray());
        EndEvent();
    }

    /// <summary>Flushes to the disk and closes the file.</summary>
    public void Dispose()
    {
        if (file.CanWrite)
        {
            file.Flush(flushToDisk: true);
        }

        file.Dispose();
        record.Dispose();
    }

    /// <summary>The CRC-32C (Castagnoli) of some bytes.</summary>
    internal static uint Crc32C(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        while (bytes.Length >= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[sizeof(ulong)..];
        }

        foreach (byte value in bytes)
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        return ~crc;
    }

    /// <summary>The checksum as TFRecord stores it: rotated and shifted, so that a checksum of checksums stays sound.</summary>
    internal static uint Mask(uint crc) => BitOperations.RotateRight(crc, 15) + MaskDelta;

    private void WriteVersion()
    {
        BeginEvent(0);
        WriteField(record, 0x1a, "brain.Event:2"u8);
        EndEvent();
    }

    private void BeginEvent(long step)
    {
        record.SetLength(0);
        record.WriteByte(0x09);
        Span<byte> wall = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleLittleEndian(wall, time.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0);
        record.Write(wall);
        record.WriteByte(0x10);
        WriteVarint(record, (ulong)step);
    }

    private void EndEvent()
    {
        int length = (int)record.Length;
        byte[] whole = new byte[HeaderBytes + length + 4];
        BinaryPrimitives.WriteInt64LittleEndian(whole, length);
        BinaryPrimitives.WriteUInt32LittleEndian(whole.AsSpan(8), Mask(Crc32C(whole.AsSpan(0, 8))));
        record.GetBuffer().AsSpan(0, length).CopyTo(whole.AsSpan(HeaderBytes));
        BinaryPrimitives.WriteUInt32LittleEndian(whole.AsSpan(HeaderBytes + length), Mask(Crc32C(whole.AsSpan(HeaderBytes, length))));
        file.Write(whole);
        file.Flush();
    }

    private static void WriteField(MemoryStream into, byte tag, ReadOnlySpan<byte> bytes)
    {
        into.WriteByte(tag);
        WriteVarint(into, (ulong)bytes.Length);
        into.Write(bytes);
    }

    private static void WriteVarint(MemoryStream into, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            into.WriteByte((byte)(value | 0x80));
        }

        into.WriteByte((byte)value);
    }

    /// <summary>Cuts the file before its first record that is torn, damaged or of a later step.</summary>
    private void CutAfter(long step)
    {
        byte[] bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        int good = 0;
        while (RecordAt(bytes.AsSpan(good)) is int length and >= 0 && StepOf(bytes.AsSpan(good + HeaderBytes, length)) <= step)
        {
            good += HeaderBytes + length + 4;
        }

        file.SetLength(good);
        file.Seek(0, SeekOrigin.End);
    }

    /// <summary>The length of the event that the bytes begin with, -1 when it is not whole.</summary>
    private static int RecordAt(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < HeaderBytes || BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]) != Mask(Crc32C(bytes[..8])))
        {
            return -1;
        }

        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        if (length > LargestRecord || (int)length > bytes.Length - HeaderBytes - 4)
        {
            return -1;
        }

        ReadOnlySpan<byte> data = bytes.Slice(HeaderBytes, (int)length);
        return BinaryPrimitives.ReadUInt32LittleEndian(bytes[(HeaderBytes + (int)length)..]) == Mask(Crc32C(data)) ? (int)length : -1;
    }

    /// <summary>The step of an event that this class wrote: wall time (9 bytes), tag 0x10, varint.</summary>
    private static long StepOf(ReadOnlySpan<byte> data)
    {
        if (data.Length < 11 || data[9] != 0x10)
        {
            return long.MaxValue;
        }

        ulong step = 0;
        for (int i = 10, shift = 0; i < data.Length && shift < 64; i++, shift += 7)
        {
            step |= (ulong)(data[i] & 0x7f) << shift;
            if (data[i] < 0x80)
            {
                return (long)step;
            }
        }

        return long.MaxValue;
    }
}
