using Limbeck.Tensors;
namespace Limbeck.Training.Data;

/// <summary>Splits one labelled file into a part to train on and a part to validate on.</summary>
public static class Splitter
{
    /// <summary>Strata that the scores of a regression are cut into, by rank.</summary>
    private const int ScoreBins = 10;

    /// <summary>
    /// Splits by seed, each label (or tenth of the scores) in proportion. Rows of equal text (and pair), but for case and outer spaces, stay on one side,
    /// so that no validation row was trained on. Each label keeps at least one text to train on.
    /// </summary>
    /// <param name="data">Labelled rows.</param>
    /// <param name="fraction">The share of rows to validate on, above 0 and below 1. Where equal texts are many, somewhat fewer are taken.</param>
    /// <param name="seed">Another seed, another split; the same seed and data, the same split on every machine.</param>
    /// <returns>Both parts in the file's order.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The fraction is not between 0 and 1.</exception>
    /// <exception cref="DataException">Rows lack labels, or there are too few different texts.</exception>
    public static (Dataset Train, Dataset Validation) Split(Dataset data, double fraction, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(data);
        if (!(fraction > 0 && fraction < 1))
        {
            throw new ArgumentOutOfRangeException(nameof(fraction), fraction, "the share of rows to validate on must lie between 0 and 1");
        }

        if (!data.HasLabels)
        {
            throw new DataException($"{data.Name}: rows without labels cannot be split by label");
        }

        var random = new SeededRandom(seed);
        List<int>[][] strata = Strata(data);
        int[] quotas = Quotas(strata, data.Examples.Count, fraction, random);
        bool[] validate = new bool[data.Examples.Count];
        for (int s = 0; s < strata.Length; s++)
        {
            random.Shuffle(strata[s].AsSpan());
            int room = quotas[s];
            int trained = strata[s].Length;
            foreach (List<int> group in strata[s])
            {
                if (group.Count <= room && trained > 1)
                {
                    room -= group.Count;
                    trained--;
                    group.ForEach(i => validate[i] = true);
                }
            }
        }

        int[] all = Enumerable.Range(0, validate.Length).ToArray();
        int[] held = Array.FindAll(all, i => validate[i]);
        if (held.Length == 0)
        {
            throw new DataException($"{data.Name}: {all.Length} rows are too few (or too many of them equal) to hold {fraction:P0} back; give a validation file instead");
        }

        return (data.Select($"{data.Name} (training part)", Array.FindAll(all, i => !validate[i])), data.Select($"{data.Name} (validation part)", held));
    }

    /// <summary>Groups of equal texts, by the label or score bin of their first row.</summary>
    private static List<int>[][] Strata(Dataset data)
    {
        IReadOnlyList<TextExample> rows = data.Examples;
        List<List<int>> groups = [];
        Dictionary<(string, string?), List<int>> known = [];
        for (int i = 0; i < rows.Count; i++)
        {
            (string, string?) key = (rows[i].Text.Trim().ToUpperInvariant(), rows[i].Pair?.Trim().ToUpperInvariant());
            if (!known.TryGetValue(key, out List<int>? group))
            {
                known.Add(key, group = []);
                groups.Add(group);
            }

            group.Add(i);
        }

        if (data.Task.Kind == TaskKind.Classification)
        {
            return groups.GroupBy(g => rows[g[0]].Label).OrderBy(s => s.Key).Select(s => s.ToArray()).ToArray();
        }

        List<int>[] ordered = groups.OrderBy(g => rows[g[0]].Score).ToArray();
        int bins = Math.Clamp(ordered.Length / 2, 1, ScoreBins);
        return Enumerable.Range(0, bins)
            .Select(b => ordered[(int)((long)b * ordered.Length / bins)..(int)((long)(b + 1) * ordered.Length / bins)])
            .ToArray();
    }

    /// <summary>Rows to hold back of each stratum: the share rounded down, then one more for the largest remainders until the total is right; ties by lot.</summary>
    private static int[] Quotas(List<int>[][] strata, int rows, double fraction, SeededRandom random)
    {
        double[] share = strata.Select(s => fraction * s.Sum(g => g.Count)).ToArray();
        int[] quotas = share.Select(s => (int)s).ToArray();
        int wanted = Math.Max(1, (int)Math.Round(fraction * rows, MidpointRounding.AwayFromZero));
        int[] order = Enumerable.Range(0, strata.Length).ToArray();
        random.Shuffle(order.AsSpan());
        int missing = wanted - quotas.Sum();
        foreach (int s in order.Where(s => strata[s].Length > 1).OrderByDescending(s => share[s] - quotas[s]).Take(Math.Max(missing, 0)))
        {
            quotas[s]++;
        }

        return quotas;
    }
}
