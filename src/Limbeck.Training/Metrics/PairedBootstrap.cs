using Limbeck.Tensors;
using Limbeck.Training.Data;

namespace Limbeck.Training.Metrics;

/// <summary>
/// The percentile interval of the difference of two models' scores over one set of rows: rows are drawn with replacement, both models scored on the same draw.
/// Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 13 and 16. It covers the choice of rows, not of training seeds.
/// </summary>
public static class PairedBootstrap
{
    /// <summary>The least number of resamples; the 95 % ends of fewer move too much from seed to seed.</summary>
    public const int LeastResamples = 1000;

    /// <summary>Compares two classifiers by the task's one figure.</summary>
    /// <param name="task">The task.</param>
    /// <param name="labels">[n] indices into the task's labels.</param>
    /// <param name="first">[n] the first model's predictions.</param>
    /// <param name="second">[n] the second model's predictions.</param>
    /// <param name="seed">Says which rows are drawn.</param>
    /// <param name="resamples">At least <see cref="LeastResamples"/>.</param>
    /// <param name="confidence">Above 0, below 1.</param>
    /// <exception cref="ArgumentException">The task is a regression, or the lengths differ or are 0.</exception>
    public static BootstrapInterval Compare(
        TaskDefinition task, ReadOnlySpan<int> labels, ReadOnlySpan<int> first, ReadOnlySpan<int> second, ulong seed, int resamples = 2000, double confidence = 0.95)
    {
        ArgumentNullException.ThrowIfNull(task);
        MetricSet.RequireKind(task, TaskKind.Classification);
        return Compare<int>((l, p) => MetricSet.PrimaryOf(task, l, p), labels, first, second, seed, resamples, confidence);
    }

    /// <summary>Compares two regressions by the task's one figure; a correlation that a draw leaves undefined counts as 0.</summary>
    /// <param name="task">The task.</param>
    /// <param name="scores">[n] the numbers to predict.</param>
    /// <param name="first">[n] the first model's predictions.</param>
    /// <param name="second">[n] the second model's predictions.</param>
    /// <param name="seed">Says which rows are drawn.</param>
    /// <param name="resamples">At least <see cref="LeastResamples"/>.</param>
    /// <param name="confidence">Above 0, below 1.</param>
    /// <exception cref="ArgumentException">The task is a classification, or the lengths differ or are 0.</exception>
    public static BootstrapInterval Compare(
        TaskDefinition task, ReadOnlySpan<double> scores, ReadOnlySpan<double> first, ReadOnlySpan<double> second, ulong seed, int resamples = 2000, double confidence = 0.95)
    {
        ArgumentNullException.ThrowIfNull(task);
        MetricSet.RequireKind(task, TaskKind.Regression);
        return Compare<double>((l, p) => MetricSet.PrimaryOf(task, l, p), scores, first, second, seed, resamples, confidence);
    }

    /// <summary>Compares two rows of a table that were trained with several seeds each: the mean over seeds of the difference, first minus second, with all seeds scored on the same drawn rows.</summary>
    /// <param name="task">The task.</param>
    /// <param name="gold">[n] labels (class numbers) or numbers to predict.</param>
    /// <param name="pairs">For each seed, both models' predictions of the same rows; at least one.</param>
    /// <param name="seed">Says which rows are drawn.</param>
    /// <param name="resamples">At least <see cref="LeastResamples"/>.</param>
    /// <returns>Lower and upper end of the 95 % interval.</returns>
    /// <exception cref="ArgumentException">No pair, no rows, or numbers of rows that differ.</exception>
    public static (double Low, double High) OverSeeds(
        TaskDefinition task, double[] gold, IReadOnlyList<(double[] First, double[] Second)> pairs, ulong seed, int resamples = LeastResamples)
    {
        ArgumentNullException.ThrowIfNull(task);
        ArgumentNullException.ThrowIfNull(gold);
        ArgumentNullException.ThrowIfNull(pairs);
        ArgumentOutOfRangeException.ThrowIfLessThan(resamples, LeastResamples);
        if (pairs.Count == 0 || gold.Length == 0 || pairs.Any(pair => pair.First.Length != gold.Length || pair.Second.Length != gold.Length))
        {
            throw new ArgumentException($"{task.Name}: a comparison needs at least one seed's predictions of both models for the same {gold.Length} rows", nameof(pairs));
        }

        var random = new SeededRandom(seed);
        int[] rows = new int[gold.Length];
        double[] differences = new double[resamples];
        for (int r = 0; r < resamples; r++)
        {
            for (int i = 0; i < rows.Length; i++)
            {
                rows[i] = random.NextInt(rows.Length);
            }

            differences[r] = pairs.Average(pair => Primary(task, gold, pair.First, rows) - Primary(task, gold, pair.Second, rows));
        }

        Array.Sort(differences);
        return (Statistics.Quantile(differences, 0.025), Statistics.Quantile(differences, 0.975));
    }

    private static double Primary(TaskDefinition task, double[] gold, double[] predicted, int[] rows) => task.Kind == TaskKind.Regression
        ? MetricSet.PrimaryOf(task, rows.Select(row => gold[row]).ToArray().AsSpan(), rows.Select(row => predicted[row]).ToArray())
        : MetricSet.PrimaryOf(task, rows.Select(row => (int)gold[row]).ToArray().AsSpan(), rows.Select(row => (int)predicted[row]).ToArray());

    private static BootstrapInterval Compare<T>(
        Func<T[], T[], double> metric, ReadOnlySpan<T> labels, ReadOnlySpan<T> first, ReadOnlySpan<T> second, ulong seed, int resamples, double confidence)
    {
        int rows = labels.Length;
        if (rows == 0 || first.Length != rows || second.Length != rows)
        {
            throw new ArgumentException($"a comparison needs two predictions for each of at least one row; got {rows} labels, {first.Length} and {second.Length} predictions");
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(resamples, LeastResamples);
        if (!(confidence > 0 && confidence < 1))
        {
            throw new ArgumentOutOfRangeException(nameof(confidence), confidence, "the level must lie between 0 and 1");
        }

        T[] l = labels.ToArray();
        T[] a = first.ToArray();
        T[] b = second.ToArray();
        double whole = metric(l, b) - metric(l, a);
        var random = new SeededRandom(seed);
        double[] differences = new double[resamples];
        for (int r = 0; r < resamples; r++)
        {
            for (int i = 0; i < rows; i++)
            {
                int row = random.NextInt(rows);
                (l[i], a[i], b[i]) = (labels[row], first[row], second[row]);
            }

            differences[r] = metric(l, b) - metric(l, a);
        }

        Array.Sort(differences);
        double tail = (1 - confidence) / 2;
        return new(whole, Statistics.Quantile(differences, tail), Statistics.Quantile(differences, 1 - tail), confidence, resamples);
    }
}
