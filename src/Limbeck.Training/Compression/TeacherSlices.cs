using Limbeck.Models;
using Limbeck.Tensors;

namespace Limbeck.Training.Compression;

/// <summary>A student that starts as a piece of its teacher: some of its layers, and of those the first units, neurons and rows of each head.</summary>
public static class TeacherSlices
{
    /// <summary>Copies the teacher's slices into a student.</summary>
    /// <param name="teacher">At least as wide as the student, with as many heads.</param>
    /// <param name="student">Overwritten; what the teacher has no counterpart of keeps its values.</param>
    /// <param name="map">Student layer m starts as teacher layer map(m).</param>
    /// <param name="scaleQuery">Multiply the query by the root of the ratio of head sizes, which keeps the scores' magnitude when a head loses rows.</param>
    /// <param name="keptIds">The teacher's ids of the student's wordpieces, in the student's order; null when the vocabulary is the same.</param>
    /// <exception cref="ArgumentException">The student is no slice of the teacher; every fault is listed.</exception>
    public static void Copy(BertModel teacher, BertModel student, LayerMap map, bool scaleQuery = true, IReadOnlyList<int>? keptIds = null)
    {
        Check(teacher.Config, student.Config, map);
        BertConfig from = teacher.Config;
        BertConfig to = student.Config;
        int[] units = [.. Enumerable.Range(0, to.HiddenSize)];
        int[] neurons = [.. Enumerable.Range(0, to.IntermediateSize)];
        int fromHead = from.HiddenSize / from.HeadCount;
        int toHead = to.HiddenSize / to.HeadCount;
        int[] headRows = [.. Enumerable.Range(0, to.HiddenSize).Select(row => (row / toHead * fromHead) + (row % toHead))];
        float queryScale = scaleQuery ? MathF.Sqrt((float)fromHead / toHead) : 1f;
        foreach (Parameter target in student.Parameters)
        {
            string name = SourceName(target.Name, map);
            Parameter? source = teacher.Parameters.FirstOrDefault(candidate => candidate.Name == name);
            if (source is null || (target.Name.StartsWith("classifier", StringComparison.Ordinal) && source.Value.Rows != target.Value.Rows && target.Value.Shape.Length == 2))
            {
                continue;
            }

            bool perHead = name.Contains("attention.self.", StringComparison.Ordinal);
            float scale = name.Contains("attention.self.query.", StringComparison.Ordinal) ? queryScale : 1f;
            if (target.Value.Shape.Length == 1)
            {
                int[] rows = perHead ? headRows : target.Value.Length == to.IntermediateSize && name.Contains("intermediate", StringComparison.Ordinal) ? neurons : [.. Enumerable.Range(0, (int)target.Value.Length)];
                for (int i = 0; i < rows.Length; i++)
                {
                    target.Value.Span[i] = source.Value.Span[rows[i]] * scale;
                }
            }
            else
            {
                int[] rows = Rows(name, target, perHead ? headRows : units, neurons, keptIds);
                int[] columns = name.Contains("attention.output.dense", StringComparison.Ordinal) ? headRows
                    : name.EndsWith(".output.dense.weight", StringComparison.Ordinal) ? neurons : units;
                for (int r = 0; r < rows.Length; r++)
                {
                    Span<float> read = source.Value.Row(rows[r]);
                    Span<float> write = target.Value.Row(r);
                    for (int c = 0; c < columns.Length; c++)
                    {
                        write[c] = read[columns[c]] * scale;
                    }
                }
            }

            target.Changed();
        }
    }

    private static int[] Rows(string name, Parameter target, int[] units, int[] neurons, IReadOnlyList<int>? keptIds)
    {
        if (name.EndsWith("word_embeddings.weight", StringComparison.Ordinal) && keptIds is not null)
        {
            return [.. keptIds];
        }

        bool table = name.Contains("embeddings.", StringComparison.Ordinal) || name.StartsWith("classifier", StringComparison.Ordinal);
        return table ? [.. Enumerable.Range(0, target.Value.Rows)] : name.Contains("intermediate.dense", StringComparison.Ordinal) ? neurons : units;
    }

    private static string SourceName(string name, LayerMap map)
    {
        const string Prefix = "bert.encoder.layer.";
        if (!name.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return name;
        }

        int end = name.IndexOf('.', Prefix.Length);
        int layer = int.Parse(name.AsSpan(Prefix.Length, end - Prefix.Length), System.Globalization.CultureInfo.InvariantCulture);
        return $"{Prefix}{map.Pairs[layer + 1] - 1}{name[end..]}";
    }

    private static void Check(BertConfig teacher, BertConfig student, LayerMap map)
    {
        List<string> faults = Faults(teacher, student, map);
        if (student.MaxPositions > teacher.MaxPositions || student.TypeVocabularySize > teacher.TypeVocabularySize)
        {
            faults.Add("it has more positions or token types than the teacher");
        }

        Refuse("the student cannot start as a slice of the teacher", faults);
    }

    /// <summary>Why a student's layers cannot start as the teacher's: nothing where they can.</summary>
    internal static List<string> Faults(BertConfig teacher, BertConfig student, LayerMap map)
    {
        List<string> faults = [];
        if (student.HeadCount != teacher.HeadCount)
        {
            faults.Add($"it has {student.HeadCount} heads, the teacher {teacher.HeadCount}");
        }

        if (student.HiddenSize > teacher.HiddenSize || student.IntermediateSize > teacher.IntermediateSize)
        {
            faults.Add($"it is wider ({student.HiddenSize}/{student.IntermediateSize}) than the teacher ({teacher.HiddenSize}/{teacher.IntermediateSize})");
        }

        faults.AddRange(Enumerable.Range(1, student.LayerCount).Where(m => !map.Pairs.ContainsKey(m)).Select(m => $"the layer map has nothing for its layer {m}"));
        return faults;
    }

    /// <summary>Throws where there are faults, with all of them.</summary>
    internal static void Refuse(string what, List<string> faults)
    {
        if (faults.Count > 0)
        {
            throw new ArgumentException($"{what}: {string.Join("; ", faults)}. Use --student-init random, or pca where the student is not wider than the teacher.");
        }
    }
}
