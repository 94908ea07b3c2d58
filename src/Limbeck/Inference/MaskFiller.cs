using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;

namespace Limbeck.Inference;

/// <summary>Asks a masked language model which wordpieces it would put at a masked place. Thread-safe.</summary>
/// <remarks>Sequences are packed without padding; only their masked tokens go through the head and its product with the vocabulary.</remarks>
public sealed class MaskFiller : IDisposable
{
    private readonly BertModel model;
    private readonly MaskedLanguageModelHead head;
    private readonly PackedRunner runner;

    /// <summary>A filler over a model, which stays the caller's.</summary>
    /// <param name="model">A model with a masked-language-model head.</param>
    /// <param name="options">How to run it; null for the defaults.</param>
    /// <exception cref="ArgumentException">The model has no such head.</exception>
    public MaskFiller(BertModel model, ModelOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        this.model = model;
        head = model.LanguageModel ?? throw new ArgumentException("the model has no masked-language-model head, so it cannot fill masked places", nameof(model));
        runner = new PackedRunner(options ?? new ModelOptions());
    }

    /// <summary>V, the number of wordpieces that the model scores.</summary>
    public int VocabularySize => model.Config.VocabularySize;

    /// <summary>The best wordpieces for each sequence's masked place. What a sequence gets does not depend on the others.</summary>
    /// <param name="sequences">The inputs; each has at most as many tokens as the model has positions.</param>
    /// <param name="most">How many wordpieces to give.</param>
    /// <param name="allowed">[V] which wordpieces may be given; empty when all may.</param>
    /// <param name="cancellation">Checked between batches.</param>
    /// <returns>For each sequence the ids, best first; of equal scores the smaller id first.</returns>
    /// <exception cref="InvalidDataException">A score is not a number: the model's weights are damaged.</exception>
    public IReadOnlyList<int[]> Best(IReadOnlyList<MaskedSequence> sequences, int most, ReadOnlyMemory<bool> allowed = default, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        int[][] best = new int[sequences.Count][];
        runner.Run(
            [.. sequences.Select(sequence => (sequence.Ids, sequence.TypeIds))],
            (tape, batch, numbers) =>
            {
                Tensor hidden = model.Encoder.ForwardAt(tape, batch, [.. numbers.Select((number, i) => batch.Offsets[i] + sequences[number].Position)]);
                Tensor logits = head.Forward(tape, hidden, [.. Enumerable.Range(0, numbers.Length)]);
                LargestValues largest = new(most);
                for (int i = 0; i < numbers.Length; i++)
                {
                    largest.Clear();
                    largest.Add(logits.Row(i), 0, allowed.Span);
                    if (largest.Count == 0 && (allowed.IsEmpty || allowed.Span.Contains(true)))
                    {
                        throw new InvalidDataException("the masked language model's scores are not numbers: its weights are damaged (limbeck doctor says more)");
                    }

                    best[numbers[i]] = largest.Places.ToArray();
                }
            },
            cancellation);
        return best;
    }

    /// <summary>Frees the memory of the batches; the model stays.</summary>
    public void Dispose() => runner.Dispose();
}
