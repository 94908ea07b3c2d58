using System.Diagnostics;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;

namespace Limbeck.Benchmarks;

/// <summary>A race of two in alternating rounds.</summary>
/// <param name="Ours">Median seconds of the one.</param>
/// <param name="Theirs">Median seconds of the other.</param>
/// <param name="Ratio">How many times as fast the one was: the median of the rounds' ratios.</param>
/// <param name="Peak">The machine's peak between the rounds, their median.</param>
internal sealed record Rounds(double Ours, double Theirs, double Ratio, double Peak)
{
    /// <summary>Three rounds to warm up, then --rounds of them (9).</summary>
    public static Rounds Alternate(string[] args, WorkerTeam team, Action ours, Func<double> theirs, Precision precision = Precision.Float32)
    {
        int count = BenchmarkOptions.Integer(args, "--rounds", 9);
        List<double> mine = [];
        List<double> other = [];
        List<double> peaks = [];
        for (int round = -3; round < count; round++)
        {
            double peak = MachinePeak.MeasureFlops(team, 0.1, precision);
            long start = Stopwatch.GetTimestamp();
            ours();
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            double answer = theirs();
            if (round >= 0)
            {
                mine.Add(seconds);
                other.Add(answer);
                peaks.Add(peak);
            }
        }

        return new Rounds(Median(mine), Median(other), Median([.. mine.Zip(other, (a, b) => b / a)]), Median(peaks));
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }
}
