namespace Limbeck.Checkpoints;

/// <summary>A safetensors file, memory-mapped: opening reads the header only, and tensors come straight from the page cache.</summary>
public sealed class SafetensorsFile : ITensorSource
{
    private readonly MappedFile _file;
    private readonly SafetensorsHeader _header;

    private SafetensorsFile(MappedFile file, SafetensorsHeader header)
    {
        _file = file;
        _header = header;
        Entries = header.Tensors.ToDictionary(pair => pair.Key, pair => pair.Value.Entry);
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, TensorEntry> Entries { get; }

    /// <inheritdoc/>
    public string Path => _file.Path;

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Metadata => _header.Metadata;

    /// <summary>Maps a file and checks its header against every rule of the format.</summary>
    /// <exception cref="CheckpointException">The file is missing, unreadable or damaged; the message names the tensor, what was found and what is needed.</exception>
    public static SafetensorsFile Open(string path)
    {
        MappedFile file = MappedFile.Open(path);
        try
        {
            return new SafetensorsFile(file, SafetensorsHeader.Read(file));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Read(string name, Span<float> destination)
    {
        var (entry, begin, _) = Find(name);
        TensorReading.CheckDestination(entry, destination.Length);
        int width = TensorTypes.Bits(entry.Type) / 8;
        for (int done = 0; done < destination.Length; done += TensorReading.ChunkElements)
        {
            Span<float> part = destination.Slice(done, Math.Min(TensorReading.ChunkElements, destination.Length - done));
            FloatConversion.Widen(entry.Type, _file.Slice(_header.DataStart + begin + ((long)done * width), (long)part.Length * width), part);
        }
    }

    /// <inheritdoc/>
    public ReadOnlySpan<byte> Bytes(string name)
    {
        var (entry, begin, end) = Find(name);
        TensorReading.CheckSpan(entry, end - begin);
        return _file.Slice(_header.DataStart + begin, end - begin);
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private (TensorEntry Entry, long Begin, long End) Find(string name) =>
        _header.Tensors.TryGetValue(name, out var tensor) ? tensor : throw TensorReading.Missing(Path, name);
}
