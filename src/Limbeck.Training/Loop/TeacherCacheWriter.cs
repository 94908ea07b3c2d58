using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Limbeck.Tensors.Kernels;

namespace Limbeck.Training.Loop;

/// <summary>Writes a teacher cache file, example by example in order. Not thread-safe.</summary>
/// <remarks>
/// The records go into PATH.part, which is renamed when all are there. A part that a killed run left is taken up after its last whole chunk
/// when its header is the same, and is begun anew otherwise. PATH.lock keeps a second process out.
/// </remarks>
public sealed unsafe class TeacherCacheWriter : IDisposable
{
    private readonly string path;
    private readonly FileLock held;
    private readonly FileStream file;
    private readonly TeacherCacheHeader header;
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private byte[] record = [];
    private int chunk;

    private TeacherCacheWriter(string path, FileLock held, FileStream file, TeacherCacheHeader header)
    {
        this.path = path;
        this.held = held;
        this.file = file;
        this.header = header;
    }

    /// <summary>Examples written, those that a killed run left included: the number of the next one.</summary>
    public int Count { get; private set; }

    /// <summary>Examples in all.</summary>
    public int Total => header.Lengths.Length;

    /// <summary>Begins a file or takes up a part of it.</summary>
    /// <param name="path">The file to be.</param>
    /// <param name="key">The hash of all that its content depends on.</param>
    /// <param name="description">A JSON text that tells a person what made it.</param>
    /// <param name="shape">What is stored.</param>
    /// <param name="lengths">Tokens of each example, in the order they will be written.</param>
    /// <returns>The writer, or null when another process is writing it or the file is there by now: wait a little and try to open it.</returns>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    public static TeacherCacheWriter? TryBegin(string path, string key, string description, TeacherCacheShape shape, ReadOnlySpan<int> lengths)
    {
        path = Path.GetFullPath(path);
        TeacherCacheHeader header = new(key, description, shape, lengths.ToArray());
        FileLock? held = FileLock.TryTake(path + ".lock");
        if (held is null)
        {
            return null;
        }

        if (File.Exists(path))
        {
            held.Dispose();
            return null;
        }

        FileStream? file = null;
        try
        {
            file = new FileStream(path + ".part", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete, 1 << 20);
            TeacherCacheWriter writer = new(path, held, file, header);
            writer.TakeUp();
            return writer;
        }
        catch
        {
            file?.Dispose();
            held.Dispose();
            throw;
        }
    }

    /// <summary>Adds the teacher's outputs for the next example.</summary>
    /// <param name="index">The example's number; they come in order, so this is <see cref="Count"/>.</param>
    /// <param name="logits">[C].</param>
    /// <param name="hidden">A pointer to [len, H] for each stored hidden state; null where none is stored.</param>
    /// <param name="attention">A pointer to [A, len, len] for each stored layer's scores; null where none is stored.</param>
    /// <exception cref="ArgumentException">Another number than the next.</exception>
    /// <exception cref="InvalidDataException">A value is not finite, or beyond what half precision holds (65504).</exception>
    /// <exception cref="IOException">The disk is full, for one.</exception>
    public void Append(int index, float* logits, float** hidden, float** attention)
    {
        if (index != Count || index >= Total)
        {
            throw new ArgumentException($"{path}: example {index} was given; the next is {Count} of {Total}.", nameof(index));
        }

        TeacherCacheShape shape = header.Shape;
        int length = header.Lengths[index];
        int bytes = (int)shape.RecordBytes(length);
        if (record.Length < bytes)
        {
            record = new byte[bytes];
        }

        Span<byte> into = record.AsSpan(0, bytes);
        ReadOnlySpan<float> scores = new(logits, shape.Classes);
        foreach (float score in scores)
        {
            if (!float.IsFinite(score))
            {
                throw new InvalidDataException($"{path}: a logit of the teacher for example {index} is {score}. The teacher is damaged or its input is; check it with 'limbeck doctor MODEL'.");
            }
        }

        MemoryMarshal.AsBytes(scores).CopyTo(into);
        into = into[(shape.Classes * sizeof(float))..];
        for (int layer = 0; layer < shape.HiddenLayers; layer++)
        {
            Narrow(ref into, hidden[layer], length * shape.HiddenSize, index, "hidden state");
        }

        for (int layer = 0; layer < shape.AttentionLayers; layer++)
        {
            Narrow(ref into, attention[layer], shape.Heads * length * length, index, "attention score");
        }

        into.Clear();
        try
        {
            Put(record.AsSpan(0, bytes));
        }
        catch (IOException error)
        {
            throw new IOException(
                $"{file.Name}: the teacher's outputs could not be written ({header.FileBytes} bytes in all): {error.Message}. Free some space, or use --cache-dir on another disk or --no-teacher-cache.", error);
        }

        Count++;
    }

    /// <summary>Flushes the file to the disk, gives it its name and opens it.</summary>
    /// <exception cref="InvalidOperationException">Examples are missing.</exception>
    public TeacherCacheFile Complete()
    {
        if (Count != Total)
        {
            throw new InvalidOperationException($"{path}: {Count} of {Total} examples were written; the teacher's outputs are complete only with all of them.");
        }

        file.Flush(flushToDisk: true);
        file.Dispose();
        File.Move(path + ".part", path, overwrite: true);
        TeacherCacheFile.RememberVerified(path);
        TeacherCacheFile opened = TeacherCacheFile.Open(path, header.Key);
        Dispose();
        File.Delete(path + ".lock");
        return opened;
    }

    /// <summary>Closes the part; what is there of it is taken up by the next writer.</summary>
    public void Dispose()
    {
        try
        {
            file.Dispose();
        }
        catch (IOException)
        {
            // A full disk: the last chunk is torn, which the next writer finds by its hash.
        }

        hash.Dispose();
        held.Dispose();
    }

    /// <summary>Writes a record, and the chunk's hash behind the last of a chunk.</summary>
    private void Put(ReadOnlySpan<byte> bytes)
    {
        file.Write(bytes);
        hash.AppendData(bytes);
        if (Count + 1 == header.Chunks[chunk].EndRecord)
        {
            file.Write(hash.GetHashAndReset());
            file.Flush();
            chunk++;
        }
    }

    private void Narrow(ref Span<byte> into, float* values, int count, int index, string what)
    {
        if (!HalfConversion.Narrow(new ReadOnlySpan<float>(values, count), MemoryMarshal.Cast<byte, Half>(into[..(count * 2)])))
        {
            throw new InvalidDataException($"{path}: a {what} of the teacher for example {index} is not finite or beyond 65504, which half precision cannot hold. Run with --no-teacher-cache.");
        }

        into = into[(count * 2)..];
    }

    /// <summary>Finds the last whole chunk of a part and stands behind it; writes the header when the part is another's or new.</summary>
    private void TakeUp()
    {
        byte[] head = header.ToBytes();
        byte[] found = new byte[head.Length];
        long good = head.Length;
        if (file.ReadAtLeast(found, found.Length, throwOnEndOfStream: false) == found.Length && found.AsSpan().SequenceEqual(head))
        {
            while (chunk < header.Chunks.Length && TeacherCacheFile.IsWhole(file, header.Chunks[chunk]))
            {
                Count = header.Chunks[chunk].EndRecord;
                good = header.Chunks[chunk].Offset + header.Chunks[chunk].Bytes + TeacherCacheHeader.HashBytes;
                chunk++;
            }

            file.SetLength(good);
            file.Position = good;
            return;
        }

        file.SetLength(0);
        file.Position = 0;
        file.Write(head);
        file.Flush();
    }
}
