namespace Limbeck.Training.Data;

/// <summary>
/// Reads GLUE's files as distributed: tab-separated without quoting, CoLA without a header, labels last in MNLI and STS-B, test files without labels.
/// Rows with fewer fields than needed (not a first line, which says how many) are skipped, counted and told of, in QQP those with more too, as in the reference code; in any other task a row with more is an error (but for STS-B's surplus columns).
/// </summary>
public static class GlueReader
{
    /// <summary>Reads one split of a task.</summary>
    /// <param name="task">One of GLUE's tasks.</param>
    /// <param name="directory">GLUE's folder, with one folder a task, or the task's own.</param>
    /// <param name="split">train, dev, test, train_aug; for MNLI dev_matched and dev_mismatched too (dev and test mean the matched ones). AX has one file, whatever the split.</param>
    /// <exception cref="DataException">There is no such file, or it has bad rows.</exception>
    public static Dataset Read(TaskDefinition task, string directory, string split)
    {
        ArgumentNullException.ThrowIfNull(task);
        ArgumentNullException.ThrowIfNull(directory);
        ArgumentNullException.ThrowIfNull(split);
        if (!task.IsGlue)
        {
            throw new DataException($"the task {task.Name} is not one of GLUE's; name its file");
        }

        string path = Locate(task, directory, split);
        bool labelled = task != TaskDefinition.Ax && (split.StartsWith("train", StringComparison.Ordinal) || split.StartsWith("dev", StringComparison.Ordinal));
        return TableReader.Load(path, new() { RequireLabels = labelled }, task, null, $"{task.Name} {split}");
    }

    /// <summary>Reads any file for a task: in GLUE's columns (of a training, development or test file) or in the user's, in any format of <see cref="TableReader"/>.</summary>
    /// <param name="task">GLUE's or the user's own.</param>
    /// <param name="file">The file.</param>
    /// <param name="options">Columns and format; null finds all out and takes a file without labels too (see <see cref="Dataset.HasLabels"/>).</param>
    /// <exception cref="DataException">The file cannot be used.</exception>
    public static Dataset ReadFile(TaskDefinition task, string file, TableOptions? options = null) =>
        TableReader.ReadAs(task, file, options ?? new() { RequireLabels = false });

    /// <summary>Reads the texts of any file for a task, as <see cref="ReadFile"/> does. Labels that the file may have are not used, and may be anything.</summary>
    /// <param name="task">GLUE's or the user's own.</param>
    /// <param name="file">The file.</param>
    /// <param name="options">Columns and format; null finds all out.</param>
    /// <returns>Rows without labels.</returns>
    /// <exception cref="DataException">The file cannot be used.</exception>
    public static Dataset ReadTexts(TaskDefinition task, string file, TableOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(task);
        ArgumentNullException.ThrowIfNull(file);
        return TableReader.Load(file, (options ?? new()) with { RequireLabels = false }, task, null, null, ignoreLabels: true);
    }

    /// <summary>The file of a split.</summary>
    /// <exception cref="DataException">There is none.</exception>
    internal static string Locate(TaskDefinition task, string directory, string split)
    {
        if (!Directory.Exists(directory))
        {
            throw new DataException($"{directory}: there is no such folder; needed GLUE's folder or {task.Name}'s");
        }

        string[] files = (task.Name, split) switch
        {
            ("AX", _) => ["diagnostic.tsv", "AX.tsv", "test.tsv"],
            ("MNLI", "dev") => ["dev_matched.tsv", "dev.tsv"],
            ("MNLI", "test") => ["test_matched.tsv", "test.tsv"],
            _ => [split + ".tsv"],
        };
        IEnumerable<string> folders = Directory.GetDirectories(directory)
            .Where(d => TaskDefinition.TryFind(Path.GetFileName(d)) == task)
            .Order(StringComparer.Ordinal)
            .Append(directory);
        foreach (string folder in folders)
        {
            foreach (string file in files)
            {
                string path = Path.Combine(folder, file);
                if (File.Exists(path))
                {
                    return path;
                }
            }
        }

        string nearest = folders.First();
        string[] there = Directory.GetFiles(nearest, "*.tsv").Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal).ToArray();
        throw new DataException($"{nearest}: there is no {string.Join(" or ", files)} for {task.Name}; the folder has {(there.Length == 0 ? "no .tsv file" : Nearest.List(there))}");
    }
}
