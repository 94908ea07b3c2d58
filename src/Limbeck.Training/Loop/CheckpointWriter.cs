using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;

namespace Limbeck.Training.Loop;

/// <summary>Writes the parts of one checkpoint; given by <see cref="CheckpointStore.Save"/>.</summary>
/// <remarks>
/// The folder holds <c>floats.bin</c> (all float arrays end to end, little-endian, each at a multiple of 64 bytes), <c>checkpoint.json</c>
/// (step, score, and name, offset and count of each array), the JSON parts <c>NAME.json</c>, any other files, and <c>manifest.json</c>
/// (format, and name, size and SHA-256 of each file).
/// </remarks>
public sealed unsafe class CheckpointWriter : IDisposable
{
    internal const string FloatsFile = "floats.bin";
    internal const string IndexFile = "checkpoint.json";
    internal const string ManifestFile = "manifest.json";
    internal const int Format = 1;
    internal const int Alignment = 64;

    /// <summary>Floats that are hashed and written at once: small enough to be in the cache for the second.</summary>
    private const int Piece = 1 << 18;

    private readonly string directory;
    private readonly FileStream floats;
    private readonly IncrementalHash floatsHash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly List<(string Name, long Offset, long Count)> arrays = [];
    private readonly List<(string Name, long Bytes, string Sha256)> files = [];
    private long position;

    internal CheckpointWriter(string directory)
    {
        this.directory = directory;
        floats = new FileStream(Path.Combine(directory, FloatsFile), FileMode.CreateNew, FileAccess.Write, FileShare.None, 1);
    }

    /// <summary>Writes an array of floats.</summary>
    /// <param name="name">Its name, once only; any text.</param>
    /// <param name="values">The values; their bits are kept.</param>
    public void WriteFloats(string name, ReadOnlySpan<float> values)
    {
        fixed (float* pointer = values)
        {
            WriteFloats(name, pointer, values.Length);
        }
    }

    /// <summary>Writes an array of floats from native memory; it may be larger than 2 GB.</summary>
    /// <param name="name">Its name, once only; any text.</param>
    /// <param name="values">The values; their bits are kept.</param>
    /// <param name="count">How many.</param>
    /// <exception cref="ArgumentException">The name was used before.</exception>
    public void WriteFloats(string name, float* values, long count)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        if (arrays.Exists(array => array.Name == name))
        {
            throw new ArgumentException($"the checkpoint has an array named '{name}' already.", nameof(name));
        }

        Span<byte> zeros = stackalloc byte[Alignment];
        zeros.Clear();
        Put(zeros[..(int)(-position & (Alignment - 1))]);
        arrays.Add((name, position, count));
        for (long done = 0; done < count; done += Piece)
        {
            Put(MemoryMarshal.AsBytes(new ReadOnlySpan<float>(values + done, (int)Math.Min(Piece, count - done))));
        }
    }

    /// <summary>Writes a JSON object.</summary>
    /// <param name="name">Its name, once only: letters, digits, dots, hyphens and underscores; the file is NAME.json.</param>
    /// <param name="write">Writes the keys; the object is begun and ended around it.</param>
    public void WriteJson(string name, Action<Utf8JsonWriter> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        WriteFile(name + ".json", path => WriteObject(path, write));
    }

    /// <summary>Has another file written into the checkpoint, a model for instance; it is flushed and put into the manifest.</summary>
    /// <param name="fileName">Its name, once only: letters, digits, dots, hyphens and underscores.</param>
    /// <param name="write">Is given the full path and leaves a closed file there.</param>
    public void WriteFile(string fileName, Action<string> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(fileName);
        ArgumentNullException.ThrowIfNull(write);
        bool plain = fileName[0] != '.' && fileName.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_');
        string path = Path.Combine(directory, fileName);
        if (!plain || fileName is FloatsFile or IndexFile or ManifestFile || File.Exists(path))
        {
            throw new ArgumentException(
                $"a checkpoint cannot have a file '{fileName}': names are made of letters, digits, dots, hyphens and underscores, are used once, and are not {FloatsFile}, {IndexFile} or {ManifestFile}.", nameof(fileName));
        }

        write(path);
        AddFlushed(fileName);
    }

    /// <summary>Closes the data file without finishing the checkpoint, unless it is finished.</summary>
    public void Dispose()
    {
        floats.Dispose();
        floatsHash.Dispose();
    }

    internal void Complete(long step, double? score)
    {
        floats.Flush(flushToDisk: true);
        floats.Dispose();
        files.Add((FloatsFile, position, Convert.ToHexStringLower(floatsHash.GetHashAndReset())));
        WriteObject(Path.Combine(directory, IndexFile), json =>
        {
            json.WriteNumber("step", step);
            if (score is double number)
            {
                json.WriteNumber("score", number);
            }

            json.WriteStartArray("floats");
            foreach ((string name, long offset, long count) in arrays)
            {
                json.WriteStartObject();
                json.WriteString("name", name);
                json.WriteNumber("offset", offset);
                json.WriteNumber("count", count);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        });
        AddFlushed(IndexFile);

        string manifest = Path.Combine(directory, ManifestFile);
        WriteObject(manifest, json =>
        {
            json.WriteNumber("format", Format);
            json.WriteStartArray("files");
            foreach ((string name, long bytes, string sha256) in files)
            {
                json.WriteStartObject();
                json.WriteString("name", name);
                json.WriteNumber("bytes", bytes);
                json.WriteString("sha256", sha256);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        });
        Flush(manifest);
    }

    private static void WriteObject(string path, Action<Utf8JsonWriter> write)
    {
        using FileStream file = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);
        using Utf8JsonWriter json = new(file, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        write(json);
        json.WriteEndObject();
    }

    private static void Flush(string path)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.ReadWrite);
        file.Flush(flushToDisk: true);
    }

    private void AddFlushed(string fileName)
    {
        string path = Path.Combine(directory, fileName);
        Flush(path);
        using FileStream file = File.OpenRead(path);
        files.Add((fileName, file.Length, Convert.ToHexStringLower(SHA256.HashData(file))));
    }

    private void Put(ReadOnlySpan<byte> bytes)
    {
        floats.Write(bytes);
        floatsHash.AppendData(bytes);
        position += bytes.Length;
    }
}
