using System.Runtime.InteropServices;
using System.Text.Json;

namespace Limbeck.Tensors.Tests;

/// <summary>A golden and its sidecar: a safetensors file read whole, float32 and int64 tensors only. For tests below the room that owns the real reader.</summary>
internal sealed class GoldenFile
{
    private readonly Dictionary<string, (string Type, int[] Shape, int Start, int End)> entries = new(StringComparer.Ordinal);
    private readonly byte[] data;

    public GoldenFile(string path)
    {
        byte[] file = File.ReadAllBytes(path);
        int header = checked((int)BitConverter.ToInt64(file, 0));
        data = file[(8 + header)..];
        using JsonDocument json = JsonDocument.Parse(file.AsMemory(8, header));
        foreach (JsonProperty entry in json.RootElement.EnumerateObject().Where(entry => entry.Name != "__metadata__"))
        {
            int[] offsets = Integers(entry.Value.GetProperty("data_offsets"));
            entries.Add(entry.Name, (entry.Value.GetProperty("dtype").GetString()!, Integers(entry.Value.GetProperty("shape")), offsets[0], offsets[1]));
        }

        string sidecar = Path.ChangeExtension(path, ".json");
        Sidecar = File.Exists(sidecar) ? JsonDocument.Parse(File.ReadAllText(sidecar)).RootElement : default;
    }

    public JsonElement Sidecar { get; }

    public IEnumerable<string> Names => entries.Keys.Order(StringComparer.Ordinal);

    public int[] Shape(string name) => entries[name].Shape;

    public float[] Floats(string name) => MemoryMarshal.Cast<byte, float>(Bytes(name, "F32")).ToArray();

    public int[] Int64s(string name) => [.. MemoryMarshal.Cast<byte, long>(Bytes(name, "I64")).ToArray().Select(value => checked((int)value))];

    private static int[] Integers(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetInt32())];

    private ReadOnlySpan<byte> Bytes(string name, string type)
    {
        Assert.True(entries.TryGetValue(name, out (string Type, int[] Shape, int Start, int End) entry), $"the golden has no tensor '{name}'");
        Assert.Equal(type, entry.Type);
        return data.AsSpan(entry.Start, entry.End - entry.Start);
    }
}
