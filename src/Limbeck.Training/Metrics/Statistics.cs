namespace Limbeck.Training.Metrics;

/// <summary>Mean and spread of a few figures, such as one a seed.</summary>
public static class Statistics
{
    /// <summary>The mean; NaN of none.</summary>
    /// <param name="values">The figures.</param>
    public static double Mean(ReadOnlySpan<double> values)
    {
        double sum = 0;
        foreach (double v in values)
        {
            sum += v;
        }

        return sum / values.Length;
    }

    /// <summary>The sample deviation (divisor n - 1); NaN of fewer than two.</summary>
    /// <param name="values">The figures.</param>
    public static double SampleDeviation(ReadOnlySpan<double> values)
    {
        if (values.Length < 2)
        {
            return double.NaN;
        }

        double mean = Mean(values);
        double sum = 0;
        foreach (double v in values)
        {
            sum += (v - mean) * (v - mean);
        }

        return Math.Sqrt(sum / (values.Length - 1));
    }

    /// <summary>The standard error of the mean: the sample deviation over the root of n; NaN of fewer than two.</summary>
    /// <param name="values">The figures.</param>
    public static double StandardError(ReadOnlySpan<double> values) => SampleDeviation(values) / Math.Sqrt(values.Length);

    /// <summary>A quantile by linear interpolation between order statistics (numpy's default).</summary>
    /// <param name="sorted">At least one figure, in ascending order.</param>
    /// <param name="q">0 to 1.</param>
    public static double Quantile(ReadOnlySpan<double> sorted, double q)
    {
        if (sorted.IsEmpty || !(q >= 0 && q <= 1))
        {
            throw new ArgumentException($"a quantile needs a share from 0 to 1 and at least one figure; got {q} of {sorted.Length}");
        }

        double place = q * (sorted.Length - 1);
        int low = (int)place;
        int high = Math.Min(low + 1, sorted.Length - 1);
        return sorted[low] + ((place - low) * (sorted[high] - sorted[low]));
    }
}
