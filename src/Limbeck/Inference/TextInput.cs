namespace Limbeck.Inference;

/// <summary>A text, or a pair of texts.</summary>
/// <param name="Text">The first or only text.</param>
/// <param name="Pair">The second, or null.</param>
public readonly record struct TextInput(string Text, string? Pair = null)
{
    /// <summary>A single text.</summary>
    /// <param name="text">The text.</param>
    public static implicit operator TextInput(string text) => new(text);

    /// <summary>A single text.</summary>
    /// <param name="text">The text.</param>
    public static TextInput FromString(string text) => new(text);
}
