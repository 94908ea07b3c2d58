using System.Globalization;
using Limbeck.Training.Data;
using Limbeck.Training.Metrics;

namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>A model's outputs for labelled rows, as answers: what comparisons, counts and examples are made from.</summary>
internal sealed class Answers
{
    private const int MostExamples = 20;
    private const int MostCharacters = 280;
    private const ulong BootstrapSeed = 20_240;

    private readonly Dataset data;
    private readonly float[] logits;
    private readonly int[] classes;

    /// <summary>Takes a model's outputs.</summary>
    /// <param name="data">n labelled rows.</param>
    /// <param name="logits">[n, C] in the order of the task's labels; [n] for a regression.</param>
    public Answers(Dataset data, float[] logits)
    {
        this.data = data;
        this.logits = logits;
        int width = data.Task.OutputSize;
        classes = Regression ? [] : [.. Enumerable.Range(0, data.Examples.Count).Select(row => Largest(logits.AsSpan(row * width, width)))];
    }

    private bool Regression => data.Task.Kind == TaskKind.Regression;

    private double[] Numbers => [.. logits.Select(value => (double)value)];

    private double[] GoldNumbers => [.. data.Examples.Select(example => example.Score)];

    private int[] GoldClasses => [.. data.Examples.Select(example => example.Label)];

    /// <summary>This model's figure minus another's, with its interval over the choice of rows.</summary>
    /// <param name="other">The other's answers to the same rows.</param>
    public BootstrapInterval Against(Answers other) => Regression
        ? PairedBootstrap.Compare(data.Task, GoldNumbers, other.Numbers, Numbers, BootstrapSeed, PairedBootstrap.LeastResamples)
        : PairedBootstrap.Compare(data.Task, GoldClasses, other.classes, classes, BootstrapSeed, PairedBootstrap.LeastResamples);

    /// <summary>This model's figure minus that of answers that another run kept.</summary>
    /// <param name="kept">Made by <see cref="Compact"/>, for the same rows.</param>
    /// <exception cref="InvalidDataException">It is no such text, or of another number of rows.</exception>
    public BootstrapInterval Against(string kept)
    {
        double[] values = CompactValues.Parse(kept);
        if (values.Length != data.Examples.Count)
        {
            throw new InvalidDataException($"there are {values.Length} answers; {data.Name} has {data.Examples.Count} rows");
        }

        return Regression
            ? PairedBootstrap.Compare(data.Task, GoldNumbers, values, Numbers, BootstrapSeed, PairedBootstrap.LeastResamples)
            : PairedBootstrap.Compare(data.Task, GoldClasses, [.. values.Select(value => (int)value)], classes, BootstrapSeed, PairedBootstrap.LeastResamples);
    }

    /// <summary>This model's figure minus that of always giving the commonest label; null for a regression, whose correlation with a constant is not defined.</summary>
    /// <param name="train">The rows that say which label is the commonest.</param>
    public BootstrapInterval? AgainstMajority(Dataset train)
    {
        if (Regression)
        {
            return null;
        }

        int[] counts = train.LabelCounts();
        int[] constant = new int[classes.Length];
        Array.Fill(constant, Array.IndexOf(counts, counts.Max()));
        return PairedBootstrap.Compare(data.Task, GoldClasses, constant, classes, BootstrapSeed, PairedBootstrap.LeastResamples);
    }

    /// <summary>The answers as one short text; null when there are more classes than it has characters for.</summary>
    public string? Compact() => Regression ? CompactValues.OfNumbers(logits) : Kept(classes);

    /// <summary>The right answers as one short text; null when there are more classes than it has characters for.</summary>
    public string? CompactGold() => Regression ? CompactValues.OfNumbers([.. GoldNumbers.Select(value => (float)value)]) : Kept(GoldClasses);

    /// <summary>Who is right how often; null for a regression.</summary>
    /// <param name="teacher">The teacher's answers to the same rows.</param>
    public ReportAgreement? AgreementWith(Answers teacher)
    {
        if (Regression)
        {
            return null;
        }

        int[] counts = new int[4];
        int same = 0;
        for (int row = 0; row < classes.Length; row++)
        {
            counts[(IsRight(row) ? 0 : 2) + (teacher.IsRight(row) ? 0 : 1)]++;
            same += classes[row] == teacher.classes[row] ? 1 : 0;
        }

        return new ReportAgreement(counts[0], counts[1], counts[2], counts[3], same);
    }

    /// <summary>
    /// The rows worth looking at. With a teacher: where the two disagree, the most certain first. Without: the model's mistakes, the most certain first. Of a regression: the largest errors.
    /// </summary>
    /// <param name="teacher">The teacher's answers to the same rows, or null.</param>
    public ReportExamples Examples(Answers? teacher)
    {
        IEnumerable<int> rows = Enumerable.Range(0, data.Examples.Count);
        ReportExampleKind kind = Regression ? ReportExampleKind.LargestError : teacher is null ? ReportExampleKind.Mistake : ReportExampleKind.Disagreement;
        int[] chosen = kind switch
        {
            ReportExampleKind.LargestError => [.. rows.OrderByDescending(row => Math.Abs(logits[row] - data.Examples[row].Score))],
            ReportExampleKind.Mistake => [.. rows.Where(row => !IsRight(row)).OrderByDescending(Probability)],
            _ => [.. rows.Where(row => classes[row] != teacher!.classes[row]).OrderByDescending(row => Probability(row) + teacher!.Probability(row))],
        };
        return new ReportExamples(kind, chosen.Length, [.. chosen.Take(MostExamples).Select(row => Example(row, teacher))]);
    }

    private static int Largest(ReadOnlySpan<float> values)
    {
        int best = 0;
        for (int c = 1; c < values.Length; c++)
        {
            best = values[c] > values[best] ? c : best;
        }

        return best;
    }

    private string? Kept(int[] values)
    {
        const int Characters = 36;
        return data.Task.Labels.Count <= Characters ? CompactValues.OfClasses(values) : null;
    }

    private bool IsRight(int row) => classes[row] == data.Examples[row].Label;

    private double Probability(int row)
    {
        int width = data.Task.OutputSize;
        ReadOnlySpan<float> values = logits.AsSpan(row * width, width);
        double largest = values[classes[row]];
        double sum = 0;
        foreach (float value in values)
        {
            sum += Math.Exp(value - largest);
        }

        return 1 / sum;
    }

    private ReportExample Example(int row, Answers? teacher)
    {
        TextExample example = data.Examples[row];
        return new ReportExample(
            example.Line, ReportText.Shorten(example.Text, MostCharacters), example.Pair is null ? null : ReportText.Shorten(example.Pair, MostCharacters),
            Regression ? Number(example.Score) : ReportText.Shorten(data.Task.Labels[example.Label], MostCharacters), Answer(row), teacher?.Answer(row));
    }

    private ReportAnswer Answer(int row) => Regression
        ? new ReportAnswer(Number(logits[row]), logits[row], null)
        : new ReportAnswer(ReportText.Shorten(data.Task.Labels[classes[row]], MostCharacters), Probability(row), IsRight(row));

    private static string Number(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);
}
