namespace Limbeck.Training.Evaluation;

/// <summary>How sure a difference of two models' scores is, given that the dev rows are a sample: both are scored on the same resampled rows.</summary>
/// <remarks>Percentile interval of the mean over seeds of the difference, 95 %. The resampling is seeded, so a page is rendered to the same text again.</remarks>
public static class PairedBootstrap
{
    private const int Resamples = 1000;
    private const int Seed = 20240229;
    private const double Tail = 0.025;

    /// <summary>The interval of first minus second.</summary>
    /// <param name="task">The task, whose score is compared.</param>
    /// <param name="gold">Labels of the dev rows.</param>
    /// <param name="pairs">For each seed, both models' predictions of the same rows; at least one.</param>
    /// <returns>Lower and upper end, as shares of 1.</returns>
    /// <exception cref="ArgumentException">No pair, no rows, or numbers of rows that differ.</exception>
    public static (double Low, double High) Interval(string task, double[] gold, IReadOnlyList<(double[] First, double[] Second)> pairs)
    {
        ArgumentNullException.ThrowIfNull(gold);
        ArgumentNullException.ThrowIfNull(pairs);
        if (pairs.Count == 0 || gold.Length == 0)
        {
            throw new ArgumentException("a bootstrap needs at least one pair of predictions and one row.", nameof(pairs));
        }

        foreach ((double[] first, double[] second) in pairs)
        {
            if (first.Length != gold.Length || second.Length != gold.Length)
            {
                throw new ArgumentException($"{task}: predictions of {first.Length} and {second.Length} rows are compared on {gold.Length} rows; all must be of the same dev set.", nameof(pairs));
            }
        }

#pragma warning disable CA5394 // Not for secrets: the same numbers each time are wanted.
        Random random = new(Seed);
        int[] rows = new int[gold.Length];
        double[] differences = new double[Resamples];
        for (int n = 0; n < Resamples; n++)
        {
            for (int i = 0; i < rows.Length; i++)
            {
                rows[i] = random.Next(rows.Length);
            }

            foreach ((double[] first, double[] second) in pairs)
            {
                differences[n] += (TaskScore.OfRows(task, gold, first, rows) - TaskScore.OfRows(task, gold, second, rows)) / pairs.Count;
            }
        }
#pragma warning restore CA5394

        Array.Sort(differences);
        return (differences[(int)(Tail * Resamples)], differences[(int)((1 - Tail) * Resamples) - 1]);
    }
}
