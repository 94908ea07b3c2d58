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
}
