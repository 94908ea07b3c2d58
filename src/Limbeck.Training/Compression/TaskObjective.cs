using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Training.Data;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Compression;

/// <summary>Ordinary fine-tuning: cross entropy with the labels, mean over the batch; mean squared error for a regression.</summary>
/// <param name="model">A model with a classifier.</param>
/// <param name="data">Rows with labels that are in the model's order.</param>
public sealed class TaskObjective(BertModel model, EncodedDataset data) : IObjective
{
    /// <inheritdoc/>
    public IReadOnlyList<string> LossNames { get; } = ["loss"];

    /// <inheritdoc/>
    public void Compute(Tape tape, TrainingBatch batch, float weight, Span<double> losses)
    {
        Tensor logits = model.Logits(tape, batch.Packed);
        losses[0] = model.Config.IsRegression
            ? tape.MeanSquaredError(logits, data.Scores(batch.Rows), weight)
            : tape.CrossEntropy(logits, data.Labels(batch.Rows), weight);
    }
}
