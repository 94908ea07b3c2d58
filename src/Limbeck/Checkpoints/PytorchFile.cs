using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace Limbeck.Checkpoints;

/// <summary>A file of <c>torch.save(model.state_dict())</c>: the zip container of PyTorch 1.6 and later, and the stream before it. Memory-mapped; its pickle can only make tensors.</summary>
public sealed class PytorchFile : ITensorSource
{
    /// <summary>What the first pickle of the older stream holds.</summary>
    private static readonly BigInteger Magic = BigInteger.Parse("119547037146038801333356", System.Globalization.CultureInfo.InvariantCulture);

    private const long StreamProtocol = 1001;

    private readonly MappedFile _file;
    private readonly Dictionary<string, PickleTensor> _tensors = [];
    private readonly Dictionary<string, TensorEntry> _entries = [];
    private readonly Dictionary<string, (long Offset, long Length)> _blocks = [];

    private PytorchFile(MappedFile file) => _file = file;

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, TensorEntry> Entries => _entries;

    /// <inheritdoc/>
    public string Path => _file.Path;

    /// <summary>Empty: the format has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; } = new Dictionary<string, string>();

    /// <summary>Maps a file, runs its pickle in a machine that can only make tensors, and checks every tensor against the bytes that are there.</summary>
    /// <exception cref="CheckpointException">The file is missing or damaged, or its pickle names a global that tensors do not need: that name is in the message, and nothing of it was run.</exception>
    public static PytorchFile Open(string path)
    {
        MappedFile file = MappedFile.Open(path);
        try
        {
            var opened = new PytorchFile(file);
            opened.Read();
            return opened;
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
        (TensorEntry entry, PickleTensor tensor) = Find(name);
        TensorReading.CheckDestination(entry, destination.Length);
        if (!tensor.IsContiguous)
        {
            FloatConversion.Widen(entry.Type, Gather(entry, tensor), destination);
            return;
        }
        int width = TensorTypes.Bits(entry.Type) / 8;
        long start = Start(tensor, width);
        for (int done = 0; done < destination.Length; done += TensorReading.ChunkElements)
        {
            Span<float> part = destination.Slice(done, Math.Min(TensorReading.ChunkElements, destination.Length - done));
            FloatConversion.Widen(entry.Type, _file.Slice(start + ((long)done * width), (long)part.Length * width), part);
        }
    }

    /// <inheritdoc/>
    public ReadOnlySpan<byte> Bytes(string name)
    {
        (TensorEntry entry, PickleTensor tensor) = Find(name);
        int width = TensorTypes.Bits(entry.Type) / 8;
        TensorReading.CheckSpan(entry, entry.Count * width);
        return tensor.IsContiguous ? _file.Slice(Start(tensor, width), entry.Count * width) : Gather(entry, tensor);
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private (TensorEntry Entry, PickleTensor Tensor) Find(string name) =>
        _entries.TryGetValue(name, out TensorEntry? entry) ? (entry, _tensors[name]) : throw TensorReading.Missing(Path, name);

    private long Start(PickleTensor tensor, int width) => _blocks[tensor.Storage.Key].Offset + ((tensor.Storage.First + tensor.Offset) * width);

    /// <summary>A strided tensor's elements in row-major order.</summary>
    private byte[] Gather(TensorEntry entry, PickleTensor tensor)
    {
        int width = TensorTypes.Bits(entry.Type) / 8;
        TensorReading.CheckSpan(entry, entry.Count * width);
        byte[] elements = new byte[entry.Count * width];
        long start = Start(tensor, width);
        var index = new long[tensor.Shape.Length];
        long place = 0;
        for (int done = 0; done < elements.Length; done += width)
        {
            _file.Slice(start + (place * width), width).CopyTo(elements.AsSpan(done));
            for (int d = index.Length - 1; d >= 0; d--)
            {
                place += tensor.Strides[d];
                if (++index[d] < tensor.Shape[d])
                {
                    break;
                }
                place -= tensor.Strides[d] * tensor.Shape[d];
                index[d] = 0;
            }
        }
        return elements;
    }

    private void Read()
    {
        ReadOnlySpan<byte> head = _file.Slice(0, Math.Min(_file.Length, 512));
        if (head.StartsWith("PK\x03\x04"u8))
        {
            ReadZip();
        }
        else if (head.Length > 0 && head[0] == 0x80)
        {
            ReadStream();
        }
        else if (head.Length >= 262 && head[257..].StartsWith("ustar"u8))
        {
            throw new CheckpointException($"{Path}: is a tar archive of PyTorch before 0.1.10, which is not supported; load it with PyTorch and save it as safetensors");
        }
        else
        {
            string got = head.Length == 0 ? "it is empty" : "it starts with " + Convert.ToHexString(head[..Math.Min(8, head.Length)]);
            throw new CheckpointException($"{Path}: is not a file of torch.save, which starts with a zip archive (504B0304) or a pickle (80); {got}");
        }
    }

    private void ReadZip()
    {
        Dictionary<string, (long Offset, long Length)> files = StoredZip.Read(_file);
        string[] pickles = [.. files.Keys.Where(name => name.EndsWith("/data.pkl", StringComparison.Ordinal) && name.IndexOf('/', StringComparison.Ordinal) == name.Length - "/data.pkl".Length)];
        if (pickles.Length != 1)
        {
            throw new CheckpointException($"{Path}: the archive has {pickles.Length} files NAME/data.pkl; torch.save writes one");
        }
        string root = pickles[0][..^"data.pkl".Length];
        if (files.ContainsKey(root + "constants.pkl"))
        {
            throw new CheckpointException($"{Path}: is a TorchScript program, which is not supported; save model.state_dict()");
        }
        if (files.TryGetValue(root + "byteorder", out var order))
        {
            string name = Encoding.UTF8.GetString(_file.Slice(order.Offset, Math.Min(order.Length, 16)));
            if (name != "little")
            {
                throw new CheckpointException($"{Path}: the byte order is '{name}'; only 'little' is supported");
            }
        }
        (long offset, long length) = files[pickles[0]];
        object? state = Load(ref offset, offset + length);
        CollectTensors(state);
        foreach (PickleTensor tensor in _tensors.Values)
        {
            string key = tensor.Storage.Key;
            if (files.TryGetValue(root + "data/" + key, out var block))
            {
                _blocks[key] = block;
            }
        }
        CheckBlocks();
    }

    private void ReadStream()
    {
        long at = 0;
        if (Load(ref at, _file.Length) is not BigInteger magic || magic != Magic)
        {
            throw new CheckpointException($"{Path}: is a pickle, but not one of torch.save: the magic number is missing");
        }
        object? protocol = Load(ref at, _file.Length);
        if (protocol is not StreamProtocol)
        {
            throw new CheckpointException($"{Path}: the stream's protocol is {protocol}; only {StreamProtocol} is supported");
        }
        if (Load(ref at, _file.Length) is PickleDictionary system && system.Items.TryGetValue("little_endian", out object? little) && little is false)
        {
            throw new CheckpointException($"{Path}: was written on a big-endian machine, which is not supported");
        }
        CollectTensors(Load(ref at, _file.Length));
        object? keys = Load(ref at, _file.Length);
        if (keys is not List<object?> list)
        {
            throw new CheckpointException($"{Path}: has no list of storages after its tensors (byte {at}); the file is damaged");
        }
        Dictionary<string, int> widths = [];
        foreach (PickleTensor tensor in _tensors.Values)
        {
            widths.TryAdd(tensor.Storage.Key, TensorTypes.Bits(tensor.Storage.Type) / 8);
        }
        foreach (object? item in list)
        {
            ReadBlock(item as string ?? "?", widths, ref at);
        }
        if (at != _file.Length)
        {
            throw new CheckpointException($"{Path}: the last storage ends at byte {at}; the file goes on to {_file.Length}");
        }
        CheckBlocks();
    }

    private void ReadBlock(string key, Dictionary<string, int> widths, ref long at)
    {
        if (!widths.TryGetValue(key, out int width))
        {
            throw new CheckpointException($"{Path}: storage '{key}' belongs to no tensor; the file is damaged");
        }
        if (_file.Length - at < sizeof(long))
        {
            throw new CheckpointException($"{Path}: storage '{key}' should start at byte {at}; the file has {_file.Length}. It is cut off");
        }
        long count = BinaryPrimitives.ReadInt64LittleEndian(_file.Slice(at, sizeof(long)));
        at += sizeof(long);
        if (count < 0 || count > (_file.Length - at) / width)
        {
            throw new CheckpointException($"{Path}: storage '{key}' at byte {at} needs {count} elements of {width} bytes; {_file.Length - at} bytes are left. The file is cut off or damaged");
        }
        if (!_blocks.TryAdd(key, (at, count * width)))
        {
            throw new CheckpointException($"{Path}: storage '{key}' is listed twice; the file is damaged");
        }
        at += count * width;
    }

    private object? Load(ref long at, long end)
    {
        long available = Math.Min(end - at, PickleReader.MostBytes);
        object? value = new PickleReader(_file.Slice(at, available), Path, at).Load(out int length);
        at += length;
        return value;
    }

    private void CollectTensors(object? state)
    {
        if (state is not PickleDictionary dictionary)
        {
            throw new CheckpointException($"{Path}: holds {Describe(state)}; a dictionary of tensors is needed. Save model.state_dict()");
        }
        var faults = new List<string>();
        foreach ((object key, object? value) in dictionary.Items)
        {
            if (key is string name && value is PickleTensor tensor)
            {
                _tensors.Add(name, tensor);
                _entries.Add(name, new TensorEntry(name, tensor.Storage.Type, Array.AsReadOnly(tensor.Shape), Path));
            }
            else
            {
                faults.Add($"'{key}' is {Describe(value)}; a tensor is needed. Save model.state_dict() and nothing else");
            }
        }
        CheckpointException.ThrowIfAny(Path, faults);
    }

    /// <summary>Every tensor's storage must be there with as many bytes as its pickle says.</summary>
    private void CheckBlocks()
    {
        var faults = new List<string>();
        foreach ((string name, PickleTensor tensor) in _tensors)
        {
            PickleStorage storage = tensor.Storage;
            int width = TensorTypes.Bits(storage.Type) / 8;
            if (!_blocks.TryGetValue(storage.Key, out var block))
            {
                faults.Add($"tensor '{name}': its storage '{storage.Key}' is not in the file");
            }
            else if (storage.First + storage.Count > block.Length / width)
            {
                faults.Add($"tensor '{name}': its storage '{storage.Key}' needs {storage.First + storage.Count} elements of {width} bytes; it has {block.Length} bytes");
            }
        }
        CheckpointException.ThrowIfAny(Path, faults);
    }

    private static string Describe(object? value) => value switch
    {
        null => "nothing",
        PickleDictionary => "a dictionary",
        PickleTensor => "one tensor",
        PickleTuple => "a tuple",
        List<object?> => "a list",
        string => "text",
        _ => "a " + value.GetType().Name,
    };
}
