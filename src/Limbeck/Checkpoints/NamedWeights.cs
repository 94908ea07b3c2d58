namespace Limbeck.Checkpoints;

/// <summary>A checkpoint's tensors under Hugging Face's present names, asked for by name and required shape. Does not own the source.</summary>
public sealed class NamedWeights
{
    private readonly Dictionary<string, TensorEntry> _entries = [];

    /// <summary>Renames what is in a checkpoint.</summary>
    /// <param name="source">The open checkpoint; it stays the caller's to dispose.</param>
    /// <exception cref="CheckpointException">Two tensors of the file have the same present name; both are named.</exception>
    public NamedWeights(ITensorSource source)
    {
        ArgumentNullException.ThrowIfNull(source);
        Source = source;
        var ignored = new List<string>();
        var faults = new List<string>();
        foreach (TensorEntry entry in source.Entries.Values)
        {
            string name = HuggingFaceNames.Canonical(entry.Name);
            if (HuggingFaceNames.IsIgnored(name))
            {
                ignored.Add(entry.Name);
            }
            else if (!_entries.TryAdd(name, entry))
            {
                faults.Add($"tensors '{_entries[name].Name}' and '{entry.Name}' both mean '{name}'; one of them is needed");
            }
        }
        Ignored = ignored;
        CheckpointException.ThrowIfAny(source.Path, faults);
    }

    /// <summary>The checkpoint under its own names.</summary>
    public ITensorSource Source { get; }

    /// <summary>Present name to the tensor as it is in the file.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Entries => _entries;

    /// <summary>The file's own names of tensors that are passed over.</summary>
    public IReadOnlyList<string> Ignored { get; }

    /// <summary>Whether a tensor is there.</summary>
    public bool Contains(string name) => _entries.ContainsKey(name);

    /// <summary>Holds the checkpoint against what a model needs, and reports everything that is missing, of another shape, or not a float, at once.</summary>
    /// <param name="needed">Present names and row-major shapes.</param>
    /// <param name="reason">Where the need comes from, with the sizes: <c>config.json (hidden_size 384, intermediate_size 1536)</c>.</param>
    /// <exception cref="CheckpointException">Anything does not fit; the message has file, tensor, got and needed.</exception>
    public void Require(IEnumerable<(string Name, IReadOnlyList<long> Shape)> needed, string reason)
    {
        ArgumentNullException.ThrowIfNull(needed);
        var faults = new List<string>();
        foreach ((string name, IReadOnlyList<long> shape) in needed)
        {
            if (!_entries.TryGetValue(name, out TensorEntry? entry))
            {
                faults.Add($"there is no tensor '{name}'; {reason} needs it as {TensorTypes.Text(shape)}");
            }
            else if (!entry.Shape.SequenceEqual(shape))
            {
                faults.Add($"tensor '{entry.Name}' is {TensorTypes.Text(entry.Shape)}; {reason} needs {TensorTypes.Text(shape)}. The two files are from different models: use the config.json saved with these weights");
            }
            else if (!TensorTypes.IsFloat(entry.Type))
            {
                faults.Add($"tensor '{entry.Name}' is {TensorTypes.Name(entry.Type)}; F32, F16, BF16 or F64 is needed");
            }
        }
        CheckpointException.ThrowIfAny(Source.Path, faults);
    }

    /// <summary>Copies a tensor, widened to float32, row-major.</summary>
    /// <param name="name">The present name.</param>
    /// <param name="destination">As many floats as the tensor has elements.</param>
    /// <exception cref="CheckpointException">No such tensor, another number of elements, or a type that is not a float.</exception>
    public void Read(string name, Span<float> destination) =>
        Source.Read(_entries.TryGetValue(name, out TensorEntry? entry) ? entry.Name : throw TensorReading.Missing(Source.Path, name), destination);
}
