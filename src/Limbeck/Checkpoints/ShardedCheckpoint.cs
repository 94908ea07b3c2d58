using System.Text.Json;

namespace Limbeck.Checkpoints;

/// <summary>A checkpoint cut into several files with an index beside them (<c>model.safetensors.index.json</c>). Index and files must agree.</summary>
internal sealed class ShardedCheckpoint : ITensorSource
{
    /// <summary>The index is text of one line a tensor; more than this is no index.</summary>
    private const long MostIndexBytes = 100_000_000;

    private readonly Dictionary<string, ITensorSource> _shards;
    private readonly Dictionary<string, ITensorSource> _owners = [];
    private readonly Dictionary<string, TensorEntry> _entries = [];

    private ShardedCheckpoint(string path, Dictionary<string, ITensorSource> shards)
    {
        Path = path;
        _shards = shards;
        Metadata = shards.Values.Select(shard => shard.Metadata).FirstOrDefault() ?? new Dictionary<string, string>();
    }

    public IReadOnlyDictionary<string, TensorEntry> Entries => _entries;

    public string Path { get; }

    /// <summary>The first shard's: all shards of a model are written with the same.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens every shard that the index names.</summary>
    /// <param name="indexPath">The index; shards lie beside it.</param>
    /// <param name="open">Opens one shard.</param>
    public static ShardedCheckpoint Open(string indexPath, Func<string, ITensorSource> open)
    {
        SortedDictionary<string, string> map = ReadIndex(indexPath);
        var shards = new Dictionary<string, ITensorSource>();
        try
        {
            string directory = System.IO.Path.GetDirectoryName(indexPath) ?? "";
            var faults = new List<string>();
            foreach (string file in map.Values.Distinct().Order(StringComparer.Ordinal))
            {
                string shard = System.IO.Path.Combine(directory, file);
                if (File.Exists(shard))
                {
                    shards.Add(file, open(shard));
                }
                else
                {
                    faults.Add($"names {file}, which is not in {(directory.Length == 0 ? "the directory" : directory)}; {map.Count(pair => pair.Value == file)} tensors are missing, '{map.First(pair => pair.Value == file).Key}' first");
                }
            }
            CheckpointException.ThrowIfAny(indexPath, faults);
            var checkpoint = new ShardedCheckpoint(indexPath, shards);
            checkpoint.Join(map);
            return checkpoint;
        }
        catch
        {
            foreach (ITensorSource shard in shards.Values)
            {
                shard.Dispose();
            }
            throw;
        }
    }

    public void Read(string name, Span<float> destination) => Owner(name).Read(name, destination);

    public ReadOnlySpan<byte> Bytes(string name) => Owner(name).Bytes(name);

    public void Dispose()
    {
        foreach (ITensorSource shard in _shards.Values)
        {
            shard.Dispose();
        }
    }

    private ITensorSource Owner(string name) => _owners.TryGetValue(name, out ITensorSource? shard) ? shard : throw TensorReading.Missing(Path, name);

    private void Join(SortedDictionary<string, string> map)
    {
        var faults = new List<string>();
        foreach ((string file, ITensorSource shard) in _shards)
        {
            foreach ((string name, TensorEntry entry) in shard.Entries)
            {
                if (!_owners.TryAdd(name, shard))
                {
                    faults.Add($"tensor '{name}' is in two shards, {System.IO.Path.GetFileName(_owners[name].Path)} and {file}");
                }
                else if (!map.TryGetValue(name, out string? listed))
                {
                    faults.Add($"tensor '{name}' is in {file} but not in the index");
                }
                else
                {
                    _entries.Add(name, entry);
                    if (listed != file)
                    {
                        faults.Add($"tensor '{name}' is listed in {listed} but lies in {file}");
                    }
                }
            }
        }
        faults.AddRange(map.Where(pair => !_owners.ContainsKey(pair.Key)).Select(pair => $"tensor '{pair.Key}' is listed in {pair.Value}, which does not have it"));
        CheckpointException.ThrowIfAny(Path, faults);
    }

    private static SortedDictionary<string, string> ReadIndex(string path)
    {
        using JsonDocument document = JsonFile.Read(path, MostIndexBytes);
        if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("weight_map", out JsonElement weights) || weights.ValueKind != JsonValueKind.Object)
        {
            throw new CheckpointException($"{path}: must be an object with 'weight_map', an object of tensor names and file names");
        }
        var map = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var faults = new List<string>();
        foreach (JsonProperty property in weights.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.String)
            {
                faults.Add($"weight_map: tensor '{property.Name}' has {property.Value.GetRawText()}; the name of a file is needed");
                continue;
            }
            string file = property.Value.GetString()!;
            if (!IsPlainName(file))
            {
                faults.Add($"weight_map: tensor '{property.Name}' is in '{file}'; the plain name of a file beside the index is needed");
                continue;
            }
            map.Add(property.Name, file);
        }
        if (map.Count == 0 && faults.Count == 0)
        {
            faults.Add("weight_map is empty; at least one tensor is needed");
        }
        CheckpointException.ThrowIfAny(path, faults);
        return map;
    }

    private static bool IsPlainName(string file) => file.Length > 0 && file is not ("." or "..") && file.AsSpan().IndexOfAny('/', '\\', '\0') < 0 && file.IndexOf(':', StringComparison.Ordinal) < 0;
}
