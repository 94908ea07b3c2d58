using System.Text.Json;
using Limbeck.Training.Data;

namespace Limbeck.Training.Metrics;

/// <summary>The metrics of a task on a data set, in the task's order, under the names of Hugging Face's GLUE metric. Fractions, not percent.</summary>
public sealed record MetricSet
{
    private const string PrimaryKey = "primary";

    private MetricSet(TaskDefinition task, IReadOnlyList<KeyValuePair<string, double>> values, IReadOnlyList<string> warnings)
    {
        Values = values;
        Warnings = warnings;
        Primary = task.PrimaryMetrics.Average(name => this[name]);
    }

    private MetricSet(IReadOnlyList<KeyValuePair<string, double>> values, double primary)
    {
        Values = values;
        Warnings = [];
        Primary = primary;
    }

    /// <summary>Name and value of each metric.</summary>
    public IReadOnlyList<KeyValuePair<string, double>> Values { get; }

    /// <summary>Metrics that are not defined on these rows and are given as 0.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <summary>The task's one figure: CoLA Matthews; MRPC and QQP the mean of accuracy and F1; STS-B and any regression the mean of Pearson and Spearman; else accuracy.</summary>
    public double Primary { get; }

    /// <summary>A metric by name.</summary>
    /// <param name="name">One of the task's metric names.</param>
    /// <exception cref="KeyNotFoundException">The task has no such metric; the message lists those it has.</exception>
    public double this[string name]
    {
        get
        {
            foreach (KeyValuePair<string, double> value in Values)
            {
                if (value.Key == name)
                {
                    return value.Value;
                }
            }

            throw new KeyNotFoundException($"there is no metric '{name}'; the task's are {string.Join(", ", Values.Select(v => v.Key))}");
        }
    }

    /// <summary>The metrics of a classification.</summary>
    /// <param name="task">The task.</param>
    /// <param name="labels">[n] indices into the task's labels.</param>
    /// <param name="predictions">[n] indices into the task's labels.</param>
    /// <exception cref="ArgumentException">The task is a regression, the lengths differ or are 0, or a row has no label.</exception>
    public static MetricSet Compute(TaskDefinition task, ReadOnlySpan<int> labels, ReadOnlySpan<int> predictions)
    {
        ArgumentNullException.ThrowIfNull(task);
        RequireKind(task, TaskKind.Classification);
        int unlabelled = labels.IndexOfAnyExceptInRange(0, task.Labels.Count - 1);
        if (unlabelled >= 0)
        {
            throw new ArgumentException($"row {unlabelled} has no label ({labels[unlabelled]}; {task.Name} has {task.Labels.Count}); a score needs labelled rows", nameof(labels));
        }

        var values = new KeyValuePair<string, double>[task.MetricNames.Count];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = new(task.MetricNames[i], Score(task.MetricNames[i], labels, predictions));
        }

        return new(task, values, []);
    }

    /// <summary>The metrics of a regression. A correlation that is not defined counts as 0, with a warning.</summary>
    /// <param name="task">The task.</param>
    /// <param name="scores">[n] the numbers to predict.</param>
    /// <param name="predictions">[n] the numbers predicted.</param>
    /// <exception cref="ArgumentException">The task is a classification, the lengths differ or are 0, or a row has no score.</exception>
    public static MetricSet Compute(TaskDefinition task, ReadOnlySpan<double> scores, ReadOnlySpan<double> predictions)
    {
        ArgumentNullException.ThrowIfNull(task);
        RequireKind(task, TaskKind.Regression);
        List<string> warnings = [];
        var values = new KeyValuePair<string, double>[task.MetricNames.Count];
        for (int i = 0; i < scores.Length; i++)
        {
            if (!double.IsFinite(scores[i]))
            {
                throw new ArgumentException($"row {i} has no score; a correlation needs labelled rows", nameof(scores));
            }
        }

        for (int i = 0; i < values.Length; i++)
        {
            string name = task.MetricNames[i];
            double value = Score(name, scores, predictions);
            if (double.IsNaN(value))
            {
                warnings.Add($"{name} is not defined ({Reason(scores, predictions)}); it is reported as 0");
                value = 0;
            }

            values[i] = new(name, value);
        }

        return new(task, values, warnings);
    }

    /// <summary>The metrics of a model's outputs.</summary>
    /// <param name="data">Labelled rows.</param>
    /// <param name="logits">[n, outputs] row-major, outputs in the order of the task's labels; one output for a regression. The largest is the prediction, the first of equal ones.</param>
    /// <exception cref="ArgumentException">The sizes do not agree, rows lack labels, or a logit is NaN.</exception>
    public static MetricSet Compute(Dataset data, ReadOnlySpan<float> logits)
    {
        ArgumentNullException.ThrowIfNull(data);
        int rows = data.Examples.Count;
        int width = data.Task.OutputSize;
        if (logits.Length != rows * width)
        {
            throw new ArgumentException($"{data.Name}: got {logits.Length} logits; needed {rows} rows of {width}", nameof(logits));
        }

        for (int i = 0; i < logits.Length; i++)
        {
            if (float.IsNaN(logits[i]))
            {
                throw new ArgumentException($"{data.Name}, line {data.Examples[i / width].Line}: a logit is NaN; the model's weights are damaged or its training exploded", nameof(logits));
            }
        }

        if (data.Task.Kind == TaskKind.Regression)
        {
            double[] predicted = new double[rows];
            for (int i = 0; i < rows; i++)
            {
                predicted[i] = logits[i];
            }

            return Compute(data.Task, data.Examples.Select(e => e.Score).ToArray(), predicted);
        }

        int[] classes = new int[rows];
        for (int i = 0; i < rows; i++)
        {
            ReadOnlySpan<float> row = logits.Slice(i * width, width);
            for (int c = 1; c < width; c++)
            {
                classes[i] = row[c] > row[classes[i]] ? c : classes[i];
            }
        }

        return Compute(data.Task, data.Examples.Select(e => e.Label).ToArray(), classes);
    }

    /// <summary>The metrics of a masked language model; the one figure is the accuracy.</summary>
    /// <param name="accuracy">The share of masked tokens that were predicted.</param>
    /// <param name="loss">-log of a masked token's probability, mean over all.</param>
    public static MetricSet OfMaskedTokens(double accuracy, double loss) =>
        new([new("accuracy", accuracy), new("loss", loss), new("perplexity", Math.Exp(loss))], accuracy);

    /// <summary>What the answer that needs no model scores: the commonest label of the training rows for every row; for a regression their mean, whose correlations count as 0.</summary>
    /// <param name="train">The rows that say which label is the commonest (of equally common ones the first).</param>
    /// <param name="evaluated">The rows that are scored; of the same task.</param>
    public static MetricSet MajorityBaseline(Dataset train, Dataset evaluated)
    {
        ArgumentNullException.ThrowIfNull(train);
        ArgumentNullException.ThrowIfNull(evaluated);
        int rows = evaluated.Examples.Count;
        if (train.Task.Kind == TaskKind.Regression)
        {
            double[] mean = new double[rows];
            Array.Fill(mean, train.Examples.Average(e => e.Score));
            return Compute(evaluated.Task, evaluated.Examples.Select(e => e.Score).ToArray(), mean);
        }

        int[] counts = train.LabelCounts();
        int[] commonest = new int[rows];
        Array.Fill(commonest, Array.IndexOf(counts, counts.Max()));
        return Compute(evaluated.Task, evaluated.Examples.Select(e => e.Label).ToArray(), commonest);
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <param name="json">An object of metrics, with the one figure under "primary".</param>
    public static MetricSet Read(JsonElement json)
    {
        var values = new List<KeyValuePair<string, double>>();
        foreach (JsonProperty property in json.EnumerateObject())
        {
            if (property.Name != PrimaryKey)
            {
                values.Add(new(property.Name, property.Value.GetDouble()));
            }
        }

        return new(values, json.GetProperty(PrimaryKey).GetDouble());
    }

    /// <summary>Writes names, values and the one figure, so that they read back exactly.</summary>
    /// <param name="json">Receives one object.</param>
    public void Write(Utf8JsonWriter json)
    {
        ArgumentNullException.ThrowIfNull(json);
        json.WriteStartObject();
        foreach (KeyValuePair<string, double> value in Values)
        {
            json.WriteNumber(value.Key, value.Value);
        }

        json.WriteNumber(PrimaryKey, Primary);
        json.WriteEndObject();
    }

    /// <summary>Names and values, such as accuracy 0.8431, f1 0.8912.</summary>
    public override string ToString() =>
        string.Join(", ", Values.Select(value => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{value.Key} {value.Value:0.0000}")));

    /// <summary>The same names and values.</summary>
    /// <param name="other">Another, or null.</param>
    public bool Equals(MetricSet? other) => other is not null && Values.SequenceEqual(other.Values);

    /// <summary>A hash of names and values.</summary>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (KeyValuePair<string, double> value in Values)
        {
            hash.Add(value);
        }

        return hash.ToHashCode();
    }

    /// <summary>The task's one figure alone, without checks: for the bootstrap.</summary>
    internal static double PrimaryOf(TaskDefinition task, ReadOnlySpan<int> labels, ReadOnlySpan<int> predictions)
    {
        double sum = 0;
        foreach (string name in task.PrimaryMetrics)
        {
            sum += Score(name, labels, predictions);
        }

        return sum / task.PrimaryMetrics.Count;
    }

    /// <summary>The task's one figure alone, without checks: for the bootstrap.</summary>
    internal static double PrimaryOf(TaskDefinition task, ReadOnlySpan<double> scores, ReadOnlySpan<double> predictions)
    {
        double sum = 0;
        foreach (string name in task.PrimaryMetrics)
        {
            double value = Score(name, scores, predictions);
            sum += double.IsNaN(value) ? 0 : value;
        }

        return sum / task.PrimaryMetrics.Count;
    }

    internal static void RequireKind(TaskDefinition task, TaskKind kind)
    {
        if (task.Kind != kind)
        {
            throw new ArgumentException($"the task {task.Name} is a {task.Kind.ToString().ToLowerInvariant()}; got the numbers of a {kind.ToString().ToLowerInvariant()}", nameof(task));
        }
    }

    private static double Score(string name, ReadOnlySpan<int> labels, ReadOnlySpan<int> predictions) => name switch
    {
        "accuracy" => Scores.Accuracy(labels, predictions),
        "f1" => Scores.F1Binary(labels, predictions),
        "f1_macro" => Scores.F1Macro(labels, predictions),
        "matthews_correlation" => Scores.Matthews(labels, predictions),
        _ => throw new ArgumentException($"a classification has no metric '{name}'; there are accuracy, f1, f1_macro and matthews_correlation", nameof(name)),
    };

    private static double Score(string name, ReadOnlySpan<double> scores, ReadOnlySpan<double> predictions) => name switch
    {
        "pearson" => Scores.Pearson(scores, predictions),
        "spearmanr" => Scores.Spearman(scores, predictions),
        _ => throw new ArgumentException($"a regression has no metric '{name}'; there are pearson and spearmanr", nameof(name)),
    };

    private static string Reason(ReadOnlySpan<double> scores, ReadOnlySpan<double> predictions)
    {
        if (scores.Length < 2)
        {
            return "one row";
        }

        foreach (double p in predictions)
        {
            if (!double.IsFinite(p))
            {
                return "a prediction is not finite";
            }
        }

        return predictions.IndexOfAnyExcept(predictions[0]) < 0 ? "all predictions are equal" : "all scores are equal";
    }
}
