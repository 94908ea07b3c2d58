using Limbeck.Models;

namespace Limbeck.Training.Compression;

/// <summary>A student's sizes: layers/hidden/heads/intermediate, or one of the known names.</summary>
/// <param name="Layers">Number of layers.</param>
/// <param name="Hidden">Width.</param>
/// <param name="Heads">Attention heads.</param>
/// <param name="Intermediate">Width of the feed-forward part.</param>
public sealed record StudentShape(int Layers, int Hidden, int Heads, int Intermediate)
{
    /// <summary>The known names: the papers' students for twelve-layer teachers, and three for six-layer ones.</summary>
    public static IReadOnlyDictionary<string, StudentShape> Presets { get; } = new Dictionary<string, StudentShape>(StringComparer.OrdinalIgnoreCase)
    {
        ["tinybert4"] = new(4, 312, 12, 1200),
        ["tinybert6"] = new(6, 768, 12, 3072),
        ["tinybert3-312"] = new(3, 312, 12, 1200),
        ["half-384"] = new(3, 384, 12, 1536),
        ["tinybert2-192"] = new(2, 192, 12, 768),
    };

    /// <summary>Reads a name or four numbers.</summary>
    /// <param name="text">Such as tinybert4, or 3/312/12/1200.</param>
    /// <exception cref="ArgumentException">Neither; the message lists the names.</exception>
    public static StudentShape Parse(string text)
    {
        if (Presets.TryGetValue(text, out StudentShape? preset))
        {
            return preset;
        }

        string[] parts = text.Split('/');
        int[] numbers = [.. parts.Select(part => int.TryParse(part, out int number) ? number : 0)];
        if (numbers.Length != 4 || numbers.Any(number => number <= 0))
        {
            throw new ArgumentException(
                $"student '{text}' is no known name ({string.Join(", ", Presets.Keys)}), no model directory, and not layers/hidden/heads/intermediate such as 3/312/12/1200");
        }

        if (numbers[1] % numbers[2] != 0)
        {
            throw new ArgumentException($"student '{text}': a width of {numbers[1]} cannot be split into {numbers[2]} heads");
        }

        return new StudentShape(numbers[0], numbers[1], numbers[2], numbers[3]);
    }

    /// <summary>The teacher's configuration with these sizes.</summary>
    /// <param name="teacher">Where labels, rates, positions and everything else come from.</param>
    public BertConfig Configure(BertConfig teacher) =>
        teacher with { LayerCount = Layers, HiddenSize = Hidden, HeadCount = Heads, IntermediateSize = Intermediate };

    /// <inheritdoc/>
    public override string ToString() => $"{Layers}/{Hidden}/{Heads}/{Intermediate}";
}
