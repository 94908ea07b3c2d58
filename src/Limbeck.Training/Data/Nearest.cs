namespace Limbeck.Training.Data;

/// <summary>Finds the known name that a mistyped one probably meant.</summary>
internal static class Nearest
{
    /// <summary>" Did you mean 'x'?", or nothing when no name is near (more than half of the letters differ).</summary>
    public static string Suggest(string name, IEnumerable<string> known)
    {
        string? best = null;
        int bestDistance = int.MaxValue;
        foreach (string candidate in known)
        {
            int distance = Distance(name.ToUpperInvariant(), candidate.ToUpperInvariant());
            if (distance < bestDistance)
            {
                (best, bestDistance) = (candidate, distance);
            }
        }

        return best is not null && 2 * bestDistance <= Math.Max(name.Length, best.Length) ? $" Did you mean '{best}'?" : "";
    }

    /// <summary>Names in quotes and commas, at most 20 of them.</summary>
    public static string List(IReadOnlyList<string> names)
    {
        const int most = 20;
        string list = string.Join(", ", names.Take(most).Select(n => $"'{n}'"));
        return names.Count > most ? $"{list} and {names.Count - most} more" : list;
    }

    private static int Distance(string a, string b)
    {
        int[] row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int above = row[j];
                row[j] = Math.Min(Math.Min(above, row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }

        return row[b.Length];
    }
}
