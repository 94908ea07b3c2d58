using System.Collections.Concurrent;
using System.Reflection;
using System.Text;
using System.Text.Json;
using Limbeck.Training.Data;

namespace Limbeck.Training.Jobs;

/// <summary>The settings of one kind of job: the one list that recipes, flags and help are made from.</summary>
public sealed class SettingsSchema
{
    private static readonly ConcurrentDictionary<Type, SettingsSchema> Known = new();
    private static readonly JsonDocumentOptions Commented = new() { CommentHandling = JsonCommentHandling.Skip };

    private readonly Func<object> make;
    private readonly Dictionary<string, SettingInfo> byName = new(StringComparer.Ordinal);
    private readonly HashSet<string> groups = [];

    private SettingsSchema(Type type)
    {
        make = () => Activator.CreateInstance(type)!;
        List<SettingInfo> settings = [];
        Collect(type, make(), [], string.Empty, settings);
        Settings = settings;
        foreach (SettingInfo setting in settings)
        {
            byName.Add(setting.Name, setting);
            if (setting.Alias is not null)
            {
                byName.Add(setting.Alias, setting);
            }
        }
    }

    /// <summary>All settings, in the order of help; those of an inner object have its name before theirs.</summary>
    public IReadOnlyList<SettingInfo> Settings { get; }

    /// <summary>The schema of a record of settings.</summary>
    /// <param name="type">Such as <see cref="FineTuneSettings"/>.</param>
    public static SettingsSchema Of(Type type) => Known.GetOrAdd(type, static key => new SettingsSchema(key));

    /// <summary>Reads a recipe and flags, which win, into a record.</summary>
    /// <typeparam name="T">The record.</typeparam>
    /// <param name="place">What to call the recipe or command in messages.</param>
    /// <param name="recipe">The recipe's text, or null.</param>
    /// <param name="flags">Names of settings with what was written for them.</param>
    /// <param name="complete">Whether what a run needs must be there; a recipe may leave it to flags.</param>
    /// <exception cref="UsageException">Every unknown key and impossible value, with the nearest known key.</exception>
    public static T Read<T>(string place, string? recipe, IEnumerable<KeyValuePair<string, string>> flags, bool complete = true)
        where T : class, ISettings, new()
    {
        ArgumentNullException.ThrowIfNull(flags);
        SettingsSchema schema = Of(typeof(T));
        T settings = new();
        List<string> faults = [];
        if (recipe is not null)
        {
            using JsonDocument document = Parse(place, recipe);
            schema.ReadObject(document.RootElement, string.Empty, settings, faults);
        }

        foreach ((string name, string text) in flags)
        {
            SettingInfo setting = schema.byName[name];
            if (setting.Parse(text, out object? value) is string fault)
            {
                faults.Add($"{setting.Flag} {fault}");
            }
            else
            {
                setting.Set(settings, value);
            }
        }

        settings.Check(faults, complete);
        UsageException.ThrowIfAny(place, faults);
        return settings;
    }

    /// <summary>What the key "job" of a recipe may be.</summary>
    public static IReadOnlyList<string> Jobs { get; } = ["finetune", "pretrain", "augment", "compress"];

    /// <summary>The kind of job a recipe is for: its key "job".</summary>
    /// <param name="place">What to call it in messages.</param>
    /// <param name="recipe">Its text.</param>
    /// <returns>One of <see cref="Jobs"/>.</returns>
    /// <exception cref="UsageException">The text is not JSON, or the key is missing or unknown.</exception>
    public static string JobOf(string place, string recipe)
    {
        using JsonDocument document = Parse(place, recipe);
        string? job = document.RootElement.TryGetProperty("job", out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        return job is not null && Jobs.Contains(job) ? job
            : throw new UsageException($"{place}: the key \"job\" is {(job is null ? "missing" : $"'{job}'")}; needed one of {string.Join(", ", Jobs)}{(job is null ? string.Empty : $".{Suggest(job, Jobs)}")}");
    }

    /// <summary>" Did you mean 'x'?" when one of the names is near, or nothing.</summary>
    /// <param name="name">What was written.</param>
    /// <param name="known">What there is.</param>
    public static string Suggest(string name, IEnumerable<string> known) => Nearest.Suggest(name, known);

    /// <summary>A record of settings as a recipe: what differs from the defaults.</summary>
    /// <param name="settings">The record.</param>
    /// <param name="json">Receives the members of the object, not its braces.</param>
    public static void Write(ISettings settings, Utf8JsonWriter json)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(json);
        string group = string.Empty;
        foreach (SettingInfo setting in Of(settings.GetType()).Settings)
        {
            object? value = setting.Get(settings);
            if (Equals(value, setting.Default))
            {
                continue;
            }

            string own = setting.Name.Contains('.', StringComparison.Ordinal) ? setting.Name[..setting.Name.LastIndexOf('.')] : string.Empty;
            if (own != group)
            {
                if (group.Length > 0)
                {
                    json.WriteEndObject();
                }

                if (own.Length > 0)
                {
                    json.WriteStartObject(own);
                }

                group = own;
            }

            json.WritePropertyName(setting.Name[(own.Length > 0 ? own.Length + 1 : 0)..]);
            WriteValue(json, value);
        }

        if (group.Length > 0)
        {
            json.WriteEndObject();
        }
    }

    /// <summary>PascalCase as snake_case.</summary>
    internal static string Snake(string name)
    {
        StringBuilder snake = new();
        for (int i = 0; i < name.Length; i++)
        {
            if (char.IsUpper(name[i]) && i > 0)
            {
                snake.Append('_');
            }

            snake.Append(char.ToLowerInvariant(name[i]));
        }

        return snake.ToString();
    }

    private static void WriteValue(Utf8JsonWriter json, object? value)
    {
        switch (value)
        {
            case null:
                json.WriteNullValue();
                break;
            case bool flag:
                json.WriteBooleanValue(flag);
                break;
            case int whole:
                json.WriteNumberValue(whole);
                break;
            case long whole:
                json.WriteNumberValue(whole);
                break;
            case ulong whole:
                json.WriteNumberValue(whole);
                break;
            case double number:
                json.WriteNumberValue(number);
                break;
            default:
                json.WriteStringValue(value.ToString());
                break;
        }
    }

    private static JsonDocument Parse(string place, string text)
    {
        try
        {
            JsonDocument document = JsonDocument.Parse(text, Commented);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return document;
            }

            document.Dispose();
            throw new UsageException($"{place}: a recipe must be a JSON object");
        }
        catch (JsonException e)
        {
            throw new UsageException($"{place}, line {(e.LineNumber ?? 0) + 1}: not JSON: {e.Message.Split(" LineNumber:")[0]}", e);
        }
    }

    private void Collect(Type type, object standard, PropertyInfo[] path, string prefix, List<SettingInfo> settings)
    {
        // What jobs have in common comes first, of that the data before the loop, whatever order reflection gives.
        IEnumerable<PropertyInfo> properties = type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .OrderBy(property => property.DeclaringType!.IsAbstract ? -Depth(property.DeclaringType) : 0).ThenByDescending(property => Depth(property.DeclaringType!)).ThenBy(property => property.MetadataToken);
        foreach (PropertyInfo property in properties)
        {
            if (property.GetCustomAttribute<SettingAttribute>() is not SettingAttribute attribute)
            {
                continue;
            }

            string name = prefix + Snake(property.Name);
            object? value = property.GetValue(standard);
            if (value is StageSettings or AugmentationSettings)
            {
                if (!attribute.Inline)
                {
                    groups.Add(name);
                }

                Collect(property.PropertyType, value, [.. path, property], attribute.Inline ? prefix : name + ".", settings);
            }
            else
            {
                settings.Add(new SettingInfo([.. path, property], name, attribute, value));
            }
        }
    }

    private static int Depth(Type type) => type.BaseType is null ? 0 : 1 + Depth(type.BaseType);

    private void ReadObject(JsonElement json, string prefix, object settings, List<string> faults)
    {
        HashSet<string> seen = [];
        foreach (JsonProperty property in json.EnumerateObject())
        {
            string name = prefix + property.Name;
            if (!seen.Add(name))
            {
                faults.Add($"'{name}' is there twice");
            }
            else if (groups.Contains(name))
            {
                if (property.Value.ValueKind == JsonValueKind.Object)
                {
                    ReadObject(property.Value, name + ".", settings, faults);
                }
                else
                {
                    faults.Add($"'{name}' must be an object");
                }
            }
            else if (byName.TryGetValue(name, out SettingInfo? setting))
            {
                if (setting.Parse(property.Value, out object? value) is string fault)
                {
                    faults.Add($"'{name}' {fault}");
                }
                else
                {
                    setting.Set(settings, value);
                }
            }
            else if (prefix.Length > 0 || property.Name is not ("job" or "description"))
            {
                IEnumerable<string> near = byName.Keys.Concat(groups).Where(key => key.StartsWith(prefix, StringComparison.Ordinal)).Append("description");
                faults.Add($"'{name}' is not a known key.{Nearest.Suggest(name, near)}");
            }
        }
    }
}
