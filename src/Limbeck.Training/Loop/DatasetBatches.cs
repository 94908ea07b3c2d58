using Limbeck.Training.Data;

namespace Limbeck.Training.Loop;

/// <summary>Shuffled batches of an encoded data set.</summary>
public sealed class DatasetBatches : IBatchSource
{
    private readonly LengthBucketedSampler sampler;
    private int cachedEpoch = -1;
    private int[][] cached = [];

    /// <summary>Batches over a data set.</summary>
    /// <param name="data">The rows.</param>
    /// <param name="batchSize">Rows of a batch; the last of an epoch may have fewer.</param>
    /// <param name="seed">Of the order.</param>
    /// <param name="dropLast">Leave an epoch's incomplete batch out, as TinyBERT's code does.</param>
    /// <param name="groupByLength">Put rows of similar length into a batch. It saves nothing on padding, as there is none, and it makes the updates less like independent draws.</param>
    public DatasetBatches(EncodedDataset data, int batchSize, ulong seed, bool dropLast = false, bool groupByLength = false)
    {
        Data = data;
        sampler = new LengthBucketedSampler(data.Lengths, batchSize, seed, dropLast, groupByLength ? LengthBucketedSampler.Window : 1);
        Fingerprint = new HashBuilder().Add("data", data.Source.Sha256).Add("length", data.MaxSequenceLength).Add("batch", batchSize)
            .Add("seed", $"{seed}").Add("drop_last", dropLast).Add("group_by_length", groupByLength).ToKey();
    }

    /// <summary>The rows.</summary>
    public EncodedDataset Data { get; }

    /// <inheritdoc/>
    public string Fingerprint { get; }

    /// <inheritdoc/>
    public int BatchCount(int epoch) => Order(epoch).Length;

    /// <inheritdoc/>
    public TrainingBatch Batch(int epoch, int index)
    {
        int[] rows = Order(epoch)[index];
        return new TrainingBatch(Data.Pack(rows), rows);
    }

    /// <summary>The rows of each batch of an epoch.</summary>
    /// <param name="epoch">From 0.</param>
    public IReadOnlyList<int[]> RowsOf(int epoch) => Order(epoch);

    private int[][] Order(int epoch)
    {
        if (cachedEpoch != epoch)
        {
            cached = sampler.Batches(epoch);
            cachedEpoch = epoch;
        }

        return cached;
    }
}
