namespace Limbeck.Training.Metrics;

/// <summary>A difference of two models' scores with its interval.</summary>
/// <param name="Difference">Second minus first, on all rows.</param>
/// <param name="Low">The interval's lower end.</param>
/// <param name="High">The interval's upper end.</param>
/// <param name="Confidence">The interval's level, such as 0.95.</param>
/// <param name="Resamples">Resamples drawn.</param>
public sealed record BootstrapInterval(double Difference, double Low, double High, double Confidence, int Resamples);
