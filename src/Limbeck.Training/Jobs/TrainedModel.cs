using Limbeck.Models;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;
using Limbeck.Tokenization;
using Limbeck.Training.Data;
using Limbeck.Training.Evaluation;
using Limbeck.Training.Loop;
using Limbeck.Training.Metrics;

namespace Limbeck.Training.Jobs;

/// <summary>What the jobs that train have in common: scoring, the fingerprint of settings, and the end of a run.</summary>
internal static class TrainedModel
{
    /// <summary>A stage's evaluation, or null when there is nothing to score.</summary>
    /// <param name="model">The model in training.</param>
    /// <param name="data">Labelled rows in the task's order, or null.</param>
    /// <param name="outputs">For each label of the task its output of the model.</param>
    /// <param name="team">The threads.</param>
    public static Func<CancellationToken, MetricSet>? Evaluation(BertModel model, EncodedDataset? data, int[] outputs, WorkerTeam team) =>
        data is null ? null : cancellation => Evaluator.Score(model, data, outputs, team, cancellation);

    /// <summary>A hash of the settings that decide what a run computes.</summary>
    /// <param name="settings">The job's settings.</param>
    public static HashBuilder Fingerprint(TrainingSettings settings)
    {
        HashBuilder hash = new();
        hash.Add("job", settings.GetType().Name);
        foreach (SettingInfo setting in SettingsSchema.Of(settings.GetType()).Settings)
        {
            if (settings.HasEffect(setting.Name))
            {
                hash.Add(setting.Name, Convert.ToString(setting.Get(settings), System.Globalization.CultureInfo.InvariantCulture) ?? "null");
            }
        }

        return PrecisionChoice.AddTo(hash, PrecisionChoice.Of(settings.Precision));
    }

    /// <summary>Refuses settings about the best model that the data cannot decide.</summary>
    /// <param name="settings">The job's settings.</param>
    /// <param name="data">The rows.</param>
    /// <exception cref="UsageException">There is nothing to score, or the metric is not the task's.</exception>
    public static void CheckBest(TrainingSettings settings, TaskData data)
    {
        if (data.Validation is null && (settings.LoadBestModelAtEnd || settings.EarlyStoppingPatience > 0))
        {
            throw new UsageException("--load-best-model-at-end and --early-stopping-patience need rows to score: give --validation-file or --validation-split");
        }

        if (settings.MetricForBestModel is string metric && !data.Task.MetricNames.Contains(metric))
        {
            throw new UsageException($"--metric-for-best-model is '{metric}'.{SettingsSchema.Suggest(metric, data.Task.MetricNames)} This task has {string.Join(", ", data.Task.MetricNames)}");
        }
    }

    /// <summary>Opens what was saved and scores it: the proof that the folder is whole.</summary>
    /// <param name="folder">The output folder.</param>
    /// <param name="task">The rows.</param>
    /// <param name="encoded">The rows to score, encoded, or null.</param>
    /// <param name="length">The longest input.</param>
    /// <param name="context">What the job runs with.</param>
    /// <param name="answers">[n, C] the outputs for the rows in the order of the task's labels; null when nothing was scored.</param>
    /// <returns>The score of the rows, and of MNLI's mismatched ones.</returns>
    public static (MetricSet? Metrics, MetricSet? Mismatched) Score(string folder, TaskData task, EncodedDataset? encoded, int length, JobContext context, out float[]? answers)
    {
        answers = null;
        if (encoded is null)
        {
            return (null, null);
        }

        using BertModel model = BertModel.Load(folder, HeadKind.Classifier, out _);
        int[] outputs = TaskLabels.Match(model.Config, task.Task, folder);
        answers = Evaluator.InTaskOrder(Evaluator.Logits(model, encoded, context.Team, context.Cancellation), outputs);
        MetricSet metrics = MetricSet.Compute(encoded.Source, answers);
        if (task.Mismatched is null)
        {
            return (metrics, null);
        }

        EncodedDataset mismatched = EncodedDataset.Encode(task.Mismatched, BertTokenizer.FromDirectory(folder), length, context.Team.Threads);
        return (metrics, Evaluator.Score(model, mismatched, outputs, context.Team, context.Cancellation));
    }

    /// <summary>Warns of a score that says the run has gone wrong.</summary>
    /// <param name="metrics">The score.</param>
    /// <param name="majority">That of the commonest answer.</param>
    /// <param name="messages">Receives the warning.</param>
    public static void WarnBelowMajority(MetricSet? metrics, MetricSet? majority, TextWriter messages)
    {
        foreach (string warning in metrics?.Warnings ?? [])
        {
            messages.WriteLine($"warning: {warning}");
        }

        if (metrics is not null && majority is not null && metrics.Primary <= majority.Primary)
        {
            messages.WriteLine(
                $"warning: the score ({100 * metrics.Primary:0.0}) is not better than always giving the commonest answer ({100 * majority.Primary:0.0}). Were the labels in the right order? More epochs, a higher learning rate or more data may help.");
        }
    }

    /// <summary>Tokenizes and says how many rows were cut.</summary>
    /// <param name="data">The rows.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="length">The longest input.</param>
    /// <param name="context">What the job runs with.</param>
    public static EncodedDataset Encode(Dataset data, BertTokenizer tokenizer, int length, JobContext context)
    {
        EncodedDataset encoded = EncodedDataset.Encode(data, tokenizer, length, context.Team.Threads);
        if (encoded.Truncated > 0)
        {
            context.Messages.WriteLine($"note: {encoded.Truncated:N0} of {encoded.Count:N0} rows of {data.Name} are longer than {length} tokens and were cut (--max-seq-length)");
        }

        return encoded;
    }

    /// <summary>A stage's length in words.</summary>
    /// <param name="stage">The stage.</param>
    public static string Describe(Stage stage) =>
        $"{stage.Name}: {stage.TotalSteps:N0} steps ({stage.Epochs} epochs of {stage.StepsOf(0):N0}), learning rate {stage.Optimizer.LearningRate}, {stage.Schedule.Kind}, {stage.Optimizer.Kind}";
}
