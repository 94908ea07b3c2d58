using Limbeck.Tensors;

namespace Limbeck.Training.Data;

/// <summary>Batches of rows of similar length in random order, anew each epoch. Nothing is padded, but even batches keep memory and time a step steady.</summary>
/// <remarks>
/// The batches of an epoch are a pure function of lengths, batch size, seed and epoch: a position in training is (epoch, batch number), and that is all
/// a checkpoint needs. An epoch's order is shuffled, cut into windows of some batches, each window sorted by length and cut into batches, and the batches
/// shuffled. A window of one batch is a plain shuffle. A last batch with fewer rows comes last.
/// </remarks>
public sealed class LengthBucketedSampler
{
    /// <summary>Batches among which rows are sorted by length, where that is wanted.</summary>
    public const int Window = 64;

    private readonly int[] lengths;
    private readonly ulong seed;
    private readonly int batchSize;
    private readonly int windowBatches;
    private readonly bool dropLast;

    /// <summary>Makes a sampler.</summary>
    /// <param name="lengths">Tokens of each row, or anything that grows with them.</param>
    /// <param name="batchSize">Rows of a batch.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="dropLast">Leaves out the rows of an incomplete last batch (others each epoch), as the reference code does.</param>
    /// <param name="windowBatches">Batches among which rows are sorted by length; 1 for none.</param>
    /// <exception cref="ArgumentException">No rows, or fewer than a batch where the last one is dropped.</exception>
    public LengthBucketedSampler(ReadOnlySpan<int> lengths, int batchSize, ulong seed, bool dropLast = false, int windowBatches = Window)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(windowBatches, 1);
        if (lengths.IsEmpty || (dropLast && lengths.Length < batchSize))
        {
            throw new ArgumentException($"{lengths.Length} rows make no batch of {batchSize}{(dropLast ? " when the incomplete one is dropped" : "")}", nameof(lengths));
        }

        this.lengths = lengths.ToArray();
        this.batchSize = batchSize;
        this.seed = seed;
        this.dropLast = dropLast;
        this.windowBatches = windowBatches;
    }

    /// <summary>Batches of every epoch.</summary>
    public int BatchesPerEpoch => dropLast ? lengths.Length / batchSize : (int)(((long)lengths.Length + batchSize - 1) / batchSize);

    /// <summary>The batches of an epoch.</summary>
    /// <param name="epoch">From 0.</param>
    /// <returns>[batches][rows of the batch] indices into the lengths; each row once, but for those dropped.</returns>
    public int[][] Batches(int epoch)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);

        // Stream 0 is left to others that use the same seed.
        var random = new SeededRandom(seed, (ulong)epoch + 1);
        int[] order = new int[lengths.Length];
        for (int i = 0; i < order.Length; i++)
        {
            order[i] = i;
        }

        random.Shuffle(order.AsSpan());
        int full = order.Length / batchSize;
        int batches = BatchesPerEpoch;
        int windows = Math.Max(1, (full + windowBatches - 1) / windowBatches);
        int[][] result = new int[batches][];
        for (int w = 0; w < windows; w++)
        {
            int first = (int)((long)w * full / windows);
            int end = (int)((long)(w + 1) * full / windows);
            Span<int> window = order.AsSpan(first * batchSize, (end - first) * batchSize);
            if (windowBatches > 1)
            {
                SortByLength(window);
            }

            for (int b = first; b < end; b++)
            {
                result[b] = window.Slice((b - first) * batchSize, batchSize).ToArray();
            }
        }

        random.Shuffle(result.AsSpan(0, full));
        if (batches > full)
        {
            result[full] = order[(full * batchSize)..];
        }

        return result;
    }

    /// <summary>Sorts by length, and within a length by index, so that the order does not depend on the sort's method.</summary>
    private void SortByLength(Span<int> rows) => rows.Sort((a, b) => (lengths[a], a).CompareTo((lengths[b], b)));
}
