namespace Limbeck.Training.Data;

/// <summary>Reads unlabelled texts, for distillation, where only the teacher's word is needed.</summary>
public static class TextLines
{
    /// <summary>Reads the texts of a table whose columns say whether rows are pairs: as for training, naming the text's column alone means single texts.</summary>
    /// <param name="file">A table as for <see cref="TableReader"/>.</param>
    /// <param name="options">Columns and format; null finds all out.</param>
    /// <returns>Rows without labels.</returns>
    /// <exception cref="DataException">The file cannot be used.</exception>
    public static Dataset ReadTable(string file, TableOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(file);
        options = (options ?? new()) with { RequireLabels = false };
        bool pair = TableReader.Layout(file, options, null).Columns.Pair >= 0;
        return GlueReader.ReadTexts(TaskDefinition.Custom(TaskKind.Regression, pair, []), file, options);
    }

    /// <summary>Every line of a file, blank ones too, split at \n alone; .gz is unpacked.</summary>
    /// <param name="file">UTF-8 text.</param>
    /// <exception cref="DataException">The file cannot be read, or a line is not UTF-8; thrown when that line's turn comes.</exception>
    public static IEnumerable<string> Lines(string file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return Read();

        IEnumerable<string> Read()
        {
            FaultList faults = new(file);
            using LineReader reader = new(file, faults);
            while (reader.Read() is { } line)
            {
                faults.ThrowIfAny();
                yield return line.EndsWith('\r') ? line[..^1] : line;
            }
        }
    }

    /// <summary>Reads texts. Labels that the file may have are not used.</summary>
    /// <param name="file">
    /// .tsv, .csv, .jsonl (.json, .ndjson): a table as for <see cref="TableReader"/>. Any other ending: one text a line, blank lines left out, for single texts only.
    /// .gz may follow.
    /// </param>
    /// <param name="task">The task that the texts are for: it says whether rows are pairs.</param>
    /// <param name="options">Columns of a table; null finds them out.</param>
    /// <returns>Rows without labels.</returns>
    /// <exception cref="DataException">The file cannot be used, or has single texts where pairs are needed.</exception>
    public static Dataset Read(string file, TaskDefinition task, TableOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(task);
        if (TableReader.Extension(file) is ".tsv" or ".csv" or ".jsonl" or ".json" or ".ndjson")
        {
            return TableReader.Load(file, (options ?? new()) with { RequireLabels = false }, task, null, null, ignoreLabels: true);
        }

        if (task.IsPair)
        {
            throw new DataException($"{file}: one text a line, but the task {task.Name} takes pairs; use a .tsv, .csv or .jsonl file with columns sentence1 and sentence2");
        }

        var faults = new FaultList(file);
        List<TextExample> examples = [];
        using (var reader = new LineReader(file, faults))
        {
            while (reader.Read() is { } line)
            {
                string text = line.EndsWith('\r') ? line[..^1] : line;
                if (!string.IsNullOrWhiteSpace(text))
                {
                    examples.Add(new(text, null, -1, double.NaN, reader.Line));
                }
            }
        }

        faults.ThrowIfAny();
        return examples.Count > 0 ? new(Path.GetFileName(file), task, examples) : throw new DataException($"{file}: the file has no text");
    }
}
