using System.Globalization;
using System.Text.Json;
using Limbeck.Checkpoints;
using Limbeck.Tensors;

namespace Limbeck.TestData;

/// <summary>One golden: a safetensors file with the sidecar beside it.</summary>
internal sealed class Golden : IDisposable
{
    private readonly SafetensorsFile source;

    public Golden(string path)
    {
        source = SafetensorsFile.Open(path);
        string sidecar = Path.ChangeExtension(path, ".json");
        Sidecar = File.Exists(sidecar) ? JsonDocument.Parse(File.ReadAllText(sidecar)).RootElement : default;
    }

    public JsonElement Sidecar { get; }

    public IEnumerable<string> Names => source.Entries.Keys;

    public bool Has(string name) => source.Entries.ContainsKey(name);

    public float[] Floats(string name)
    {
        float[] values = new float[source.Entries[name].Count];
        source.Read(name, values);
        return values;
    }

    public int[] Shape(string name) => [.. source.Entries[name].Shape.Select(d => (int)d)];

    public int[] Integers(string name)
    {
        ReadOnlySpan<byte> bytes = source.Bytes(name);
        int[] values = new int[bytes.Length / sizeof(long)];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = checked((int)BitConverter.ToInt64(bytes.Slice(i * sizeof(long), sizeof(long))));
        }

        return values;
    }

    /// <summary>Copies tensors named prefix + parameter name into the parameters; each must be there.</summary>
    public void Fill(IEnumerable<Parameter> parameters, string prefix)
    {
        foreach (Parameter parameter in parameters)
        {
            source.Read(prefix + parameter.Name, parameter.Value.Span);
            parameter.Changed();
        }
    }

    public void Dispose() => source.Dispose();

    /// <summary>All files of a folder of goldens with an ending, for a theory; one null case when the folder is not there, which the test skips.</summary>
    public static TheoryData<string?> Cases(string folder, string pattern)
    {
        TheoryData<string?> cases = [];
        string? root = SharedData.Root is null ? null : Path.Combine(SharedData.Root, "golden", folder);
        if (root is null || !Directory.Exists(root))
        {
            cases.Add((string?)null);
            return cases;
        }

        foreach (string file in Directory.GetFiles(root, pattern).Order(StringComparer.Ordinal))
        {
            cases.Add(Path.GetFileName(file));
        }

        return cases;
    }

    /// <summary>Opens a case of <see cref="Cases"/>.</summary>
    public static Golden Open(string folder, string? file)
    {
        Skip.If(file is null, "LIMBECK_SHARED does not name a folder of reference data");
        return new Golden(SharedData.Require("golden", folder, file!));
    }

    /// <summary>Asserts that the largest difference is at most a share of the largest expected magnitude.</summary>
    public static void Close(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, double tolerance, string what, double? magnitude = null)
    {
        Assert.Equal(expected.Length, actual.Length);
        double largest = 0;
        double worst = 0;
        int at = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            largest = Math.Max(largest, Math.Abs(expected[i]));
            double difference = Math.Abs((double)expected[i] - actual[i]);
            if (!(difference <= worst))
            {
                worst = double.IsNaN(difference) ? double.PositiveInfinity : difference;
                at = i;
            }
        }

        double bound = tolerance * (magnitude ?? largest);
        Assert.True(
            worst <= bound,
            string.Create(CultureInfo.InvariantCulture, $"{what}: element {at} is {(actual.Length > 0 ? actual[at] : 0)}, expected {(expected.Length > 0 ? expected[at] : 0)}; off by {worst:g3}, allowed {bound:g3}"));
    }
}
