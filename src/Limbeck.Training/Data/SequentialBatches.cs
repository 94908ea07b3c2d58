namespace Limbeck.Training.Data;

/// <summary>Batches in the file's order, for evaluation and prediction.</summary>
public static class SequentialBatches
{
    /// <summary>Cuts rows 0 to <paramref name="count"/> - 1 into batches.</summary>
    /// <param name="count">Rows; 0 gives no batch.</param>
    /// <param name="batchSize">Rows of a batch; the last may have fewer.</param>
    /// <returns>[batches][rows of the batch] indices.</returns>
    public static int[][] Of(int count, int batchSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        return Enumerable.Range(0, count).Chunk(batchSize).ToArray();
    }
}
