using System.Globalization;
using Limbeck.Tokenization;
using Limbeck.Training.Data;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Jobs;

/// <summary>What distillation does with the rows of <c>limbeck augment</c>: finds them, and counts how long a stage on them lasts.</summary>
internal static class AugmentedRows
{
    /// <summary>Reads them.</summary>
    /// <param name="settings">The job's settings.</param>
    /// <param name="task">The rows they were made of.</param>
    /// <param name="outputs">For each label of the task its output of the teacher.</param>
    /// <param name="labels">The teacher's labels.</param>
    /// <param name="messages">Receives what was read.</param>
    /// <returns>The rows, or null when they are not asked for.</returns>
    /// <exception cref="DataException">There is no such file, or it has bad rows.</exception>
    /// <exception cref="UsageException">There is no such file where it is by default.</exception>
    public static Dataset? Read(CompressSettings settings, TaskData task, int[] outputs, IReadOnlyList<string> labels, TextWriter messages)
    {
        if (!settings.Augmented)
        {
            return null;
        }

        string path = settings.AugFile ?? AugmentSettings.Beside(settings.TrainFile ?? GlueReader.Locate(task.Task, settings.DataDir!, "train"));
        if (!File.Exists(path))
        {
            throw new UsageException($"{path}: there are no augmented rows: make them with limbeck augment, or name their file with --aug-file");
        }

        Dataset rows = TableReader.ReadAs(task.Task, path, settings.Table with { Regression = null });
        foreach (string warning in rows.Warnings)
        {
            messages.WriteLine($"warning: {warning}");
        }

        messages.WriteLine($"      {path}, {rows.Examples.Count:N0} augmented rows");
        return TaskLabels.InOrderOf(rows, outputs, labels);
    }

    /// <summary>Original and augmented rows as one, for what needs all texts.</summary>
    /// <param name="original">Original rows.</param>
    /// <param name="augmented">Augmented rows.</param>
    /// <param name="tokenizer">That of both.</param>
    /// <param name="threads">Cores to use.</param>
    public static EncodedDataset Together(EncodedDataset original, EncodedDataset augmented, BertTokenizer tokenizer, int threads)
    {
        Dataset all = new(original.Source.Name, original.Source.Task, [.. original.Source.Examples, .. augmented.Source.Examples]);
        return EncodedDataset.Encode(all, tokenizer, original.MaxSequenceLength, threads);
    }

    /// <summary>How long the intermediate stage is.</summary>
    /// <param name="settings">The job's settings.</param>
    /// <param name="epochs">Its epochs, as the settings or the paper have them.</param>
    /// <param name="original">The original rows.</param>
    /// <param name="rows">The stage's rows.</param>
    /// <param name="messages">Receives what a budget of tokens comes to.</param>
    /// <returns>Passes over the stage's rows, and after how many updates it ends before that; null for no such end.</returns>
    public static (int Epochs, long? MaxSteps) Length(CompressSettings settings, int epochs, EncodedDataset original, EncodedDataset rows, TextWriter messages)
    {
        if (settings.AugBudget != "tokens" || ReferenceEquals(original, rows))
        {
            return (epochs, null);
        }

        DatasetBatches batches = CompressJob.Batches(rows, settings.Intermediate, settings);
        long budget = epochs * original.Tokens;
        long tokens = 0;
        long steps = 0;
        int passes = 0;
        while (tokens < budget)
        {
            foreach (int[][] update in batches.RowsOf(passes++).Chunk(settings.Intermediate.GradientAccumulationSteps))
            {
                tokens += update.Sum(batch => batch.Sum(row => (long)rows.Lengths[row]));
                steps++;
                if (tokens >= budget)
                {
                    break;
                }
            }
        }

        messages.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"the intermediate stage sees {tokens:N0} tokens, as {epochs} passes over the original rows would: {steps:N0} steps, {(double)tokens / rows.Tokens:0.00} passes over the augmented rows"));
        return (passes, steps);
    }
}
