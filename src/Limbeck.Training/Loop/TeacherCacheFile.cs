using System.Globalization;
using System.IO.MemoryMappedFiles;
using System.Security.Cryptography;

namespace Limbeck.Training.Loop;

/// <summary>The teacher's outputs for a data set on disk, memory-mapped for reading. Thread-safe, but for closing.</summary>
/// <remarks>
/// Per example: logits in float32, hidden states and attention scores in half precision. The layout is told in TeacherCacheHeader.
/// All chunks are checked by their hashes when a file is first opened; PATH.ok remembers size and time of change of the checked file.
/// </remarks>
public sealed unsafe class TeacherCacheFile : IDisposable
{
    private readonly TeacherCacheHeader header;
    private readonly MemoryMappedFile map;
    private readonly MemoryMappedViewAccessor view;
    private readonly byte* data;

    private TeacherCacheFile(TeacherCacheHeader header, MemoryMappedFile map)
    {
        this.header = header;
        this.map = map;
        view = map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        byte* pointer = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
        data = pointer + view.PointerOffset;
    }

    /// <summary>Number of examples.</summary>
    public int Count => header.Lengths.Length;

    /// <summary>What is stored for each example.</summary>
    public TeacherCacheShape Shape => header.Shape;

    /// <summary>The hash of all that the content depends on.</summary>
    public string Key => header.Key;

    /// <summary>A JSON text that tells what made it.</summary>
    public string Description => header.Description;

    /// <summary>Size of the file.</summary>
    public long Bytes => header.FileBytes;

    /// <summary>The size of the file that would be written, without the texts of key and description.</summary>
    /// <param name="lengths">Tokens of each example.</param>
    /// <param name="shape">What would be stored.</param>
    public static long EstimateBytes(ReadOnlySpan<int> lengths, TeacherCacheShape shape) => new TeacherCacheHeader("", "", shape, lengths.ToArray()).FileBytes;

    /// <summary>Opens a file; its chunks are checked unless they were before.</summary>
    /// <param name="path">The file.</param>
    /// <param name="key">The key it must have.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is damaged, or has another key; the message says how.</exception>
    public static TeacherCacheFile Open(string path, string key)
    {
        FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        MemoryMappedFile? map = null;
        try
        {
            TeacherCacheHeader header = TeacherCacheHeader.Read(file);
            if (header.Key != key)
            {
                throw TeacherCacheHeader.Damaged(file, $"its key is {header.Key}; needed is {key}");
            }

            if (file.Length != header.FileBytes)
            {
                throw TeacherCacheHeader.Damaged(file, $"it has {file.Length} bytes; its header needs {header.FileBytes}");
            }

            if (!IsRememberedVerified(path))
            {
                for (int i = 0; i < header.Chunks.Length; i++)
                {
                    if (!IsWhole(file, header.Chunks[i]))
                    {
                        int first = i == 0 ? 0 : header.Chunks[i - 1].EndRecord;
                        throw TeacherCacheHeader.Damaged(file, $"the outputs of examples {first} to {header.Chunks[i].EndRecord - 1} are not what was written (the hash differs)");
                    }
                }

                RememberVerified(path);
            }

            TouchAccess(path);
            map = MemoryMappedFile.CreateFromFile(file, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            return new TeacherCacheFile(header, map);
        }
        catch
        {
            map?.Dispose();
            file.Dispose();
            throw;
        }
    }

    /// <summary>Opens a file when it is there and sound. A damaged one, or one with another key, is deleted, so that it can be made again.</summary>
    /// <param name="path">The file.</param>
    /// <param name="key">The key it must have.</param>
    /// <param name="warn">Told why a file was deleted; null for no one.</param>
    /// <returns>The file, or null.</returns>
    public static TeacherCacheFile? TryOpen(string path, string key, Action<string>? warn = null)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            return Open(path, key);
        }
        catch (InvalidDataException error)
        {
            warn?.Invoke(error.Message);
            File.Delete(path);
            File.Delete(VerifiedPath(path));
            return null;
        }
    }

    /// <summary>The teacher's outputs for an example. Allocates nothing.</summary>
    /// <param name="index">The example's number, 0 to <see cref="Count"/>-1.</param>
    public TeacherRecord Get(int index)
    {
        if ((uint)index >= (uint)Count)
        {
            throw new ArgumentOutOfRangeException(nameof(index), $"the teacher cache has {Count} examples; number {index} is not among them.");
        }

        int length = header.Lengths[index];
        return new TeacherRecord(header.Shape, length, new ReadOnlySpan<byte>(data + header.Offsets[index], (int)header.Shape.RecordBytes(length)));
    }

    /// <summary>Unmaps the file; records that were read are no longer valid.</summary>
    public void Dispose()
    {
        if (!view.SafeMemoryMappedViewHandle.IsClosed)
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
            view.Dispose();
            map.Dispose();
        }
    }

    internal static string VerifiedPath(string path) => path + ".ok";

    internal static void RememberVerified(string path)
    {
        try
        {
            File.WriteAllText(VerifiedPath(path), Signature(path));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // A read-only or full disk: the file is checked again next time.
        }
    }

    /// <summary>Whether a chunk is in the file with the bytes that its hash says.</summary>
    internal static bool IsWhole(FileStream file, (int EndRecord, long Offset, long Bytes) chunk)
    {
        if (file.Length < chunk.Offset + chunk.Bytes + TeacherCacheHeader.HashBytes)
        {
            return false;
        }

        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] piece = new byte[1 << 20];
        file.Position = chunk.Offset;
        for (long left = chunk.Bytes; left > 0;)
        {
            int count = (int)Math.Min(left, piece.Length);
            file.ReadExactly(piece, 0, count);
            hash.AppendData(piece, 0, count);
            left -= count;
        }

        file.ReadExactly(piece, 0, TeacherCacheHeader.HashBytes);
        return hash.GetHashAndReset().AsSpan().SequenceEqual(piece.AsSpan(0, TeacherCacheHeader.HashBytes));
    }

    internal static bool IsRememberedVerified(string path) =>
        File.Exists(VerifiedPath(path)) && File.ReadAllText(VerifiedPath(path)) == Signature(path);

    private static string Signature(string path)
    {
        FileInfo info = new(path);
        return string.Create(CultureInfo.InvariantCulture, $"{info.Length} bytes, changed {info.LastWriteTimeUtc.Ticks}\n");
    }

    /// <summary>Notes the use, for the list of caches; many systems do not note it by themselves.</summary>
    internal static void TouchAccess(string path)
    {
        try
        {
            File.SetLastAccessTimeUtc(path, DateTime.UtcNow);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
        }
    }
}
