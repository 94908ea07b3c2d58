using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;
using Limbeck.Models;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;

namespace Limbeck.Training.Jobs;

/// <summary>Estimates how long work takes: its operations over a share of what the machine's arithmetic units do in a short measurement just now.</summary>
internal sealed class WorkTime
{
    // What docs/speed.md measures of the sustained peak: 43 to 81 % for training steps, 45 to 88 % for forward passes, by machine and model.
    private const double TrainingShare = 0.5;
    private const double ForwardShare = 0.6;
    private const double MeasuredSeconds = 0.2;

    // Forward and backward: the gradients of inputs and of weights take a product each.
    private const double TrainingPasses = 3;

    private static readonly ConditionalWeakTable<WorkerTeam, ConcurrentDictionary<Precision, WorkTime>> Measured = [];

    private readonly double peak;

    private WorkTime(WorkerTeam team, Precision precision) => peak = Math.Max(1, MachinePeak.MeasureSustainedFlops(team, MeasuredSeconds, precision));

    /// <summary>Measures the machine for a moment, once in a process for each precision.</summary>
    /// <param name="team">The threads to compute on.</param>
    /// <param name="precision">The setting --precision. Where bf16 is emulated the estimate is float32's, and far too short.</param>
    public static WorkTime On(WorkerTeam team, string precision) =>
        Measured.GetOrCreateValue(team).GetOrAdd(Bf16.IsAccelerated ? PrecisionChoice.Of(precision) : Precision.Float32, (kind, threads) => new WorkTime(threads, kind), team);

    /// <summary>How the estimate is made, for the user.</summary>
    public string How => string.Create(
        CultureInfo.InvariantCulture,
        $"an estimate: operations over {100 * TrainingShare:0} % of the {peak / 1e9:0} GFLOPS just measured for training, {100 * ForwardShare:0} % for the teacher");

    /// <summary>Seconds of training.</summary>
    /// <param name="model">The model's size.</param>
    /// <param name="tokens">Tokens.</param>
    /// <param name="meanLength">The length of the sequence that a token stands in, on average.</param>
    /// <param name="morePerToken">Operations of a token's forward pass besides the encoder's.</param>
    public double Train(ModelSize model, double tokens, double meanLength, double morePerToken = 0) =>
        TrainingPasses * tokens * (PerToken(model, meanLength) + morePerToken) / (TrainingShare * peak);

    /// <summary>Seconds of forward passes.</summary>
    /// <param name="model">The model's size.</param>
    /// <param name="tokens">Tokens.</param>
    /// <param name="meanLength">The length of the sequence that a token stands in, on average.</param>
    /// <param name="more">Operations besides the encoder's.</param>
    public double Forward(ModelSize model, double tokens, double meanLength, double more = 0) => ((tokens * PerToken(model, meanLength)) + more) / (ForwardShare * peak);

    /// <summary>The length of the sequence that a token stands in, on average.</summary>
    /// <param name="lengths">Lengths of sequences.</param>
    public static double MeanLength(IReadOnlyCollection<int> lengths)
    {
        double tokens = lengths.Sum(length => (double)length);
        return tokens == 0 ? 0 : lengths.Sum(length => (double)length * length) / tokens;
    }

    /// <summary>Operations of the head that predicts a masked token: a dense layer and the product with the vocabulary.</summary>
    /// <param name="config">The model's configuration.</param>
    public static double MaskedHead(BertConfig config) => 2.0 * config.HiddenSize * (config.HiddenSize + config.VocabularySize);

    private static double PerToken(ModelSize model, double meanLength) => model.FlopsPerToken + (model.AttentionFlopsPerTokenAndLength * meanLength);
}
