using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Limbeck.Checkpoints;

/// <summary>Writes a safetensors file, byte for byte as the format's reference library lays it out: compact header, metadata first, tensors by type and then by name, padded to 8 bytes.</summary>
public static class SafetensorsWriter
{
    /// <summary>Floats narrowed at a time.</summary>
    private const int ChunkElements = 1 << 16;

    /// <summary>The metadata without which <c>transformers</c> refuses a file.</summary>
    public static IReadOnlyDictionary<string, string> PytorchMetadata { get; } = new Dictionary<string, string> { ["format"] = "pt" };

    /// <summary>Writes all tensors, atomically: the file appears whole or not at all.</summary>
    /// <param name="path">The file; replaced when it is there.</param>
    /// <param name="tensors">In any order; each one's content is asked for once, when its turn comes.</param>
    /// <param name="metadata">Written under <c>__metadata__</c>; null means <c>{"format":"pt"}</c>.</param>
    /// <exception cref="CheckpointException">A name twice, an impossible shape, content of another length, or a number that F16 cannot hold; the old file stays.</exception>
    public static void Write(string path, IEnumerable<SafetensorsTensor> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        List<(SafetensorsTensor Tensor, byte[] Name, long Bytes)> order = Order(path, tensors);
        byte[] header = Header(path, order, metadata ?? PytorchMetadata);
        AtomicFile.Write(path, stream =>
        {
            Span<byte> length = stackalloc byte[sizeof(ulong)];
            BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
            stream.Write(length);
            stream.Write(header);
            foreach (var (tensor, _, bytes) in order)
            {
                WriteContent(path, stream, tensor, bytes);
            }
        });
    }

    private static List<(SafetensorsTensor Tensor, byte[] Name, long Bytes)> Order(string path, IEnumerable<SafetensorsTensor> tensors)
    {
        var faults = new List<string>();
        var names = new HashSet<string>();
        var order = new List<(SafetensorsTensor Tensor, byte[] Name, long Bytes)>();
        long total = 0;
        foreach (SafetensorsTensor tensor in tensors)
        {
            if (!names.Add(tensor.Name))
            {
                faults.Add($"tensor '{tensor.Name}' is to be written twice");
            }
            else if (tensor.Name == "__metadata__")
            {
                faults.Add("a tensor cannot be named __metadata__");
            }
            else if (!TensorTypes.TryByteCount(tensor.Shape, tensor.Type, out long bytes) || total > long.MaxValue - bytes)
            {
                faults.Add($"tensor '{tensor.Name}': the size of {TensorTypes.Name(tensor.Type)} {TensorTypes.Text(tensor.Shape)} is negative, beyond 63 bits or not whole bytes");
            }
            else
            {
                total += bytes;
                order.Add((tensor, Encoding.UTF8.GetBytes(tensor.Name), bytes));
            }
        }
        CheckpointException.ThrowIfAny(path, faults);
        order.Sort((left, right) => left.Tensor.Type != right.Tensor.Type
            ? right.Tensor.Type.CompareTo(left.Tensor.Type)
            : left.Name.AsSpan().SequenceCompareTo(right.Name));
        return order;
    }

    private static byte[] Header(string path, List<(SafetensorsTensor Tensor, byte[] Name, long Bytes)> order, IReadOnlyDictionary<string, string> metadata)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (metadata.Count > 0)
            {
                json.WriteStartObject("__metadata__");
                foreach ((string key, string value) in metadata)
                {
                    json.WriteString(key, value);
                }
                json.WriteEndObject();
            }
            long place = 0;
            foreach (var (tensor, name, bytes) in order)
            {
                json.WriteStartObject(name);
                json.WriteString("dtype", TensorTypes.Name(tensor.Type));
                json.WriteStartArray("shape");
                foreach (long dimension in tensor.Shape)
                {
                    json.WriteNumberValue(dimension);
                }
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(place);
                json.WriteNumberValue(place += bytes);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        int padded = (buffer.WrittenCount + 7) / 8 * 8;
        if (padded > SafetensorsHeader.MostHeaderBytes)
        {
            throw new CheckpointException($"{path}: the header of these {order.Count} tensors takes {padded} bytes; the format allows {SafetensorsHeader.MostHeaderBytes}");
        }
        byte[] header = new byte[padded];
        buffer.WrittenSpan.CopyTo(header);
        header.AsSpan(buffer.WrittenCount).Fill((byte)' ');
        return header;
    }

    private static void WriteContent(string path, Stream stream, SafetensorsTensor tensor, long bytes)
    {
        if (tensor.ByteContent is { } source)
        {
            ReadOnlySpan<byte> content = source();
            CheckLength(path, tensor, content.Length, bytes, "bytes");
            stream.Write(content);
            return;
        }
        ReadOnlySpan<float> numbers = tensor.FloatContent!();
        CheckLength(path, tensor, numbers.Length, bytes / (TensorTypes.Bits(tensor.Type) / 8), "numbers");
        ushort[] halves = tensor.Type == TensorType.F16 ? new ushort[Math.Min(ChunkElements, numbers.Length)] : [];
        for (int done = 0; done < numbers.Length; done += ChunkElements)
        {
            ReadOnlySpan<float> part = numbers.Slice(done, Math.Min(ChunkElements, numbers.Length - done));
            if (tensor.Type == TensorType.F32)
            {
                stream.Write(MemoryMarshal.AsBytes(part));
                continue;
            }
            int beyond = FloatConversion.NarrowToHalf(part, halves);
            if (beyond >= 0)
            {
                throw new CheckpointException($"{path}: tensor '{tensor.Name}' has {part[beyond]} at element {done + beyond}; F16 ends at 65504. Write this model as F32");
            }
            stream.Write(MemoryMarshal.AsBytes(halves.AsSpan(0, part.Length)));
        }
    }

    private static void CheckLength(string path, SafetensorsTensor tensor, long got, long needed, string unit)
    {
        if (got != needed)
        {
            throw new CheckpointException($"{path}: tensor '{tensor.Name}' was given {got} {unit}; {TensorTypes.Name(tensor.Type)} {TensorTypes.Text(tensor.Shape)} needs {needed}");
        }
    }
}
