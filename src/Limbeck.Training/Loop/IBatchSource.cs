namespace Limbeck.Training.Loop;

/// <summary>Where a stage's batches come from. A batch is a pure function of its epoch and number, so that a position in the data is just those two.</summary>
public interface IBatchSource
{
    /// <summary>A hash of everything that decides what the batches hold: data, lengths, batch size, seed.</summary>
    string Fingerprint { get; }

    /// <summary>Number of batches of an epoch.</summary>
    /// <param name="epoch">From 0.</param>
    int BatchCount(int epoch);

    /// <summary>One batch.</summary>
    /// <param name="epoch">From 0.</param>
    /// <param name="index">0 .. BatchCount-1.</param>
    TrainingBatch Batch(int epoch, int index);
}
