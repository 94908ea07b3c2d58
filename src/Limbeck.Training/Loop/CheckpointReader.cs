using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Limbeck.Training.Loop;

/// <summary>An opened checkpoint, all of whose files were found undamaged. Reading is thread-safe.</summary>
public sealed unsafe class CheckpointReader : IDisposable
{
    private const int Piece = 1 << 26;

    private readonly SafeFileHandle floats;
    private readonly Dictionary<string, (long Offset, long Count)> arrays = new(StringComparer.Ordinal);
    private readonly HashSet<string> files;

    private CheckpointReader(string path, HashSet<string> files)
    {
        DirectoryPath = path;
        this.files = files;
        try
        {
            using JsonDocument index = JsonDocument.Parse(File.ReadAllBytes(FileOf(CheckpointWriter.IndexFile)));
            Step = index.RootElement.GetProperty("step").GetInt64();
            Score = index.RootElement.TryGetProperty("score", out JsonElement score) ? score.GetDouble() : null;
            foreach (JsonElement array in index.RootElement.GetProperty("floats").EnumerateArray())
            {
                arrays.Add(array.GetProperty("name").GetString()!, (array.GetProperty("offset").GetInt64(), array.GetProperty("count").GetInt64()));
            }
        }
        catch (Exception error) when (IsMalformed(error))
        {
            throw new InvalidDataException($"{path}: {CheckpointWriter.IndexFile} is not an index of this format: {error.Message}", error);
        }

        floats = File.OpenHandle(FileOf(CheckpointWriter.FloatsFile));
    }

    /// <summary>The checkpoint's folder.</summary>
    public string DirectoryPath { get; }

    /// <summary>Updates done.</summary>
    public long Step { get; }

    /// <summary>The score it was saved with, higher is better; null where there was none.</summary>
    public double? Score { get; }

    /// <summary>The names of the float arrays, in the order they were written.</summary>
    public IReadOnlyCollection<string> FloatNames => arrays.Keys;

    /// <summary>Whether there is a float array of that name.</summary>
    /// <param name="name">The name.</param>
    public bool HasFloats(string name) => arrays.ContainsKey(name);

    /// <summary>How many floats an array has.</summary>
    /// <param name="name">The name.</param>
    /// <exception cref="InvalidDataException">There is no such array.</exception>
    public long FloatCount(string name) => Find(name).Count;

    /// <summary>Reads an array of floats.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="values">Filled; as long as the array.</param>
    /// <exception cref="InvalidDataException">There is no such array, or it has another length; the message has both lengths.</exception>
    public void ReadFloats(string name, Span<float> values)
    {
        fixed (float* pointer = values)
        {
            ReadFloats(name, pointer, values.Length);
        }
    }

    /// <summary>Reads an array of floats into native memory; it may be larger than 2 GB.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="values">Filled.</param>
    /// <param name="count">As many as the array has.</param>
    /// <exception cref="InvalidDataException">There is no such array, or it has another length; the message has both lengths.</exception>
    public void ReadFloats(string name, float* values, long count)
    {
        (long offset, long have) = Find(name);
        if (have != count)
        {
            throw new InvalidDataException($"{FileOf(CheckpointWriter.FloatsFile)}: array '{name}' has {have} values; {count} are needed. The checkpoint is of another model or of other settings: continue with those it was made with.");
        }

        byte* into = (byte*)values;
        for (long bytes = count * sizeof(float); bytes > 0;)
        {
            int read = RandomAccess.Read(floats, new Span<byte>(into, (int)Math.Min(bytes, Piece)), offset);
            if (read == 0)
            {
                throw new InvalidDataException($"{FileOf(CheckpointWriter.FloatsFile)}: the file ends inside array '{name}'.");
            }

            into += read;
            offset += read;
            bytes -= read;
        }
    }

    /// <summary>Whether there is a JSON part of that name.</summary>
    /// <param name="name">The name it was written with, without <c>.json</c>.</param>
    public bool HasJson(string name) => files.Contains(name + ".json");

    /// <summary>Reads a JSON part.</summary>
    /// <param name="name">The name it was written with, without <c>.json</c>.</param>
    /// <exception cref="InvalidDataException">There is no such part, or it is not JSON.</exception>
    public JsonDocument ReadJson(string name)
    {
        string path = PathOfFile(name + ".json");
        try
        {
            return JsonDocument.Parse(File.ReadAllBytes(path));
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{path}: not JSON: {error.Message}", error);
        }
    }

    /// <summary>The full path of a file that was written with <see cref="CheckpointWriter.WriteFile"/>.</summary>
    /// <param name="fileName">Its name.</param>
    /// <exception cref="InvalidDataException">The checkpoint has no such file.</exception>
    public string PathOfFile(string fileName) => files.Contains(fileName)
        ? FileOf(fileName)
        : throw new InvalidDataException($"{DirectoryPath}: the checkpoint has no file '{fileName}'; it has {string.Join(", ", files.Order(StringComparer.Ordinal))}.");

    /// <summary>Closes the data file.</summary>
    public void Dispose() => floats.Dispose();

    internal static CheckpointReader Open(string path)
    {
        if (!Directory.Exists(path))
        {
            throw new DirectoryNotFoundException($"{path}: there is no such checkpoint folder.");
        }

        string manifestPath = Path.Combine(path, CheckpointWriter.ManifestFile);
        if (!File.Exists(manifestPath))
        {
            throw new InvalidDataException($"{path}: the checkpoint has no {CheckpointWriter.ManifestFile}, so it was not finished.");
        }

        HashSet<string> files = new(StringComparer.Ordinal);
        try
        {
            using JsonDocument manifest = JsonDocument.Parse(File.ReadAllBytes(manifestPath));
            int format = manifest.RootElement.GetProperty("format").GetInt32();
            if (format != CheckpointWriter.Format)
            {
                throw new InvalidDataException($"{manifestPath}: the checkpoint's format is {format}; this version of Limbeck reads {CheckpointWriter.Format}. Continue the run with the version that wrote it.");
            }

            foreach (JsonElement file in manifest.RootElement.GetProperty("files").EnumerateArray())
            {
                string name = file.GetProperty("name").GetString()!;
                Check(Path.Combine(path, Path.GetFileName(name)), file.GetProperty("bytes").GetInt64(), file.GetProperty("sha256").GetString()!);
                files.Add(name);
            }
        }
        catch (Exception error) when (IsMalformed(error))
        {
            throw new InvalidDataException($"{manifestPath}: the manifest is damaged: {error.Message}", error);
        }

        foreach (string needed in (string[])[CheckpointWriter.FloatsFile, CheckpointWriter.IndexFile])
        {
            if (!files.Contains(needed))
            {
                throw new InvalidDataException($"{manifestPath}: the manifest is damaged: it does not name {needed}.");
            }
        }

        return new CheckpointReader(path, files);
    }

    private static void Check(string path, long bytes, string sha256)
    {
        if (!File.Exists(path))
        {
            throw new InvalidDataException($"{path}: the file is missing; the checkpoint is damaged.");
        }

        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20);
        if (file.Length != bytes)
        {
            throw new InvalidDataException($"{path}: the file has {file.Length} bytes, the manifest says {bytes}; the checkpoint is damaged.");
        }

        if (Convert.ToHexStringLower(SHA256.HashData(file)) != sha256)
        {
            throw new InvalidDataException($"{path}: the file's bytes are not those that were written (its SHA-256 differs from the manifest's); the checkpoint is damaged.");
        }
    }

    private static bool IsMalformed(Exception error) =>
        error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException;

    private string FileOf(string name) => Path.Combine(DirectoryPath, name);

    private (long Offset, long Count) Find(string name) => arrays.TryGetValue(name, out (long, long) array)
        ? array
        : throw new InvalidDataException($"{FileOf(CheckpointWriter.FloatsFile)}: there is no array '{name}'. The checkpoint is of another model or of other settings: continue with those it was made with.");
}
