namespace Limbeck.Training.Jobs;

/// <summary>Marks a property as a setting: a key of a recipe (its name in snake_case) and a flag of the tool (in kebab-case).</summary>
/// <param name="help">One sentence for <c>--help</c>.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SettingAttribute(string help) : Attribute
{
    /// <summary>One sentence for <c>--help</c>.</summary>
    public string Help { get; } = help;

    /// <summary>Another name, in snake_case, that is understood too; null for none.</summary>
    public string? Alias { get; init; }

    /// <summary>The values that a text may have, separated by bars; null for any.</summary>
    public string? Choices { get; init; }

    /// <summary>The settings of this inner record are keys of the outer object.</summary>
    public bool Inline { get; init; }
}
