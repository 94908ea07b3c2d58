using Limbeck.Models;
using Limbeck.Training.Data;

namespace Limbeck.Training.Jobs;

/// <summary>Matches a model's labels with a task's, by name. A wrong order is the commonest silent error of all: nothing here goes by position but what has no names at all.</summary>
public static class TaskLabels
{
    /// <summary>The names that Hugging Face's copies of GLUE give to the classes that GLUE's own files number.</summary>
    private static readonly Dictionary<string, string[]> HubNames = new()
    {
        ["CoLA"] = ["unacceptable", "acceptable"],
        ["SST-2"] = ["negative", "positive"],
        ["MRPC"] = ["not_equivalent", "equivalent"],
        ["QQP"] = ["not_duplicate", "duplicate"],
        ["WNLI"] = ["not_entailment", "entailment"],
    };

    /// <summary>Where each of a task's labels is among a model's.</summary>
    /// <param name="config">The model's configuration.</param>
    /// <param name="task">The task.</param>
    /// <param name="model">What to call the model in messages.</param>
    /// <returns>[C] for each label of the task its output of the model; [0] for a regression.</returns>
    /// <exception cref="UsageException">The two are not of one kind, or a name has no counterpart; the message has both lists.</exception>
    public static int[] Match(BertConfig config, TaskDefinition task, string model)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(task);
        if (config.IsRegression != (task.Kind == TaskKind.Regression))
        {
            throw new UsageException(
                $"{model} predicts {(config.IsRegression ? "a number" : $"one of {config.Labels.Count} labels ({List(config.Labels)})")}, but the task {task.Name} asks for {(task.Kind == TaskKind.Regression ? "a number" : $"one of the labels {List(task.Labels)}")}");
        }

        return task.Kind == TaskKind.Regression ? [0]
            : TryMatch(config.Labels, task) ?? throw new UsageException(
                $"{model} has the labels {List(config.Labels)}, the task {task.Name} has {List(task.Labels)}, and they do not match by name. If you know which is which, write the task's names into id2label and label2id of its config.json.");
    }

    /// <summary>Where each of a task's labels is among a model's, or null when they do not match.</summary>
    /// <param name="labels">The model's, in the order of its outputs.</param>
    /// <param name="task">A classification.</param>
    public static int[]? TryMatch(IReadOnlyList<string> labels, TaskDefinition task)
    {
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentNullException.ThrowIfNull(task);
        if (labels.Count != task.Labels.Count)
        {
            return null;
        }

        if (Permutation(labels, task.Labels, StringComparer.Ordinal) is int[] exact)
        {
            return exact;
        }

        // "0" and "1" are no names, and neither are LABEL_0 and LABEL_1.
        if (labels.SequenceEqual(BertConfig.DefaultLabels(labels.Count)))
        {
            return task.Labels.SequenceEqual(Numbers(labels.Count)) ? [.. Enumerable.Range(0, labels.Count)] : null;
        }

        return Permutation(labels, task.Labels, StringComparer.OrdinalIgnoreCase)
            ?? (HubNames.TryGetValue(task.Name, out string[]? names) ? Permutation(labels, names, StringComparer.OrdinalIgnoreCase) : null);
    }

    /// <summary>The labels to look for in data of the user's own for a model: its names, or numbers when it has none.</summary>
    /// <param name="config">The model's configuration.</param>
    public static IReadOnlyList<string> InData(BertConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return config.Labels.SequenceEqual(BertConfig.DefaultLabels(config.Labels.Count)) ? Numbers(config.Labels.Count) : config.Labels;
    }

    /// <summary>The same rows with labels in the order of a model's outputs.</summary>
    /// <param name="data">Rows with labels in the task's order.</param>
    /// <param name="outputs">From <see cref="Match"/>.</param>
    /// <param name="labels">The model's labels.</param>
    public static Dataset InOrderOf(Dataset data, int[] outputs, IReadOnlyList<string> labels)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(outputs);
        return data.Task.Kind == TaskKind.Regression || data.Task.Labels.SequenceEqual(labels)
            ? data
            : new Dataset(
                data.Name,
                data.Task with { Labels = labels },
                [.. data.Examples.Select(example => example.Label < 0 ? example : example with { Label = outputs[example.Label] })],
                data.SkippedRows,
                data.Warnings);
    }

    private static int[]? Permutation(IReadOnlyList<string> labels, IReadOnlyList<string> wanted, StringComparer comparer)
    {
        int[] places = [.. wanted.Select(name => Enumerable.Range(0, labels.Count).Where(i => comparer.Equals(labels[i], name)).DefaultIfEmpty(-1).First())];
        return Array.TrueForAll(places, place => place >= 0) && places.Distinct().Count() == labels.Count ? places : null;
    }

    private static IReadOnlyList<string> Numbers(int count) => [.. Enumerable.Range(0, count).Select(i => $"{i}")];

    private static string List(IReadOnlyList<string> names) => string.Join(", ", names.Select(name => $"'{name}'"));
}
