using Limbeck.Tensors;
using Limbeck.Training.Data;
using Limbeck.Training.Metrics;

namespace Limbeck.Training.Tests.Metrics;

/// <summary>Means, deviations and the paired bootstrap.</summary>
public class StatisticsTests
{
    [Fact]
    public void The_deviation_is_the_samples_and_the_error_is_it_over_the_root_of_n()
    {
        double[] v = [2, 4, 4, 4, 5, 5, 7, 9];
        Assert.Equal(5, Statistics.Mean(v));
        Assert.Equal(Math.Sqrt(32.0 / 7), Statistics.SampleDeviation(v), 1e-15);
        Assert.Equal(Math.Sqrt(32.0 / 7 / 8), Statistics.StandardError(v), 1e-15);
        Assert.True(double.IsNaN(Statistics.SampleDeviation([1])));
    }

    [Fact]
    public void A_quantile_interpolates_between_its_neighbours()
    {
        Assert.Equal(2.5, Statistics.Quantile([1, 2, 3, 4], 0.5));
        Assert.Equal(1.3, Statistics.Quantile([1, 2], 0.3), 1e-15);
        Assert.Equal(4, Statistics.Quantile([1, 2, 3, 4], 1));
    }

    [Fact]
    public void The_bootstrap_interval_of_accuracies_is_near_the_normal_one_and_the_same_for_the_same_seed()
    {
        const int n = 1000;
        var random = new SeededRandom(7);
        int[] labels = Enumerable.Range(0, n).Select(_ => random.NextInt(2)).ToArray();
        int[] first = labels.Select(l => random.NextDouble() < 0.7 ? l : 1 - l).ToArray();
        int[] second = labels.Select(l => random.NextDouble() < 0.8 ? l : 1 - l).ToArray();
        BootstrapInterval interval = PairedBootstrap.Compare(TaskDefinition.Sst2, labels, first, second, 1, 4000);

        double[] gain = labels.Select((l, i) => (second[i] == l ? 1.0 : 0) - (first[i] == l ? 1.0 : 0)).ToArray();
        double error = Statistics.StandardError(gain);
        Assert.Equal(Statistics.Mean(gain), interval.Difference, 1e-12);
        Assert.Equal(interval.Difference - (1.96 * error), interval.Low, 0.2 * error);
        Assert.Equal(interval.Difference + (1.96 * error), interval.High, 0.2 * error);
        Assert.Equal(interval, PairedBootstrap.Compare(TaskDefinition.Sst2, labels, first, second, 1, 4000));
        Assert.NotEqual(interval, PairedBootstrap.Compare(TaskDefinition.Sst2, labels, first, second, 2, 4000));
    }

    [Fact]
    public void A_model_does_not_differ_from_itself()
    {
        double[] scores = [1, 2, 3, 4, 5];
        BootstrapInterval interval = PairedBootstrap.Compare(TaskDefinition.Stsb, scores, scores, scores, 3);
        Assert.Equal((0, 0, 0), (interval.Difference, interval.Low, interval.High));
    }

    [Fact]
    public void Too_few_resamples_and_unequal_lengths_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => PairedBootstrap.Compare(TaskDefinition.Sst2, [1], [1], [1], 1, 999));
        Assert.Throws<ArgumentException>(() => PairedBootstrap.Compare(TaskDefinition.Sst2, [1, 0], [1], [1, 1], 1));
    }
}
