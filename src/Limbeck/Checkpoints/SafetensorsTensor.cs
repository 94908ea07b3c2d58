namespace Limbeck.Checkpoints;

/// <summary>Yields the numbers of a tensor when the writer comes to it; called once per write.</summary>
public delegate ReadOnlySpan<float> FloatSource();

/// <summary>Yields the bytes of a tensor when the writer comes to it; called once per write.</summary>
public delegate ReadOnlySpan<byte> ByteSource();

/// <summary>One tensor to be written: what it is, and where its content comes from when its turn comes, so that no copy of the model is held.</summary>
public sealed class SafetensorsTensor
{
    private SafetensorsTensor(string name, TensorType type, IReadOnlyList<long> shape, FloatSource? floats, ByteSource? bytes)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(shape);
        Name = name;
        Type = type;
        Shape = [.. shape];
        FloatContent = floats;
        ByteContent = bytes;
    }

    /// <summary>The name in the file.</summary>
    public string Name { get; }

    /// <summary>The element type in the file.</summary>
    public TensorType Type { get; }

    /// <summary>Row-major dimensions.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>Numbers to be converted, or null.</summary>
    internal FloatSource? FloatContent { get; }

    /// <summary>Bytes to be copied, or null.</summary>
    internal ByteSource? ByteContent { get; }

    /// <summary>A tensor of numbers.</summary>
    /// <param name="name">The name in the file.</param>
    /// <param name="shape">Row-major dimensions.</param>
    /// <param name="source">As many floats as the shape has elements.</param>
    /// <param name="type">F32, or F16 (rounded to nearest, ties to even).</param>
    /// <exception cref="ArgumentException">Another type.</exception>
    public static SafetensorsTensor OfFloats(string name, IReadOnlyList<long> shape, FloatSource source, TensorType type = TensorType.F32)
    {
        ArgumentNullException.ThrowIfNull(source);
        return type is TensorType.F32 or TensorType.F16
            ? new SafetensorsTensor(name, type, shape, source, null)
            : throw new ArgumentException($"tensor '{name}': numbers are written as F32 or F16, not as {TensorTypes.Name(type)}", nameof(type));
    }

    /// <summary>A tensor of any type, its bytes little-endian and row-major.</summary>
    /// <param name="name">The name in the file.</param>
    /// <param name="type">The element type.</param>
    /// <param name="shape">Row-major dimensions.</param>
    /// <param name="source">As many bytes as type and shape take.</param>
    public static SafetensorsTensor OfBytes(string name, TensorType type, IReadOnlyList<long> shape, ByteSource source)
    {
        ArgumentNullException.ThrowIfNull(source);
        return new SafetensorsTensor(name, type, shape, null, source);
    }

    /// <summary>A tensor of an open checkpoint, copied as it is.</summary>
    public static SafetensorsTensor From(ITensorSource source, string name)
    {
        ArgumentNullException.ThrowIfNull(source);
        TensorEntry entry = source.Entries.TryGetValue(name, out TensorEntry? found) ? found : throw TensorReading.Missing(source.Path, name);
        return OfBytes(name, entry.Type, entry.Shape, () => source.Bytes(name));
    }
}
