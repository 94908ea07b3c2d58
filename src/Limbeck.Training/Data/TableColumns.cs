using System.Globalization;

namespace Limbeck.Training.Data;

/// <summary>Where a table has what: found from its header, or from its first row where GLUE has no header.</summary>
/// <param name="Names">The header; for a file without one, the places counted from 1.</param>
/// <param name="Count">Fields that each row must have.</param>
/// <param name="Text">Place of the text, from 0.</param>
/// <param name="Pair">Place of the second text; -1 for single texts.</param>
/// <param name="Label">Place of the label; -1 when the file has none.</param>
/// <param name="FirstIsRow">Whether the first record is a row.</param>
internal readonly record struct TableColumns(string[] Names, int Count, int Text, int Pair, int Label, bool FirstIsRow)
{
    private static readonly string[] TextNames = ["sentence1", "sentence", "text", "text1"];
    private static readonly string[] PairNames = ["sentence2", "text2", "pair"];

    /// <summary>Finds the columns.</summary>
    /// <param name="path">For messages.</param>
    /// <param name="first">The first record.</param>
    /// <param name="delimiter">Null for JSON lines.</param>
    /// <param name="options">Names that the user gave.</param>
    /// <param name="task">Null when the file is to say it.</param>
    /// <param name="quirks">Whether the file may be laid out as GLUE's.</param>
    /// <param name="scores">Whether a column named score may be the label.</param>
    /// <param name="warnings">Takes what the user should know.</param>
    /// <exception cref="DataException">A column is not there or there twice; the message lists those that are.</exception>
    public static TableColumns Find(
        string path, TableRow first, char? delimiter, TableOptions options, TaskDefinition? task, bool quirks, bool scores, List<string> warnings)
    {
        string[] labelNames = scores ? ["label", "score"] : ["label"];
        string[] names = first.Fields.Select(f => (f ?? "").Trim()).ToArray();
        GlueLayout? places = quirks ? task!.Layout!.WithColumns(names.Length) : null;
        if (places is not null && IsLabel(task!, names[places.Label]))
        {
            string[] numbers = Enumerable.Range(1, names.Length).Select(i => i.ToString(CultureInfo.InvariantCulture)).ToArray();
            return new(numbers, names.Length, places.Text, places.Pair, places.Label, true);
        }

        int text = -1;
        int pair = -1;
        if (options.TextColumn is null && task?.Layout is { } glue)
        {
            text = Place(path, names, [glue.TextHeader]);
            pair = glue.PairHeader is null ? -1 : Place(path, names, [glue.PairHeader]);
            if (glue.PairHeader is not null && (pair < 0 || text < 0))
            {
                (text, pair) = (-1, -1);
            }
        }

        if (text < 0)
        {
            text = options.TextColumn is null ? Place(path, names, TextNames) : Named(path, names, options.TextColumn, "text");
        }

        if (pair < 0 && options.PairColumn is not null)
        {
            pair = Named(path, names, options.PairColumn, "pair");
        }
        else if (pair < 0 && (options.TextColumn is null ? task?.IsPair != false : task?.IsPair == true))
        {
            pair = Place(path, names, PairNames);
        }

        int label = options.LabelColumn is not null ? Named(path, names, options.LabelColumn, "label")
            : task?.Layout is { } layout && Place(path, names, [layout.LabelHeader]) is >= 0 and var own ? own
            : Place(path, names, labelNames);

        bool incomplete = text < 0 || (task?.IsPair == true && pair < 0) || (options.RequireLabels && label < 0);
        if (incomplete && places is not null)
        {
            warnings.Add($"{path}: the header is not {task!.Name}'s ({Nearest.List(names)}); the columns are taken by their places");
            return new(names, names.Length, places.Text, places.Pair, places.Label, false);
        }

        if (text < 0)
        {
            throw Lacks(path, names, "text", [.. task?.Layout is { } l ? [l.TextHeader] : Array.Empty<string>(), .. TextNames], delimiter);
        }

        if (task?.IsPair == true && pair < 0)
        {
            throw Lacks(path, names, "second text", [.. task.Layout?.PairHeader is { } h ? [h] : Array.Empty<string>(), .. PairNames], delimiter);
        }

        if (task?.IsPair == false && pair >= 0)
        {
            throw new DataException($"{path}: the column '{names[pair]}' was named for a second text, but the task {task.Name} takes one text");
        }

        if (options.RequireLabels && label < 0)
        {
            throw Lacks(path, names, "label", [.. task?.Layout is { } l ? [l.LabelHeader] : Array.Empty<string>(), .. labelNames], delimiter);
        }

        if (text == pair || text == label || (pair >= 0 && pair == label))
        {
            throw new DataException($"{path}: the column '{names[text == pair || text == label ? text : pair]}' is used twice; text, second text and label must be different columns");
        }

        return new(names, names.Length, text, pair, label, false);
    }

    private static bool IsLabel(TaskDefinition task, string field) => task.Kind == TaskKind.Classification
        ? task.Labels.Contains(field, StringComparer.Ordinal)
        : double.TryParse(field, NumberStyles.Float, CultureInfo.InvariantCulture, out _);

    /// <summary>The place of the first of the wanted names that is there, in the same or, failing that, another case; -1 when none is.</summary>
    private static int Place(string path, string[] names, string[] wanted)
    {
        foreach (string name in wanted)
        {
            foreach (StringComparison comparison in (ReadOnlySpan<StringComparison>)[StringComparison.Ordinal, StringComparison.OrdinalIgnoreCase])
            {
                int place = Array.FindIndex(names, n => string.Equals(n, name, comparison));
                if (place >= 0 && Array.FindLastIndex(names, n => string.Equals(n, name, comparison)) != place)
                {
                    throw new DataException($"{path}: there are two columns '{name}'; rename one");
                }

                if (place >= 0)
                {
                    return place;
                }
            }
        }

        return -1;
    }

    private static int Named(string path, string[] names, string wanted, string role) => Place(path, names, [wanted]) is >= 0 and var place
        ? place
        : throw new DataException($"{path}: there is no column '{wanted}' for the {role}.{Nearest.Suggest(wanted, names)} The columns are {Nearest.List(names)}");

    private static DataException Lacks(string path, string[] names, string role, string[] wanted, char? delimiter)
    {
        char? other = names.Length == 1 && delimiter is not null ? ";\t,|".FirstOrDefault(c => c != delimiter && names[0].Contains(c)) : null;
        string advice = other is { } c and not '\0'
            ? $"; the first line has a {(c == '\t' ? "tab" : $"'{c}'")}: is that what separates the columns?"
            : $"; rename one, or say which column it is{(delimiter is null ? "" : " (the first line must be the header)")}";
        return new($"{path}: there is no column for the {role}: needed {string.Join(" or ", wanted.Distinct().Select(n => $"'{n}'"))}; the columns are {Nearest.List(names)}{advice}");
    }
}
