namespace Limbeck.Training.Evaluation;

/// <summary>The one number that a task counts with in the tables, as a share of 1.</summary>
/// <remarks>CoLA: Matthews. MRPC and QQP: (F1 + accuracy)/2. STS-B: (Pearson + Spearman)/2. All others: accuracy.</remarks>
public static class TaskScore
{
    /// <summary>The tasks of the macro mean, in the order of the columns.</summary>
    public static IReadOnlyList<string> MacroTasks { get; } = ["CoLA", "SST-2", "MRPC", "STS-B", "RTE"];

    /// <summary>The score from a task's metrics.</summary>
    /// <param name="task">GLUE's name of the task, or another one.</param>
    /// <param name="metrics">The metrics by name: accuracy, f1, matthews (or mcc), pearson, spearman.</param>
    /// <exception cref="InvalidDataException">A metric that the task needs is missing.</exception>
    public static double Of(string task, IReadOnlyDictionary<string, double> metrics)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        double Metric(params string[] names)
        {
            foreach ((string name, double value) in metrics)
            {
                if (names.Contains(name, StringComparer.OrdinalIgnoreCase))
                {
                    return value;
                }
            }

            throw new InvalidDataException($"{task} needs the metric '{names[0]}'; there are {string.Join(", ", metrics.Keys)}.");
        }

        return task switch
        {
            "CoLA" => Metric("matthews", "mcc", "matthews_correlation"),
            "MRPC" or "QQP" => (Metric("f1") + Metric("accuracy")) / 2,
            "STS-B" => (Metric("pearson") + Metric("spearman", "spearmanr")) / 2,
            _ => Metric("accuracy"),
        };
    }

    /// <summary>The score of predictions on a choice of rows; a row may be chosen more than once.</summary>
    /// <param name="task">The task.</param>
    /// <param name="gold">Labels (class numbers or numbers).</param>
    /// <param name="predicted">Predictions for the same rows.</param>
    /// <param name="rows">The chosen rows.</param>
    internal static double OfRows(string task, double[] gold, double[] predicted, int[] rows)
    {
        if (task == "STS-B")
        {
            double[] first = [.. rows.Select(row => gold[row])];
            double[] second = [.. rows.Select(row => predicted[row])];
            return (Correlation(first, second) + Correlation(Ranks(first), Ranks(second))) / 2;
        }

        double right = 0, truePositive = 0, falsePositive = 0, falseNegative = 0;
        foreach (int row in rows)
        {
            right += gold[row] == predicted[row] ? 1 : 0;
            truePositive += gold[row] == 1 && predicted[row] == 1 ? 1 : 0;
            falsePositive += gold[row] != 1 && predicted[row] == 1 ? 1 : 0;
            falseNegative += gold[row] == 1 && predicted[row] != 1 ? 1 : 0;
        }

        double accuracy = right / rows.Length;
        if (task == "CoLA")
        {
            double trueNegative = rows.Length - truePositive - falsePositive - falseNegative;
            double below = Math.Sqrt((truePositive + falsePositive) * (truePositive + falseNegative) * (trueNegative + falsePositive) * (trueNegative + falseNegative));
            return below == 0 ? 0 : ((truePositive * trueNegative) - (falsePositive * falseNegative)) / below;
        }

        double f1 = truePositive == 0 ? 0 : 2 * truePositive / ((2 * truePositive) + falsePositive + falseNegative);
        return task is "MRPC" or "QQP" ? (f1 + accuracy) / 2 : accuracy;
    }

    private static double Correlation(double[] x, double[] y)
    {
        double meanX = x.Average(), meanY = y.Average();
        double xy = 0, xx = 0, yy = 0;
        for (int i = 0; i < x.Length; i++)
        {
            xy += (x[i] - meanX) * (y[i] - meanY);
            xx += (x[i] - meanX) * (x[i] - meanX);
            yy += (y[i] - meanY) * (y[i] - meanY);
        }

        return xx == 0 || yy == 0 ? 0 : xy / Math.Sqrt(xx * yy);
    }

    /// <summary>Ranks from 1; equal values share the mean of their ranks.</summary>
    private static double[] Ranks(double[] values)
    {
        double[] sorted = [.. values];
        int[] order = [.. Enumerable.Range(0, values.Length)];
        Array.Sort(sorted, order);
        double[] ranks = new double[values.Length];
        for (int begin = 0, end; begin < order.Length; begin = end)
        {
            for (end = begin + 1; end < order.Length && sorted[end] == sorted[begin]; end++)
            {
            }

            for (int i = begin; i < end; i++)
            {
                ranks[order[i]] = (begin + 1 + end) / 2.0;
            }
        }

        return ranks;
    }
}
