using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;
using Limbeck.Training.Data;
using Limbeck.Training.Metrics;

namespace Limbeck.Training.Evaluation;

/// <summary>Runs a classifier over labelled rows and scores it.</summary>
public static class Evaluator
{
    /// <summary>Tokens of a batch: enough for full speed, small enough to stay in the caches.</summary>
    private const int TokensAtOnce = 2048;

    /// <summary>A model's outputs for all rows.</summary>
    /// <param name="model">With a classifier of C outputs.</param>
    /// <param name="data">n rows as the model's tokenizer sees them.</param>
    /// <param name="team">The threads to compute on.</param>
    /// <param name="cancellation">Checked before each batch.</param>
    /// <returns>[n, C] row-major, in the order of the rows.</returns>
    public static float[] Logits(BertModel model, EncodedDataset data, WorkerTeam team, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(data);
        int width = model.Config.Labels.Count;
        float[] logits = new float[data.Count * width];
        int[] order = [.. Enumerable.Range(0, data.Count).OrderBy(row => data.Lengths[row])];
        using Tape tape = new(recording: false, team);
        int start = 0;
        while (start < order.Length)
        {
            cancellation.ThrowIfCancellationRequested();
            int end = start;
            int tokens = 0;
            while (end < order.Length && (end == start || tokens + data.Lengths[order[end]] <= TokensAtOnce))
            {
                tokens += data.Lengths[order[end]];
                end++;
            }

            int[] rows = order[start..end];
            Tensor output = model.Logits(tape, data.Pack(rows));
            for (int i = 0; i < rows.Length; i++)
            {
                output.Row(i).CopyTo(logits.AsSpan(rows[i] * width, width));
            }

            tape.Reset();
            start = end;
        }

        return logits;
    }

    /// <summary>Scores a model.</summary>
    /// <param name="model">With a classifier.</param>
    /// <param name="data">Labelled rows of a task, labels in the task's order.</param>
    /// <param name="outputs">For each label of the task its output of the model.</param>
    /// <param name="team">The threads to compute on.</param>
    /// <param name="cancellation">Checked before each batch.</param>
    public static MetricSet Score(BertModel model, EncodedDataset data, int[] outputs, WorkerTeam team, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        return MetricSet.Compute(data.Source, InTaskOrder(Logits(model, data, team, cancellation), outputs));
    }

    /// <summary>Outputs in the order of a task's labels.</summary>
    /// <param name="logits">[n, C] in the model's order.</param>
    /// <param name="outputs">[C] for each label of the task its output of the model.</param>
    /// <returns>[n, C] in the task's order.</returns>
    public static float[] InTaskOrder(float[] logits, int[] outputs)
    {
        ArgumentNullException.ThrowIfNull(logits);
        ArgumentNullException.ThrowIfNull(outputs);
        float[] ordered = new float[logits.Length];
        for (int i = 0; i < logits.Length; i++)
        {
            ordered[i] = logits[i - (i % outputs.Length) + outputs[i % outputs.Length]];
        }

        return ordered;
    }
}
