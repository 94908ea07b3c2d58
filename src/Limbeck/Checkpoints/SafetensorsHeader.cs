using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Limbeck.Checkpoints;

/// <summary>The JSON at the head of a safetensors file, read and held against every rule of the format. Knows nothing of what tensors mean.</summary>
/// <remarks>
/// The rules: 8 bytes of little-endian header length, at most 100 MB; UTF-8 that opens with a brace and may be padded with spaces; no key twice; optional
/// <c>__metadata__</c> of strings; each tensor a known dtype, whole dimensions, and offsets whose distance is the shape's size; the tensors tile the rest of the
/// file without hole, overlap or remainder. Misaligned tensors, scalars, and tensors without elements are legal.
/// </remarks>
internal sealed class SafetensorsHeader
{
    /// <summary>The format's limit on the header, bytes.</summary>
    public const long MostHeaderBytes = 100_000_000;

    private const string MetadataKey = "__metadata__";

    private readonly List<string> _faults = [];
    private readonly HashSet<string> _keys = [];
    private readonly Dictionary<string, (TensorEntry Entry, long Begin, long End)> _tensors = [];
    private readonly Dictionary<string, string> _metadata = [];
    private readonly string _path;

    private SafetensorsHeader(string path) => _path = path;

    /// <summary>Tensors with their places, bytes from the start of the data.</summary>
    public IReadOnlyDictionary<string, (TensorEntry Entry, long Begin, long End)> Tensors => _tensors;

    /// <summary>The strings under <c>__metadata__</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _metadata;

    /// <summary>Where the data starts, bytes from the start of the file.</summary>
    public long DataStart { get; private init; }

    /// <summary>Reads and checks the header of a mapped file.</summary>
    /// <exception cref="CheckpointException">A rule is broken; faults that do not hide each other are reported together.</exception>
    public static SafetensorsHeader Read(MappedFile file)
    {
        string path = file.Path;
        if (file.Length < sizeof(ulong))
        {
            throw new CheckpointException($"{path}: has {file.Length} bytes; a safetensors file opens with 8 bytes of header length. It is empty or cut off");
        }
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(file.Slice(0, sizeof(ulong)));
        if (length > MostHeaderBytes)
        {
            throw new CheckpointException($"{path}: the header length is {length} bytes; the format allows at most {MostHeaderBytes}. This is not a safetensors file, or it is damaged");
        }
        long available = file.Length - sizeof(ulong);
        if ((long)length > available)
        {
            throw new CheckpointException($"{path}: the header needs {length} bytes; the file has {available} after the length. It is cut off or damaged");
        }
        var header = new SafetensorsHeader(path) { DataStart = sizeof(ulong) + (long)length };
        header.Parse(file.Slice(sizeof(ulong), (long)length));
        header.CheckPlaces(file.Length - header.DataStart);
        CheckpointException.ThrowIfAny(path, header._faults);
        return header;
    }

    private void Parse(ReadOnlySpan<byte> json)
    {
        if (json.Length == 0 || json[0] != (byte)'{')
        {
            string got = json.Length == 0 ? "it is empty" : $"it starts with byte 0x{json[0]:X2}";
            throw new CheckpointException($"{_path}: the header must be a JSON object that starts with '{{'; {got}");
        }
        if (!Utf8.IsValid(json))
        {
            throw new CheckpointException($"{_path}: the header is not valid UTF-8 at byte {sizeof(ulong) + InvalidAt(json)} of the file");
        }
        try
        {
            var reader = new Utf8JsonReader(json);
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string name = reader.GetString()!;
                reader.Read();
                if (!_keys.Add(name))
                {
                    _faults.Add($"'{name}' is in the header twice; each name is allowed once");
                    reader.Skip();
                }
                else if (name == MetadataKey)
                {
                    ReadMetadata(ref reader);
                }
                else
                {
                    ReadTensor(ref reader, name);
                }
            }
            while (reader.Read())
            {
                // Only white space may follow; the reader throws at anything else.
            }
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new CheckpointException($"{_path}: the header is not valid JSON: {error.Message}", error);
        }
    }

    private static int InvalidAt(ReadOnlySpan<byte> text)
    {
        int at = 0;
        while (Rune.DecodeFromUtf8(text[at..], out _, out int consumed) == System.Buffers.OperationStatus.Done)
        {
            at += consumed;
        }
        return at;
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            _faults.Add($"{MetadataKey} is {Describe(reader)}; an object of strings is needed");
            reader.Skip();
            return;
        }
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
            {
                _faults.Add($"{MetadataKey}: '{key}' is {Describe(reader)}; a string is needed");
                reader.Skip();
            }
            else if (!_metadata.TryAdd(key, reader.GetString()!))
            {
                _faults.Add($"{MetadataKey}: '{key}' is there twice; each key is allowed once");
            }
        }
    }

    private void ReadTensor(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            _faults.Add($"tensor '{name}' is {Describe(reader)}; an object with dtype, shape and data_offsets is needed");
            reader.Skip();
            return;
        }
        int before = _faults.Count;
        TensorType? type = null;
        List<long>? shape = null, offsets = null;
        var seen = new HashSet<string>();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            if (!seen.Add(key))
            {
                _faults.Add($"tensor '{name}': '{key}' is there twice; each key is allowed once");
                reader.Skip();
                continue;
            }
            switch (key)
            {
                case "dtype":
                    type = ReadType(ref reader, name);
                    break;
                case "shape":
                    shape = ReadNumbers(ref reader, name, key);
                    break;
                case "data_offsets":
                    offsets = ReadNumbers(ref reader, name, key);
                    break;
                default:
                    _faults.Add($"tensor '{name}': unknown key '{key}'; the format has dtype, shape and data_offsets");
                    reader.Skip();
                    break;
            }
        }
        foreach (string key in (ReadOnlySpan<string>)["dtype", "shape", "data_offsets"])
        {
            if (!seen.Contains(key))
            {
                _faults.Add($"tensor '{name}' has no {key}");
            }
        }
        if (_faults.Count == before)
        {
            CheckTensor(name, type!.Value, shape!, offsets!);
        }
    }

    private TensorType? ReadType(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType == JsonTokenType.String && TensorTypes.TryParse(reader.GetString()!, out TensorType type))
        {
            return type;
        }
        string got = reader.TokenType == JsonTokenType.String ? $"'{reader.GetString()}'" : Describe(reader);
        _faults.Add($"tensor '{name}': dtype is {got}; needs one of {TensorTypes.AllNames}");
        reader.Skip();
        return null;
    }

    private List<long>? ReadNumbers(ref Utf8JsonReader reader, string name, string key)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            _faults.Add($"tensor '{name}': {key} is {Describe(reader)}; an array of whole numbers is needed");
            reader.Skip();
            return null;
        }
        var numbers = new List<long>();
        bool good = true;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out long number) && number >= 0)
            {
                numbers.Add(number);
                continue;
            }
            if (good)
            {
                _faults.Add($"tensor '{name}': {key} has {Describe(reader)} at place {numbers.Count}; whole numbers of at least 0 and below 2^63 are needed");
            }
            good = false;
            reader.Skip();
        }
        return good ? numbers : null;
    }

    private void CheckTensor(string name, TensorType type, List<long> shape, List<long> offsets)
    {
        if (offsets.Count != 2)
        {
            _faults.Add($"tensor '{name}': data_offsets has {offsets.Count} numbers; begin and end are needed");
            return;
        }
        (long begin, long end) = (offsets[0], offsets[1]);
        if (end < begin)
        {
            _faults.Add($"tensor '{name}': data_offsets end at {end}, before they begin at {begin}");
        }
        else if (!TensorTypes.TryByteCount(shape, type, out long needed))
        {
            _faults.Add($"tensor '{name}': the size of {TensorTypes.Name(type)} {TensorTypes.Text(shape)} is beyond 63 bits or not whole bytes");
        }
        else if (needed != end - begin)
        {
            _faults.Add($"tensor '{name}': {TensorTypes.Name(type)} {TensorTypes.Text(shape)} needs {needed} bytes; data_offsets [{begin}, {end}] give {end - begin}");
        }
        else
        {
            _tensors.Add(name, (new TensorEntry(name, type, shape.AsReadOnly(), _path), begin, end));
        }
    }

    /// <summary>The tensors in order of place must tile the data exactly. Tensors already at fault leave holes that mean nothing, so this waits until there are none.</summary>
    private void CheckPlaces(long dataBytes)
    {
        foreach (var (entry, begin, end) in _tensors.Values)
        {
            if (end > dataBytes)
            {
                _faults.Add($"tensor '{entry.Name}': lies at bytes {begin} to {end} of the data; the file has {dataBytes} there. It is cut off or damaged");
            }
        }
        if (_faults.Count > 0)
        {
            return;
        }
        long place = 0;
        string previous = "the header";
        foreach (var (entry, begin, end) in _tensors.Values.OrderBy(tensor => tensor.Begin).ThenBy(tensor => tensor.End))
        {
            if (begin > place)
            {
                _faults.Add($"bytes {place} to {begin} of the data, between {previous} and tensor '{entry.Name}', belong to no tensor; the format allows no holes");
            }
            else if (begin < place)
            {
                _faults.Add($"tensor '{entry.Name}' starts at byte {begin} of the data, inside {previous}, which ends at {place}; tensors must not overlap");
            }
            place = Math.Max(place, end);
            previous = $"tensor '{entry.Name}'";
        }
        if (place != dataBytes)
        {
            _faults.Add($"the tensors end at byte {place} of the data; the file goes on to {dataBytes}. Bytes that belong to no tensor are not allowed");
        }
    }

    private static string Describe(in Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.Number => "the number " + Encoding.UTF8.GetString(reader.ValueSpan[..Math.Min(reader.ValueSpan.Length, 40)]),
        JsonTokenType.String => "a string",
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "an array",
        JsonTokenType.True or JsonTokenType.False => "a boolean",
        _ => "null",
    };
}
