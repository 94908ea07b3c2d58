using Limbeck.Training.Metrics;

namespace Limbeck.Training.Loop;

/// <summary>How a run ended.</summary>
/// <param name="Steps">Updates made in all stages, those before a resume included.</param>
/// <param name="Last">The last evaluation, or null when there was none.</param>
/// <param name="Best">The best evaluation, or null when there was none.</param>
/// <param name="BestStep">The step of the best evaluation.</param>
/// <param name="Tokens">Tokens trained on.</param>
/// <param name="Seconds">Time spent training, those before a resume included.</param>
/// <param name="PeakActivationBytes">The most memory that activations and their gradients took.</param>
public sealed record TrainingResult(long Steps, MetricSet? Last, MetricSet? Best, long BestStep, long Tokens, double Seconds, long PeakActivationBytes);
