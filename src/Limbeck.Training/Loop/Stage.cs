using Limbeck.Tensors;
using Limbeck.Training.Metrics;
using Limbeck.Training.Optimization;

namespace Limbeck.Training.Loop;

/// <summary>One part of a method: its data, its objective, what it trains, how, and for how long.</summary>
public sealed record Stage
{
    /// <summary>For logs and checkpoints, such as "intermediate".</summary>
    public required string Name { get; init; }

    /// <summary>The data.</summary>
    public required IBatchSource Batches { get; init; }

    /// <summary>What is minimized.</summary>
    public required IObjective Objective { get; init; }

    /// <summary>What may change.</summary>
    public required IReadOnlyList<Parameter> Parameters { get; init; }

    /// <summary>The update rule.</summary>
    public required OptimizerSettings Optimizer { get; init; }

    /// <summary>The learning rate's course over the stage.</summary>
    public required LearningRateSchedule Schedule { get; init; }

    /// <summary>Passes over the data.</summary>
    public required int Epochs { get; init; }

    /// <summary>Batches of one update.</summary>
    public int Accumulation { get; init; } = 1;

    /// <summary>Stop the stage after this many updates, if that comes before the last epoch's end.</summary>
    public long? MaxSteps { get; init; }

    /// <summary>Run before the stage's first update, on the weights as the stage before left them. Done a second time it must change nothing: a run that is stopped before the first update and resumed does it again.</summary>
    public Action<CancellationToken>? Begin { get; init; }

    /// <summary>Scores the model on held-out data; null when there is none or the stage trains nothing that could be scored.</summary>
    public Func<CancellationToken, MetricSet>? Evaluate { get; init; }

    /// <summary>Updates of the whole stage.</summary>
    public long TotalSteps
    {
        get
        {
            long steps = 0;
            for (int epoch = 0; epoch < Epochs; epoch++)
            {
                steps += StepsOf(epoch);
            }

            return MaxSteps is long most ? Math.Min(most, steps) : steps;
        }
    }

    /// <summary>Updates of one epoch; the last may have fewer batches.</summary>
    /// <param name="epoch">From 0.</param>
    public int StepsOf(int epoch) => (Batches.BatchCount(epoch) + Accumulation - 1) / Accumulation;
}
