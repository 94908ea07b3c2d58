using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using Limbeck.Tokenization;
using Limbeck.Training.Data;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Pretraining;

/// <summary>Shuffled batches of a corpus's sequences, masked anew each epoch.</summary>
internal sealed class MaskedBatches : IBatchSource
{
    // Long and short sequences together: nothing is padded, and a batch of short ones only would have few tokens to predict.
    private const int WindowBatches = 1;

    private readonly CorpusSequences sequences;
    private readonly MaskedLanguageModelling masking;
    private readonly BertTokenizer tokenizer;
    private readonly LengthBucketedSampler sampler;
    private int cachedEpoch = -1;
    private int[][] cached = [];

    /// <summary>Batches over sequences.</summary>
    /// <param name="sequences">At least one.</param>
    /// <param name="masking">Chooses the tokens to predict.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="batchSize">Sequences of a batch.</param>
    /// <param name="seed">Of the order.</param>
    public MaskedBatches(CorpusSequences sequences, MaskedLanguageModelling masking, BertTokenizer tokenizer, int batchSize, ulong seed)
    {
        this.sequences = sequences;
        this.masking = masking;
        this.tokenizer = tokenizer;
        sampler = new LengthBucketedSampler(sequences.Lengths, batchSize, seed, windowBatches: WindowBatches);
        Fingerprint = new HashBuilder().Add("sequences", sequences.Description).Add("tokenizer", tokenizer.Fingerprint).Add("masking", masking.Description)
            .Add("batch", batchSize).Add("seed", $"{seed}").ToKey();
    }

    /// <inheritdoc/>
    public string Fingerprint { get; }

    /// <inheritdoc/>
    public int BatchCount(int epoch) => sampler.BatchesPerEpoch;

    /// <inheritdoc/>
    public TrainingBatch Batch(int epoch, int index)
    {
        if (cachedEpoch != epoch)
        {
            cached = sampler.Batches(epoch);
            cachedEpoch = epoch;
        }

        return Compose(sequences, masking, tokenizer, cached[index], epoch);
    }

    /// <summary>Sequences as a batch with masks.</summary>
    /// <param name="sequences">The corpus.</param>
    /// <param name="masking">Chooses the tokens to predict.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="rows">The sequences' numbers.</param>
    /// <param name="epoch">Of the masks.</param>
    internal static TrainingBatch Compose(CorpusSequences sequences, MaskedLanguageModelling masking, BertTokenizer tokenizer, int[] rows, int epoch)
    {
        PackedBatch packed = sequences.Pack(rows, tokenizer.ClassId, tokenizer.SeparatorId);
        int[] labels = new int[packed.Tokens];
        int chosen = 0;
        for (int i = 0; i < rows.Length; i++)
        {
            Range own = packed.Offsets[i]..packed.Offsets[i + 1];
            chosen += masking.Mask(packed.Ids.AsSpan(own), epoch, rows[i], labels.AsSpan(own));
        }

        int[] maskedRows = new int[chosen];
        int[] maskedIds = new int[chosen];
        for (int t = 0, k = 0; t < labels.Length; t++)
        {
            if (labels[t] != Losses.IgnoredLabel)
            {
                (maskedRows[k], maskedIds[k++]) = (t, labels[t]);
            }
        }

        return new TrainingBatch(packed, rows) { MaskedRows = maskedRows, MaskedIds = maskedIds };
    }
}
