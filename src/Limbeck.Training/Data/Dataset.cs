using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Limbeck.Training.Data;

/// <summary>The rows of a file, with their task. Does not change after it is made.</summary>
public sealed class Dataset
{
    /// <summary>Makes a data set.</summary>
    /// <param name="name">For messages and reports, such as "SST-2 train" or a file's name.</param>
    /// <param name="task">Its labels are what the rows' labels are indices into.</param>
    /// <param name="examples">The rows, in the file's order.</param>
    /// <param name="skippedRows">Rows of the file that are not among them.</param>
    /// <param name="warnings">What the user should know.</param>
    /// <exception cref="ArgumentException">A row's label is outside the task's labels, or a row is a pair where the task is not, or the reverse.</exception>
    public Dataset(string name, TaskDefinition task, IReadOnlyList<TextExample> examples, int skippedRows = 0, IReadOnlyList<string>? warnings = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(task);
        ArgumentNullException.ThrowIfNull(examples);
        foreach (TextExample e in examples)
        {
            if (e.Label < -1 || e.Label >= task.Labels.Count)
            {
                throw new ArgumentException($"{name}, line {e.Line}: label {e.Label} is not among the task's {task.Labels.Count} labels", nameof(examples));
            }

            if (e.Pair is null == task.IsPair)
            {
                throw new ArgumentException($"{name}, line {e.Line}: the row is {(task.IsPair ? "one text; the task takes pairs" : "a pair; the task takes one text")}", nameof(examples));
            }
        }

        Name = name;
        Task = task;
        Examples = examples;
        SkippedRows = skippedRows;
        Warnings = warnings ?? [];
        HasLabels = examples.All(e => task.Kind == TaskKind.Regression ? double.IsFinite(e.Score) : e.Label >= 0);
        Sha256 = Hash(task, examples);
    }

    /// <summary>For messages and reports.</summary>
    public string Name { get; }

    /// <summary>The task.</summary>
    public TaskDefinition Task { get; }

    /// <summary>The rows.</summary>
    public IReadOnlyList<TextExample> Examples { get; }

    /// <summary>Hash (64 hexadecimal digits) of what a run uses: texts, pairs, and labels by name or scores, in order. Not of the file: line ends and columns not used do not matter.</summary>
    public string Sha256 { get; }

    /// <summary>Rows of the file that were left out.</summary>
    public int SkippedRows { get; }

    /// <summary>What the user should know.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <summary>Whether every row has its label or score.</summary>
    public bool HasLabels { get; }

    /// <summary>[C] rows of each label.</summary>
    public int[] LabelCounts()
    {
        int[] counts = new int[Task.Labels.Count];
        foreach (TextExample e in Examples)
        {
            if (e.Label >= 0)
            {
                counts[e.Label]++;
            }
        }

        return counts;
    }

    /// <summary>Some of the rows as a data set of their own.</summary>
    /// <param name="name">The new data set's name.</param>
    /// <param name="rows">Indices into <see cref="Examples"/>, in the order wanted.</param>
    public Dataset Select(string name, IEnumerable<int> rows) => new(name, Task, rows.Select(i => Examples[i]).ToArray());

    private static string Hash(TaskDefinition task, IReadOnlyList<TextExample> examples)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[1024];
        foreach (TextExample e in examples)
        {
            Append(hash, e.Text, ref buffer);
            Append(hash, e.Pair, ref buffer);
            if (task.Kind == TaskKind.Classification)
            {
                Append(hash, e.Label < 0 ? null : task.Labels[e.Label], ref buffer);
            }
            else
            {
                BinaryPrimitives.WriteDoubleLittleEndian(buffer, double.IsNaN(e.Score) ? double.NaN : e.Score);
                hash.AppendData(buffer, 0, 8);
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Length in bytes, then UTF-8; length -1 for null. So no two lists of texts give the same bytes.</summary>
    private static void Append(IncrementalHash hash, string? text, ref byte[] buffer)
    {
        int most = 4 + (text is null ? 0 : Encoding.UTF8.GetMaxByteCount(text.Length));
        if (buffer.Length < most)
        {
            buffer = new byte[most];
        }

        int length = text is null ? -1 : Encoding.UTF8.GetBytes(text, buffer.AsSpan(4));
        BinaryPrimitives.WriteInt32LittleEndian(buffer, length);
        hash.AppendData(buffer, 0, 4 + Math.Max(length, 0));
    }
}
