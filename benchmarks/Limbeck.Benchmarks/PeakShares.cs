using System.Diagnostics;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;

namespace Limbeck.Benchmarks;

/// <summary>Times of something, and its useful operations as shares of the machine's peak in the same run.</summary>
/// <param name="Median">Seconds.</param>
/// <param name="OfPeakKeptUp">Of the peak that is kept up before and after each round, the median of the rounds.</param>
/// <param name="OfBestPeak">The median time, of the best moment's peak.</param>
/// <param name="BestOfBestPeak">The shortest time, of the best moment's peak.</param>
internal sealed record PeakShares(double Median, double OfPeakKeptUp, double OfBestPeak, double BestOfBestPeak)
{
    /// <summary>Measures in turn: the peak, kept up for a while, and what is to be measured.</summary>
    /// <param name="rounds">How often.</param>
    /// <param name="flops">Useful operations of a run.</param>
    /// <param name="precision">Which peak.</param>
    /// <param name="team">Threads.</param>
    /// <param name="run">What is measured.</param>
    /// <param name="window">Seconds that the peak is kept up for: about as long as a run.</param>
    /// <param name="warmUpSeconds">Small models need dozens of runs until the JIT has compiled everything for good.</param>
    public static PeakShares Measure(int rounds, double flops, Precision precision, WorkerTeam team, Action run, double window = 0.1, double warmUpSeconds = 2)
    {
        List<double> times = [];
        List<double> shares = [];
        double bestPeak = 0;
        long warmUp = Stopwatch.GetTimestamp();
        do
        {
            run();
        }
        while (Stopwatch.GetElapsedTime(warmUp).TotalSeconds < warmUpSeconds);

        double peakBefore = MachinePeak.MeasureSustainedFlops(team, window, precision);
        for (int round = 0; round < rounds; round++)
        {
            bestPeak = Math.Max(bestPeak, MachinePeak.MeasureFlops(team, window / 5, precision));
            long start = Stopwatch.GetTimestamp();
            run();
            double time = Stopwatch.GetElapsedTime(start).TotalSeconds;
            double peakAfter = MachinePeak.MeasureSustainedFlops(team, window, precision);
            times.Add(time);
            shares.Add(flops / time / ((peakBefore + peakAfter) / 2));
            peakBefore = peakAfter;
        }

        times.Sort();
        shares.Sort();
        double median = times[times.Count / 2];
        return new PeakShares(median, shares[shares.Count / 2], flops / median / bestPeak, flops / times[0] / bestPeak);
    }
}
