namespace Limbeck.Training.Compression;

/// <summary>Which teacher layer each student layer learns from, written student:teacher, such as 0:0,1:2,2:4,3:6. Layer 0 is the embedding block; layers count from 1.</summary>
public sealed class LayerMap
{
    private readonly SortedDictionary<int, int> pairs;

    private LayerMap(SortedDictionary<int, int> pairs) => this.pairs = pairs;

    /// <summary>The pairs, in the student's order.</summary>
    public IReadOnlyDictionary<int, int> Pairs => pairs;

    /// <summary>TinyBERT's uniform map g(m) = m N/M, with g(0) = 0. Jiao et al., section 3.1.</summary>
    /// <param name="studentLayers">M.</param>
    /// <param name="teacherLayers">N, a multiple of M.</param>
    /// <exception cref="ArgumentException">N is no multiple of M: the map must be written out.</exception>
    public static LayerMap Uniform(int studentLayers, int teacherLayers)
    {
        if (studentLayers < 1 || teacherLayers % studentLayers != 0)
        {
            throw new ArgumentException(
                $"there is no uniform layer map from {teacherLayers} teacher layers to {studentLayers} student layers: write one out, such as --layer-map {Example(studentLayers, teacherLayers)}");
        }

        SortedDictionary<int, int> pairs = [];
        for (int m = 0; m <= studentLayers; m++)
        {
            pairs[m] = m * (teacherLayers / studentLayers);
        }

        return new LayerMap(pairs);
    }

    /// <summary>A map as written.</summary>
    /// <param name="text">Pairs student:teacher, separated by commas.</param>
    /// <param name="studentLayers">M.</param>
    /// <param name="teacherLayers">N.</param>
    /// <exception cref="ArgumentException">It cannot be read or names a layer that is not there; every fault is listed.</exception>
    public static LayerMap Parse(string text, int studentLayers, int teacherLayers)
    {
        SortedDictionary<int, int> pairs = [];
        List<string> faults = [];
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            string[] sides = part.Split(':', StringSplitOptions.TrimEntries);
            if (sides.Length != 2 || !int.TryParse(sides[0], out int student) || !int.TryParse(sides[1], out int teacher))
            {
                faults.Add($"'{part}' is not a pair student:teacher");
            }
            else if (student < 0 || student > studentLayers)
            {
                faults.Add($"'{part}' names student layer {student}; there are 0 (embeddings) to {studentLayers}");
            }
            else if (teacher < 0 || teacher > teacherLayers)
            {
                faults.Add($"'{part}' names teacher layer {teacher}; there are 0 (embeddings) to {teacherLayers}");
            }
            else if ((student == 0) != (teacher == 0))
            {
                faults.Add($"'{part}' pairs the embedding block with a layer; write 0:0 or leave it out");
            }
            else if (!pairs.TryAdd(student, teacher))
            {
                faults.Add($"'{part}' names student layer {student} a second time");
            }
        }

        if (faults.Count > 0)
        {
            throw new ArgumentException($"layer map '{text}': {string.Join("; ", faults)}. Example: {Example(studentLayers, teacherLayers)}");
        }

        return new LayerMap(pairs);
    }

    /// <inheritdoc/>
    public override string ToString() => string.Join(",", pairs.Select(pair => $"{pair.Key}:{pair.Value}"));

    private static string Example(int studentLayers, int teacherLayers) =>
        string.Join(",", Enumerable.Range(0, Math.Max(1, studentLayers) + 1).Select(m => $"{m}:{(int)Math.Round((double)m * teacherLayers / Math.Max(1, studentLayers))}"));
}
