using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;
using Limbeck.Tokenization;
using Limbeck.Training.Loop;
using Limbeck.Training.Metrics;

namespace Limbeck.Training.Pretraining;

/// <summary>Scores a masked language model on held-out sequences, whose masks never change: the share of masked tokens that it puts first, and the perplexity.</summary>
/// <param name="sequences">Held-out sequences.</param>
/// <param name="masking">Chooses the tokens to predict.</param>
/// <param name="tokenizer">The model's.</param>
internal sealed class MaskedScorer(CorpusSequences sequences, MaskedLanguageModelling masking, BertTokenizer tokenizer)
{
    private const int TokensAtOnce = 2048;

    /// <summary>Number of held-out sequences.</summary>
    public int Count => sequences.Count;

    /// <summary>The score of a model.</summary>
    /// <param name="model">With a masked-language-model head.</param>
    /// <param name="team">The threads to compute on.</param>
    /// <param name="cancellation">Checked before each batch.</param>
    public MetricSet Score(BertModel model, WorkerTeam team, CancellationToken cancellation)
    {
        using Tape tape = new(recording: false, team);
        Sums sums = new();
        foreach (TrainingBatch batch in Batches())
        {
            cancellation.ThrowIfCancellationRequested();
            if (batch.MaskedRows.Length == 0)
            {
                continue;
            }

            Tensor hidden = model.Encoder.Forward(tape, batch.Packed).LastHidden;
            Tensor logits = model.LanguageModel!.Forward(tape, hidden, batch.MaskedRows);
            sums.Loss += tape.CrossEntropy(logits, batch.MaskedIds) * batch.MaskedIds.Length;
            for (int i = 0; i < batch.MaskedIds.Length; i++)
            {
                sums.Right += IsFirst(logits.Row(i), batch.MaskedIds[i]) ? 1 : 0;
            }

            sums.Tokens += batch.MaskedIds.Length;
            tape.Reset();
        }

        return sums.ToMetrics();
    }

    /// <summary>The score of a guess that looks at nothing but how often each token is there.</summary>
    /// <param name="logFrequencies">[V] logarithms of the tokens' frequencies.</param>
    public MetricSet ScoreFrequencies(float[] logFrequencies)
    {
        int commonest = Array.IndexOf(logFrequencies, logFrequencies.Max());
        Sums sums = new();
        foreach (int id in Batches().SelectMany(batch => batch.MaskedIds))
        {
            sums.Loss -= logFrequencies[id];
            sums.Right += id == commonest ? 1 : 0;
            sums.Tokens++;
        }

        return sums.ToMetrics();
    }

    private IEnumerable<TrainingBatch> Batches()
    {
        int[] lengths = sequences.Lengths;
        int start = 0;
        while (start < lengths.Length)
        {
            int end = start;
            int tokens = 0;
            while (end < lengths.Length && (end == start || tokens + lengths[end] <= TokensAtOnce))
            {
                tokens += lengths[end++];
            }

            yield return MaskedBatches.Compose(sequences, masking, tokenizer, [.. Enumerable.Range(start, end - start)], MaskedLanguageModelling.FixedEpoch);
            start = end;
        }
    }

    /// <summary>Whether an entry is the largest; of equal ones the first.</summary>
    private static bool IsFirst(ReadOnlySpan<float> logits, int id)
    {
        float own = logits[id];
        for (int c = 0; c < logits.Length; c++)
        {
            if (logits[c] > own || (logits[c] == own && c < id))
            {
                return false;
            }
        }

        return true;
    }

    private struct Sums
    {
        public double Loss;
        public long Right;
        public long Tokens;

        public readonly MetricSet ToMetrics() => MetricSet.OfMaskedTokens((double)Right / Math.Max(1, Tokens), Loss / Math.Max(1, Tokens));
    }
}
