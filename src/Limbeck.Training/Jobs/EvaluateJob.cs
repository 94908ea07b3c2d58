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
    public static EvaluateReport Run(EvaluateSettings settings, JobContext context)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(context);
        string weights = ModelFolder.Weights(settings.Model);
        BertTokenizer tokenizer = BertTokenizer.FromDirectory(weights);
        using BertModel model = BertModel.Load(weights, HeadKind.Classifier, out _);
        Dataset data = Read(settings, model.Config);
        foreach (string warning in data.Warnings)
        {
            context.Messages.WriteLine($"warning: {warning}");
        }

        int[] outputs = settings.Task is null && !model.Config.IsRegression
            ? [.. Enumerable.Range(0, model.Config.Labels.Count)]
            : TaskLabels.Match(model.Config, data.Task, settings.Model);
        if (!data.HasLabels)
        {
            throw new DataException($"{data.Name}: the rows have no labels, so there is nothing to score them by; use limbeck predict for such a file");
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

        string place = settings.DataFile ?? Array.Find(
            [Path.Combine(settings.DataDir!, data.Task.Name, settings.Split + ".tsv"), Path.Combine(settings.DataDir!, settings.Split + ".tsv")], File.Exists) ?? Path.Combine(settings.DataDir!, settings.Split);
        return new EvaluateReport(settings.Model, data.Task.Name, place, data.Examples.Count, metrics, majority, encoded.Truncated);
    }

    private static Dataset Read(EvaluateSettings settings, BertConfig config)
    {
        if (settings.Task is null)
        {
            return TableReader.Read(settings.DataFile!, settings.Table with { Regression = config.IsRegression }, config.IsRegression ? null : TaskLabels.InData(config));
        }

        TaskDefinition task = TaskDefinition.Find(settings.Task);
        return settings.DataFile is not null ? GlueReader.ReadFile(task, settings.DataFile, settings.Table with { RequireLabels = false }) : GlueReader.Read(task, settings.DataDir!, settings.Split);
    }
}
