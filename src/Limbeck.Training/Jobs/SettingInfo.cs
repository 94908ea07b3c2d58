using System.Globalization;
using System.Reflection;
using System.Text.Json;

namespace Limbeck.Training.Jobs;

/// <summary>One setting of a job: what it is called, what it may be, what it means.</summary>
public sealed class SettingInfo
{
    private readonly PropertyInfo[] path;

    internal SettingInfo(PropertyInfo[] path, string name, SettingAttribute attribute, object? standard)
    {
        this.path = path;
        Name = name;
        Help = attribute.Help;
        string group = name.Contains('.', StringComparison.Ordinal) ? name[..(name.LastIndexOf('.') + 1)] : string.Empty;
        Alias = attribute.Alias is null ? null : group + attribute.Alias;
        Choices = attribute.Choices?.Split('|') ?? [];
        Type = Nullable.GetUnderlyingType(path[^1].PropertyType) ?? path[^1].PropertyType;
        Default = standard;
    }

    /// <summary>The recipe's key; a key of an inner object has its object's name and a dot before it.</summary>
    public string Name { get; }

    /// <summary>Another name that is understood, or null.</summary>
    public string? Alias { get; }

    /// <summary>One sentence.</summary>
    public string Help { get; }

    /// <summary>The values that a text may have; empty for any.</summary>
    public IReadOnlyList<string> Choices { get; }

    /// <summary>string, bool, int, long, ulong or double.</summary>
    public Type Type { get; }

    /// <summary>What it is when it is not given; null when that depends on other things, which <see cref="Help"/> then says.</summary>
    public object? Default { get; }

    /// <summary>The flag of the tool.</summary>
    public string Flag => ToFlag(Name);

    /// <summary>A name as a flag: --kebab-case, the dot of an inner object as a hyphen.</summary>
    /// <param name="name">A key.</param>
    public static string ToFlag(string name) => "--" + name.Replace('_', '-').Replace('.', '-');

    /// <summary>The value in a record of settings.</summary>
    /// <param name="settings">The record.</param>
    public object? Get(object settings)
    {
        object? value = settings;
        foreach (PropertyInfo step in path)
        {
            value = step.GetValue(value);
        }

        return value;
    }

    internal void Set(object settings, object? value)
    {
        object owner = settings;
        foreach (PropertyInfo step in path[..^1])
        {
            owner = step.GetValue(owner)!;
        }

        path[^1].SetValue(owner, value);
    }

    /// <summary>Reads a value from a recipe.</summary>
    /// <param name="json">The value.</param>
    /// <param name="value">What it says.</param>
    /// <returns>null, or what is wrong.</returns>
    internal string? Parse(JsonElement json, out object? value)
    {
        value = null;
        switch (json.ValueKind)
        {
            case JsonValueKind.Null:
                return Default is null ? null : $"is null; needed {Needed}";
            case JsonValueKind.True or JsonValueKind.False when Type == typeof(bool):
                value = json.GetBoolean();
                return null;
            case JsonValueKind.Number when Type != typeof(string) && Type != typeof(bool):
                return Parse(json.GetRawText(), out value);
            case JsonValueKind.String when Type == typeof(string):
                return Parse(json.GetString()!, out value);
            default:
                return $"is {json.GetRawText()}; needed {Needed}";
        }
    }

    /// <summary>Reads a value from a flag.</summary>
    /// <param name="text">What was written.</param>
    /// <param name="value">What it says.</param>
    /// <returns>null, or what is wrong.</returns>
    internal string? Parse(string text, out object? value)
    {
        value = null;
        CultureInfo invariant = CultureInfo.InvariantCulture;
        if (Type == typeof(string))
        {
            value = Choices.FirstOrDefault(choice => choice.Equals(text.Replace('-', '_'), StringComparison.OrdinalIgnoreCase) || choice.Equals(text, StringComparison.OrdinalIgnoreCase)) ?? (Choices.Count == 0 ? text : null);
        }
        else if (Type == typeof(bool))
        {
            value = bool.TryParse(text, out bool flag) ? flag : null;
        }
        else if (Type == typeof(double))
        {
            value = double.TryParse(text, NumberStyles.Float, invariant, out double number) && double.IsFinite(number) ? number : null;
        }
        else if (Type == typeof(int))
        {
            value = int.TryParse(text, NumberStyles.AllowLeadingSign, invariant, out int whole) ? whole : null;
        }
        else if (Type == typeof(long))
        {
            value = long.TryParse(text, NumberStyles.AllowLeadingSign, invariant, out long whole) ? whole : null;
        }
        else
        {
            value = ulong.TryParse(text, NumberStyles.None, invariant, out ulong whole) ? whole : null;
        }

        return value is null ? $"is '{text}'; needed {Needed}" : null;
    }

    private string Needed =>
        Choices.Count > 0 ? $"one of {string.Join(", ", Choices)}"
        : Type == typeof(string) ? "a text"
        : Type == typeof(bool) ? "true or false"
        : Type == typeof(double) ? "a number"
        : Type == typeof(ulong) ? "a whole number, 0 or more"
        : "a whole number";
}
