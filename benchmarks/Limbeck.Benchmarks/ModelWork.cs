using Limbeck.Inference;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;
using Limbeck.Training.Optimization;

namespace Limbeck.Benchmarks;

/// <summary>What is measured of a whole model with random weights: the encoder's forward pass over one batch, or a training step (forward, backward, AdamW; dropout 0.1).</summary>
internal sealed class ModelWork : IDisposable
{
    private readonly BertModel model;
    private readonly PackedBatch packed;
    private readonly PackedRunner runner;
    private readonly Tape tape;
    private readonly Optimizer optimizer;
    private readonly (int[] Ids, int[] TypeIds)[] sequences;
    private readonly int[] labels;
    private readonly bool training;

    public ModelWork(BenchmarkModel sizes, bool training, int batch, int length, Precision precision, string[] args, WorkerTeam team)
    {
        this.training = training;
        model = sizes.Create();
        int[] lengths = [.. Enumerable.Repeat(length, batch)];
        sequences = BenchmarkModel.Sequences(lengths);
        packed = PackedBatch.Pack(sequences);
        runner = new PackedRunner(new ModelOptions { Team = team, Precision = precision, TokensAtOnce = BenchmarkOptions.Integer(args, "--tokens-at-once", new ModelOptions().TokensAtOnce) });
        labels = [.. Enumerable.Range(0, batch).Select(i => i % 2)];
        tape = new Tape(recording: training, team) { Seed = 1, Precision = precision };
        optimizer = new Optimizer(new OptimizerSettings(), model.Parameters, team);
        Flops = sizes.Flops(lengths) * (training ? 3 : 1);
    }

    /// <summary>Useful operations of one run.</summary>
    public double Flops { get; }

    /// <summary>The most that the activations of a training step took.</summary>
    public long PeakBytes => tape.PeakBytes;

    public void Run()
    {
        if (!training)
        {
            runner.Run(sequences, (inference, part, _) => model.Encoder.Forward(inference, part), CancellationToken.None);
            return;
        }

        tape.Step++;
        tape.CrossEntropy(model.Logits(tape, packed), labels);
        tape.Backward();
        optimizer.Step(1);
    }

    public void Dispose()
    {
        optimizer.Dispose();
        tape.Dispose();
        runner.Dispose();
        model.Dispose();
    }
}
