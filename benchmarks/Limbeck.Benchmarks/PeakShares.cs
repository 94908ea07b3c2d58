using System.Diagnostics;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;

namespace Limbeck.Benchmarks;

/// <summary>Times of something, and its useful operations as shares of the machine's peak in the same run.</summary>
/// <param name="Median">Seconds.</param>
/// <param name="OfPeakKeptUp">Of the peak that is kept up for 0.1 s before and after each round, the median of the rounds.</param>
/// <param name="OfBestPeak">The median time, of the best moment's peak.</param>
/// <param name="BestOfBestPeak">The shortest time, of the best moment's peak.</param>
internal sealed record PeakShares(double Median, double OfPeakKeptUp, double OfBestPeak, double BestOfBestPeak)
{
    // Small models need dozens of runs until the JIT has compiled everything for good.
    private const double WarmUpSeconds = 2;

    public static PeakShares Measure(int rounds, double flops, Precision precision, WorkerTeam team, Action run)
    {
        List<double> times = [];
        List<double> shares = [];
        double bestPeak = 0;
        long warmUp = Stopwatch.GetTimestamp();
        do
        {
            run();
        }
        while (Stopwatch.GetElapsedTime(warmUp).TotalSeconds < WarmUpSeconds);

        double peakBefore = MachinePeak.MeasureSustainedFlops(team, 0.1, precision);
        for (int round = 0; round < rounds; round++)
        {
            bestPeak = Math.Max(bestPeak, MachinePeak.MeasureFlops(team, 0.02, precision));
            long start = Stopwatch.GetTimestamp();
            run();
            double time = Stopwatch.GetElapsedTime(start).TotalSeconds;
            double peakAfter = MachinePeak.MeasureSustainedFlops(team, 0.1, precision);
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
