using System.Globalization;
using System.Text.Json;

namespace Limbeck.Models;

/// <summary>Takes typed values out of a configuration and notes what is of another type, so that all faults can be told at once. Knows no rules between values.</summary>
internal sealed class BertConfigReader(JsonElement root, List<string> faults)
{
    /// <summary>More classes than this are a mistake, not a model.</summary>
    private const int MostLabels = 1 << 20;

    /// <summary>Whether a key has a value that says anything: not null, not an empty container.</summary>
    public bool Has(string key) => Get(key) is { } value && value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().Any(),
        JsonValueKind.Array => value.GetArrayLength() > 0,
        _ => true,
    };

    /// <summary>A whole number, or what stands for one that is missing; missing is a fault unless optional.</summary>
    public int Size(string key, int fallback, bool isOptional)
    {
        if (Get(key) is not { } value)
        {
            if (!isOptional)
            {
                faults.Add($"{key} is missing, and so is model_type; a file without a type must give every size");
            }
            return fallback;
        }
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number))
        {
            return number;
        }
        faults.Add($"{key} is {Short(value)}; a whole number below 2^31 is needed");
        return fallback;
    }

    /// <summary>A number, null when missing or null.</summary>
    public float? Number(string key)
    {
        if (Get(key) is not { } value)
        {
            return null;
        }
        if (value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out float number))
        {
            return number;
        }
        faults.Add($"{key} is {Short(value)}; a number is needed");
        return null;
    }

    /// <summary>True or false, null when missing or null.</summary>
    public bool? Flag(string key)
    {
        if (Get(key) is not { } value)
        {
            return null;
        }
        if (value.ValueKind is JsonValueKind.True or JsonValueKind.False)
        {
            return value.GetBoolean();
        }
        faults.Add($"{key} is {Short(value)}; true or false is needed");
        return null;
    }

    /// <summary>Text, null when missing or null.</summary>
    public string? Text(string key)
    {
        if (Get(key) is not { } value)
        {
            return null;
        }
        if (value.ValueKind == JsonValueKind.String)
        {
            return value.GetString();
        }
        faults.Add($"{key} is {Short(value)}; text is needed");
        return null;
    }

    /// <summary>A list of texts, empty when missing or null.</summary>
    public IReadOnlyList<string> Texts(string key)
    {
        if (Get(key) is not { } value)
        {
            return [];
        }
        if (value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String))
        {
            return [.. value.EnumerateArray().Select(item => item.GetString()!)];
        }
        faults.Add($"{key} is {Short(value)}; a list of texts is needed");
        return [];
    }

    /// <summary>Class names by id, from whichever of id2label, label2id and num_labels are there; those that are must agree.</summary>
    public IReadOnlyList<string> Labels()
    {
        int before = faults.Count;
        SortedDictionary<int, string>? byId = Get("id2label") is null ? null : ById();
        SortedDictionary<int, string>? byName = Get("label2id") is null ? null : ByName();
        int? count = Get("num_labels") is null ? null : Size("num_labels", 2, isOptional: true);
        if (count is < 1 or > MostLabels)
        {
            faults.Add($"num_labels is {count}; 1 to {MostLabels} is needed");
        }
        if (faults.Count > before)
        {
            return BertConfig.DefaultLabels(2);
        }
        if (byId is not null && byName is not null && !byId.SequenceEqual(byName))
        {
            var odd = byId.Except(byName).Concat(byName.Except(byId)).First();
            faults.Add($"id2label and label2id disagree about id {odd.Key} ('{odd.Value}'); they must be each other's inverse");
        }
        if ((byId ?? byName) is not { } labels)
        {
            return BertConfig.DefaultLabels(count ?? 2);
        }
        string key = byId is null ? "label2id" : "id2label";
        int gap = labels.Keys.Select((id, place) => id == place ? -1 : place).FirstOrDefault(place => place >= 0, -1);
        if (gap >= 0)
        {
            faults.Add($"{key} has {labels.Count} classes but none with id {gap}; ids 0 to {labels.Count - 1} are needed");
        }
        if (count is not null && count != labels.Count)
        {
            faults.Add($"num_labels is {count}; {key} has {labels.Count} classes");
        }
        return [.. labels.Values];
    }

    private SortedDictionary<int, string> ById()
    {
        var labels = new SortedDictionary<int, string>();
        foreach (JsonProperty pair in Pairs("id2label"))
        {
            if (!int.TryParse(pair.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int id))
            {
                faults.Add($"id2label has the id '{pair.Name}'; a whole number is needed");
            }
            else if (pair.Value.ValueKind != JsonValueKind.String)
            {
                faults.Add($"id2label names class {id} {Short(pair.Value)}; text is needed");
            }
            else if (!labels.TryAdd(id, pair.Value.GetString()!))
            {
                faults.Add($"id2label names class {id} twice");
            }
        }
        return labels;
    }

    private SortedDictionary<int, string> ByName()
    {
        var labels = new SortedDictionary<int, string>();
        foreach (JsonProperty pair in Pairs("label2id"))
        {
            // Old files have the ids as text.
            int id = -1;
            bool isWhole = pair.Value.ValueKind == JsonValueKind.Number
                ? pair.Value.TryGetInt32(out id)
                : pair.Value.ValueKind == JsonValueKind.String && int.TryParse(pair.Value.GetString(), NumberStyles.None, CultureInfo.InvariantCulture, out id);
            if (!isWhole || id < 0)
            {
                faults.Add($"label2id gives '{pair.Name}' the id {Short(pair.Value)}; a whole number of at least 0 is needed");
            }
            else if (!labels.TryAdd(id, pair.Name))
            {
                faults.Add($"label2id gives id {id} to '{labels[id]}' and '{pair.Name}'");
            }
        }
        return labels;
    }

    private JsonProperty[] Pairs(string key)
    {
        JsonElement value = root.GetProperty(key);
        if (value.ValueKind == JsonValueKind.Object)
        {
            return [.. value.EnumerateObject()];
        }
        faults.Add($"{key} is {Short(value)}; an object is needed");
        return [];
    }

    private JsonElement? Get(string key) => root.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private static string Short(JsonElement value)
    {
        const int Most = 60;
        string text = value.GetRawText();
        return text.Length <= Most ? text : text[..Most] + "...";
    }
}
