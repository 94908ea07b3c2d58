namespace Limbeck.Checkpoints;

/// <summary>The checks that every tensor source makes before it copies, in the same words.</summary>
internal static class TensorReading
{
    /// <summary>Elements converted at a time: small enough that byte counts fit an int for the widest type.</summary>
    public const int ChunkElements = 1 << 24;

    /// <summary>The destination must have exactly the tensor's elements, and these must be floats.</summary>
    public static void CheckDestination(TensorEntry entry, int length)
    {
        if (!TensorTypes.IsFloat(entry.Type))
        {
            throw new CheckpointException($"{entry.File}: tensor '{entry.Name}' is {TensorTypes.Name(entry.Type)}; F32, F16, BF16 or F64 is needed to read it as numbers");
        }
        if (entry.Count != length)
        {
            throw new CheckpointException($"{entry.File}: tensor '{entry.Name}' is {TensorTypes.Text(entry.Shape)}, {entry.Count} numbers; {length} are needed");
        }
    }

    /// <summary>A span ends at 2 GiB.</summary>
    public static void CheckSpan(TensorEntry entry, long bytes)
    {
        if (bytes > int.MaxValue)
        {
            throw new CheckpointException($"{entry.File}: tensor '{entry.Name}' has {bytes} bytes; at most {int.MaxValue} can be had at once. Read it as numbers");
        }
    }

    /// <summary>The error for a name that is not there.</summary>
    public static CheckpointException Missing(string path, string name) => new($"{path}: there is no tensor '{name}'");
}
