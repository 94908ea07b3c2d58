using Limbeck.Tensors;

namespace Limbeck.Training.Loop;

/// <summary>What a stage minimizes.</summary>
public interface IObjective
{
    /// <summary>The losses' names in logs; the first is their total.</summary>
    IReadOnlyList<string> LossNames { get; }

    /// <summary>Runs the forward pass and leaves the losses' gradients on the tape.</summary>
    /// <param name="tape">Records.</param>
    /// <param name="batch">What to read.</param>
    /// <param name="weight">Factor on every loss: 1 over the number of batches of an update.</param>
    /// <param name="losses">Receives the unweighted values, as many as there are names.</param>
    void Compute(Tape tape, TrainingBatch batch, float weight, Span<double> losses);
}
