using System.Globalization;

namespace Limbeck.Training.Data;

/// <summary>
/// Reads labelled tables: TSV, CSV (RFC 4180) and JSON lines, in UTF-8, also packed with gzip. Columns are found by name, labels are matched by name,
/// and every fault of a file is gathered before the read fails. GLUE's folders are <see cref="GlueReader"/>'s.
/// </summary>
public static class TableReader
{
    // Lines of skipped rows that a warning names.
    private const int LinesShown = 10;

    /// <summary>Reads a table of the user's own.</summary>
    /// <param name="path">The file; .tsv, .csv, .jsonl (or .json, .ndjson) say the format, any other ending leaves it to the first line; .gz may follow.</param>
    /// <param name="options">Columns and format; null finds all out.</param>
    /// <param name="knownLabels">
    /// The labels of the training file or model, in order: a row with another is a fault. Null: this is the training file, and its labels,
    /// sorted (by value when all are integers, by code unit otherwise), become the task's.
    /// </param>
    /// <returns>The rows with a task of their own: classification or regression, single texts or pairs.</returns>
    /// <exception cref="DataException">The file cannot be used; the message has the lines and reasons.</exception>
    public static Dataset Read(string path, TableOptions? options = null, IReadOnlyList<string>? knownLabels = null)
    {
        ArgumentNullException.ThrowIfNull(path);
        options ??= new();
        if (knownLabels is not null && options.Regression == true)
        {
            throw new DataException($"{path}: regression was asked for, but there are known labels: {Nearest.List(knownLabels)}");
        }

        return Load(path, options, null, knownLabels, null);
    }

    /// <summary>Reads a table for a task that is known: GLUE's or the one of the user's training file.</summary>
    /// <param name="task">Says kind, labels, and whether rows are pairs.</param>
    /// <param name="path">The file, as for <see cref="Read"/>.</param>
    /// <param name="options">Columns and format; null finds all out.</param>
    /// <exception cref="DataException">The file cannot be used, or is not of this task.</exception>
    public static Dataset ReadAs(TaskDefinition task, string path, TableOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(task);
        ArgumentNullException.ThrowIfNull(path);
        options ??= new();
        if (options.Regression is { } asked && asked != (task.Kind == TaskKind.Regression))
        {
            throw new DataException($"{path}: {(asked ? "regression" : "classification")} was asked for, but the task {task.Name} is a {(asked ? "classification" : "regression")}");
        }

        return Load(path, options, task, null, null);
    }

    /// <summary>The one reader behind all: resolves columns, checks rows, maps labels.</summary>
    internal static Dataset Load(
        string path, TableOptions options, TaskDefinition? task, IReadOnlyList<string>? knownLabels, string? name, bool ignoreLabels = false)
    {
        var faults = new FaultList(path);
        List<string> warnings = [];
        var columns = default(TableColumns);
        List<(TextExample Row, string? Label)> rows = [];
        List<int> malformed = [];
        int unlabelled = 0;
        int surplus = 0;
        char? delimiter = Delimiter(path, options);
        bool quirks = Quirks(delimiter, options, task);
        bool scores = task?.Kind != TaskKind.Classification && knownLabels is null && options.Regression != false;
        using (var reader = new LineReader(path, faults))
        {
            bool started = false;
            foreach (TableRow row in TableRows.Read(reader, delimiter, faults, blankRows: quirks))
            {
                if (!started)
                {
                    started = true;
                    columns = TableColumns.Find(path, row, delimiter, options, task, quirks, scores, warnings);
                    columns = ignoreLabels ? columns with { Label = -1 } : columns;
                    if (!columns.FirstIsRow)
                    {
                        continue;
                    }
                }

                if (faults.LastLine == row.Line)
                {
                    continue;
                }

                if (row.Fields.Length != columns.Count)
                {
                    if (quirks && (row.Fields.Length < columns.Count || task!.Name == "QQP"))
                    {
                        malformed.Add(row.Line);
                        continue;
                    }

                    if (!(quirks && task!.Name == "STS-B" && row.Fields.Length > columns.Count))
                    {
                        string hint = row.Fields.Length < columns.Count ? "" : delimiter == '\t' ? "; is there a tab inside a text?" : "; a text with the separator in it must be quoted";
                        faults.Add(row.Line, $"got {row.Fields.Length} {(row.Fields.Length == 1 ? "field" : "fields")}; needed {columns.Count}{hint}");
                        continue;
                    }

                    surplus++;
                }

                string? label = columns.Label < 0 ? null : row.Fields[columns.Label]?.Trim();
                if (quirks && task!.Name == "MNLI" && label == "-")
                {
                    unlabelled++;
                    continue;
                }

                string? text = row.Fields[columns.Text];
                string? pair = columns.Pair < 0 ? null : row.Fields[columns.Pair];
                if (!quirks && Missing(row, columns) is { } reason)
                {
                    faults.Add(row.Line, reason);
                    continue;
                }

                rows.Add((new(text!, pair, -1, double.NaN, row.Line), label));
            }

            if (!started)
            {
                faults.ThrowIfAny();
                throw new DataException($"{path}: the file is empty");
            }
        }

        if (rows.Count == 0)
        {
            faults.ThrowIfAny();
            throw new DataException(malformed.Count > 0 && unlabelled > 0 ? $"{path}: no row can be used: {malformed.Count} do not have {columns.Count} fields, {unlabelled} have no gold label"
                : malformed.Count > 0 ? $"{path}: all {malformed.Count} rows are malformed; needed {columns.Count} fields in each"
                : unlabelled > 0 ? $"{path}: none of the {unlabelled} rows has a gold label"
                : $"{path}: the file has a header and no rows");
        }

        bool labelled = columns.Label >= 0;
        task ??= knownLabels is not null ? TaskDefinition.Custom(TaskKind.Classification, columns.Pair >= 0, knownLabels)
            : OwnTask(rows, options, columns, faults, warnings, path);
        TextExample[] examples = labelled ? Labelled(rows, task, faults) : [.. rows.Select(r => r.Row)];
        faults.ThrowIfAny();
        int all = rows.Count + malformed.Count + unlabelled;
        if (malformed.Count > 0)
        {
            warnings.Add($"{path}: skipped {malformed.Count} of {all} rows that do not have {columns.Count} fields ({(malformed.Count == 1 ? "line" : "lines")} {string.Join(", ", malformed.Take(LinesShown))}{(malformed.Count > LinesShown ? ", ..." : string.Empty)})");
        }

        if (unlabelled > 0)
        {
            warnings.Add($"{path}: skipped {unlabelled} of {all} rows that have no gold label ('-')");
        }

        if (surplus > 0)
        {
            warnings.Add($"{path}: {surplus} rows have more than {columns.Count} fields; the rest of them is not used");
        }

        return new(name ?? Path.GetFileName(path), task, examples, malformed.Count + unlabelled, warnings);
    }

    /// <summary>Where a table that <see cref="Load"/> has read has what, for those who copy its other columns too.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">As for <see cref="Load"/>.</param>
    /// <param name="task">As for <see cref="Load"/>.</param>
    /// <returns>What separates columns (null for JSON lines), the columns, and the first record.</returns>
    internal static (char? Delimiter, TableColumns Columns, TableRow First) Layout(string path, TableOptions options, TaskDefinition? task)
    {
        char? delimiter = Delimiter(path, options);
        FaultList faults = new(path);
        using LineReader reader = new(path, faults);
        if (TableRows.Read(reader, delimiter, faults).Cast<TableRow?>().FirstOrDefault() is not { } first)
        {
            faults.ThrowIfAny();
            throw new DataException($"{path}: the file is empty");
        }

        bool scores = task?.Kind != TaskKind.Classification && options.Regression != false;
        return (delimiter, TableColumns.Find(path, first, delimiter, options, task, Quirks(delimiter, options, task), scores, []), first);
    }

    private static bool Quirks(char? delimiter, TableOptions options, TaskDefinition? task) =>
        task?.Layout is not null && delimiter == '\t' && options is { TextColumn: null, PairColumn: null, LabelColumn: null };

    /// <summary>What separates the columns; null for JSON lines.</summary>
    private static char? Delimiter(string path, TableOptions options)
    {
        if (options.Delimiter is '"' or '\r' or '\n')
        {
            throw new DataException("a quote or a line end cannot separate columns; use a tab, a comma, a semicolon or a bar");
        }

        string extension = Extension(path);
        if (options.Delimiter is not null || extension is ".jsonl" or ".json" or ".ndjson")
        {
            return options.Delimiter;
        }

        if (extension is ".tsv" or ".csv")
        {
            return extension == ".tsv" ? '\t' : ',';
        }

        using var reader = new LineReader(path, new(path));
        string first = reader.Read() ?? "";
        return first.TrimStart().StartsWith('{') ? null : first.Contains('\t') || !first.Contains(',') ? '\t' : ',';
    }

    /// <summary>The ending in lower case, without a final .gz.</summary>
    internal static string Extension(string path)
    {
        string extension = Path.GetExtension(path).ToLowerInvariant();
        return extension == ".gz" ? Path.GetExtension(path[..^3]).ToLowerInvariant() : extension;
    }

    /// <summary>Why a row of the user's cannot be used, or null.</summary>
    private static string? Missing(TableRow row, in TableColumns columns)
    {
        foreach (int column in (ReadOnlySpan<int>)[columns.Text, columns.Pair, columns.Label])
        {
            if (column >= 0 && string.IsNullOrWhiteSpace(row.Fields[column]))
            {
                return $"column '{columns.Names[column]}' {(row.Fields[column] is null ? "is missing, null, or neither text nor number" : "is empty")}";
            }
        }

        return null;
    }

    /// <summary>Finds kind and labels of a training file.</summary>
    private static TaskDefinition OwnTask(List<(TextExample Row, string? Label)> rows, TableOptions options, in TableColumns columns, FaultList faults, List<string> warnings, string path)
    {
        bool pair = columns.Pair >= 0;
        if (options.Regression == true)
        {
            return TaskDefinition.Custom(TaskKind.Regression, pair, []);
        }

        string[] labels = rows.Select(r => r.Label).OfType<string>().Distinct(StringComparer.Ordinal).ToArray();
        if (labels.Length == 0)
        {
            faults.ThrowIfAny();
            throw new DataException($"{path}: the file has no column of labels, so its task is not known; name the task or its labels");
        }

        if (options.Regression is null && labels.All(l => Number(l) is not null) && labels.Any(l => Number(l) is { } v && v != Math.Floor(v)))
        {
            return TaskDefinition.Custom(TaskKind.Regression, pair, []);
        }

        string column = columns.Names[columns.Label];
        if (labels.Length == 1)
        {
            warnings.Add($"{path}: every row has the same label '{labels[0]}' in column '{column}'; there is nothing to learn");
        }
        else if (labels.Length > 20 && 2 * labels.Length > rows.Count)
        {
            warnings.Add($"{path}: column '{column}' has {labels.Length} different labels in {rows.Count} rows; is it the column of labels?");
        }

        if (labels.All(l => long.TryParse(l, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _)))
        {
            Array.Sort(labels, (a, b) => (long.Parse(a, CultureInfo.InvariantCulture), a).CompareTo((long.Parse(b, CultureInfo.InvariantCulture), b)));
        }
        else
        {
            Array.Sort(labels, StringComparer.Ordinal);
        }

        return TaskDefinition.Custom(TaskKind.Classification, pair, labels);
    }

    /// <summary>Turns label texts into indices or scores.</summary>
    private static TextExample[] Labelled(List<(TextExample Row, string? Label)> rows, TaskDefinition task, FaultList faults)
    {
        var index = task.Labels.Select((l, i) => (l, i)).ToDictionary(p => p.l, p => p.i, StringComparer.Ordinal);
        var examples = new TextExample[rows.Count];
        for (int i = 0; i < examples.Length; i++)
        {
            (TextExample row, string? label) = rows[i];
            if (task.Kind == TaskKind.Classification)
            {
                if (label is not null && index.TryGetValue(label, out int known))
                {
                    examples[i] = row with { Label = known };
                }
                else
                {
                    faults.Add(row.Line, $"label '{label}' is not known.{Nearest.Suggest(label ?? "", task.Labels)} The labels are {Nearest.List(task.Labels)}");
                }
            }
            else if (Number(label) is not { } score)
            {
                faults.Add(row.Line, $"score '{label}' is not a number");
            }
            else if (!double.IsFinite(score))
            {
                faults.Add(row.Line, $"score '{label}' is not finite");
            }
            else
            {
                examples[i] = row with { Score = score };
            }
        }

        return examples;
    }

    private static double? Number(string? text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value : null;
}
