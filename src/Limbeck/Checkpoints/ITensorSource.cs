namespace Limbeck.Checkpoints;

/// <summary>An opened checkpoint: tensors by name, checked when it was opened, read on demand.</summary>
/// <remarks>Reading is thread-safe; <see cref="IDisposable.Dispose"/> is not, and every span from <see cref="Bytes"/> ends with it.</remarks>
public interface ITensorSource : IDisposable
{
    /// <summary>Every tensor, by its name in the file.</summary>
    IReadOnlyDictionary<string, TensorEntry> Entries { get; }

    /// <summary>The file that was opened (the index, for a sharded checkpoint).</summary>
    string Path { get; }

    /// <summary>The file's own remarks; empty for formats that have none.</summary>
    IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Copies a tensor, widened to float32, row-major.</summary>
    /// <param name="name">The name in the file.</param>
    /// <param name="destination">As many floats as the tensor has elements.</param>
    /// <exception cref="CheckpointException">No such tensor, another number of elements, or a type that is not a float; the message has both sides.</exception>
    void Read(string name, Span<float> destination);

    /// <summary>A tensor's bytes in its own type, row-major, little-endian. Memory of the file where it lies so, a copy where it is strided.</summary>
    /// <exception cref="CheckpointException">No such tensor, or more than 2 GiB.</exception>
    ReadOnlySpan<byte> Bytes(string name);
}
