using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Pretraining;

/// <summary>Masked language modelling: cross entropy with the tokens that stood at the masked places, mean over those of the batch.</summary>
/// <remarks>Only masked places go through the head and its product with the vocabulary. A frozen encoder runs as in inference: unrecorded and without dropout.</remarks>
internal sealed class MaskedObjective : IObjective, IDisposable
{
    private readonly BertModel model;
    private readonly Tape? encoderTape;

    /// <summary>The objective for a model.</summary>
    /// <param name="model">With a masked-language-model head.</param>
    /// <param name="frozenEncoder">A tape for an encoder that does not learn, which this then owns; null when it learns.</param>
    public MaskedObjective(BertModel model, Tape? frozenEncoder)
    {
        this.model = model;
        encoderTape = frozenEncoder;
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> LossNames { get; } = ["loss"];

    /// <inheritdoc/>
    public void Compute(Tape tape, TrainingBatch batch, float weight, Span<double> losses)
    {
        losses[0] = 0;
        if (batch.MaskedRows.Length == 0)
        {
            return;
        }

        Tensor hidden = model.Encoder.Forward(encoderTape ?? tape, batch.Packed).LastHidden;
        Tensor logits = model.LanguageModel!.Forward(tape, hidden, batch.MaskedRows);
        encoderTape?.Reset();
        losses[0] = tape.CrossEntropy(logits, batch.MaskedIds, weight, overwrite: true);
    }

    /// <inheritdoc/>
    public void Dispose() => encoderTape?.Dispose();
}
