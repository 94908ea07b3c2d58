using Limbeck.Inference;
using Limbeck.Models;
using Limbeck.Tokenization;
using Limbeck.Training.Data;
using Limbeck.Training.Evaluation;
using Limbeck.Training.Metrics;

namespace Limbeck.Training.Jobs;

/// <summary>Scores a model on labelled rows: <c>limbeck evaluate</c>.</summary>
public static class EvaluateJob
{
    /// <summary>Runs the job.</summary>
    /// <param name="settings">Checked settings.</param>
    /// <param name="context">What to run with.</param>
    /// <exception cref="DataException">The rows cannot be used, or have no labels.</exception>
    /// <exception cref="UsageException">The model does not fit the task.</exception>
    /// <remarks>With <see cref="EvaluateSettings.ZeroShot"/> the model is a sentence embedder and its cosines are the predictions.</remarks>
    public static EvaluateReport Run(EvaluateSettings settings, JobContext context)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(context);
        return settings.ZeroShot ? ZeroShot(settings, context) : Classifier(settings, context);
    }

    private static EvaluateReport Classifier(EvaluateSettings settings, JobContext context)
    {
        string weights = ModelFolder.Weights(settings.Model);
        BertTokenizer tokenizer = BertTokenizer.FromDirectory(weights);
        using BertModel model = BertModel.Load(weights, HeadKind.Classifier, out _);
        Dataset data = Read(settings, model.Config.IsRegression, model.Config);
        foreach (string warning in data.Warnings)
        {
            context.Messages.WriteLine($"warning: {warning}");
        }

        int[] outputs = settings.Task is null && !model.Config.IsRegression
            ? [.. Enumerable.Range(0, model.Config.Labels.Count)]
            : TaskLabels.Match(model.Config, data.Task, settings.Model);
        if (!data.HasLabels)
        {
            throw Unlabelled(data);
        }

        int length = settings.MaxSeqLength is int asked ? ModelFolder.CheckLength(asked, model.Config, settings.Model) : ModelFolder.MaxLength(model.Config, tokenizer);
        EncodedDataset encoded = TrainedModel.Encode(data, tokenizer, length, context);
        MetricSet metrics = Evaluator.Score(model, encoded, outputs, context.Team, context.Cancellation);
        MetricSet majority = MetricSet.MajorityBaseline(data, data);
        foreach (string warning in metrics.Warnings)
        {
            context.Messages.WriteLine($"warning: {warning}");
        }

        if (metrics.Primary < majority.Primary)
        {
            context.Messages.WriteLine($"warning: the score ({100 * metrics.Primary:0.0}) is below that of always giving the commonest answer ({100 * majority.Primary:0.0}): are the model's labels those of this file?");
        }

        return new EvaluateReport(settings.Model, data.Task.Name, Place(settings, data), data.Examples.Count, metrics, majority, encoded.Truncated);
    }

    /// <summary>Cosines of the pairs' sentence vectors, against the scores that people gave.</summary>
    private static EvaluateReport ZeroShot(EvaluateSettings settings, JobContext context)
    {
        _ = ModelFolder.Weights(settings.Model);
        Dataset data = Read(settings, regression: true, null);
        if (!data.HasLabels)
        {
            throw Unlabelled(data);
        }

        if (!data.Task.IsPair)
        {
            throw new DataException($"{data.Name}: --zero-shot compares two texts a row, but these rows have one; name the second text's column with --pair-column");
        }

        using SentenceEmbedder embedder = SentenceEmbedder.Load(settings.Model, new ModelOptions { MaxSequenceLength = settings.MaxSeqLength, Team = context.Team });
        IReadOnlyList<float[]> first = embedder.Embed([.. data.Examples.Select(example => example.Text)], context.Cancellation);
        IReadOnlyList<float[]> second = embedder.Embed([.. data.Examples.Select(example => example.Pair!)], context.Cancellation);
        double[] cosines = [.. first.Zip(second, Cosine)];
        MetricSet metrics = MetricSet.Compute(data.Task, [.. data.Examples.Select(example => example.Score)], cosines);
        return new EvaluateReport(settings.Model, data.Task.Name, Place(settings, data), data.Examples.Count, metrics, MetricSet.MajorityBaseline(data, data), 0);
    }

    private static double Cosine(float[] a, float[] b)
    {
        double product = 0, first = 0, second = 0;
        for (int i = 0; i < a.Length; i++)
        {
            product += (double)a[i] * b[i];
            first += (double)a[i] * a[i];
            second += (double)b[i] * b[i];
        }

        return product / Math.Sqrt(Math.Max(first * second, double.Epsilon));
    }

    private static string Place(EvaluateSettings settings, Dataset data) => settings.DataFile ?? Array.Find(
        [Path.Combine(settings.DataDir!, data.Task.Name, settings.Split + ".tsv"), Path.Combine(settings.DataDir!, settings.Split + ".tsv")], File.Exists) ?? Path.Combine(settings.DataDir!, settings.Split);

    private static DataException Unlabelled(Dataset data) =>
        new($"{data.Name}: the rows have no labels, so there is nothing to score them by; use limbeck predict for such a file");

    private static Dataset Read(EvaluateSettings settings, bool regression, BertConfig? config)
    {
        if (settings.Task is null)
        {
            return TableReader.Read(settings.DataFile!, settings.Table with { Regression = regression }, regression ? null : TaskLabels.InData(config!));
        }

        TaskDefinition task = TaskDefinition.Find(settings.Task);
        return settings.DataFile is not null ? GlueReader.ReadFile(task, settings.DataFile, settings.Table with { RequireLabels = false }) : GlueReader.Read(task, settings.DataDir!, settings.Split);
    }
}
