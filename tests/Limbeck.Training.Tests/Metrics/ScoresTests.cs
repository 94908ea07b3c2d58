using System.Text.Json;
using Limbeck.TestData;
using Limbeck.Training.Metrics;
using Xunit.Abstractions;

namespace Limbeck.Training.Tests.Metrics;

/// <summary>The metrics against scikit-learn and SciPy, and against what is known by hand.</summary>
public class ScoresTests(ITestOutputHelper output)
{
    /// <summary>Worst seen: 4.4e-16.</summary>
    private const double Tolerance = 1e-12;

    /// <summary>Worst seen: 8.2e-13, at offset 1e10, where the oracle itself is off by 9e-13.</summary>
    private const double PearsonTolerance = 1e-10;

    [SkippableFact]
    public void Every_case_of_the_golden_files_is_matched_and_undefined_exactly_where_it_is()
    {
        var worst = new SortedDictionary<string, (double Error, string Case)>();
        int cases = 0;
        foreach (string file in Directory.GetFiles(SharedData.Require("golden", "metrics"), "*.jsonl").Order())
        {
            foreach (string line in File.ReadLines(file).Where(l => l.Length > 0))
            {
                using var document = JsonDocument.Parse(line);
                Check(document.RootElement, worst);
                cases++;
            }
        }

        Assert.True(cases > 0);
        foreach ((string metric, (double error, string name)) in worst)
        {
            output.WriteLine($"{metric}: worst error {error:E2} in '{name}' of {cases} cases");
        }
    }

    [Fact]
    public void A_constant_side_is_undefined_even_if_rounding_gives_it_a_variance()
    {
        double[] tenths = Enumerable.Repeat(0.1, 10).ToArray();
        double[] counting = Enumerable.Range(0, 10).Select(i => (double)i).ToArray();
        Assert.True(double.IsNaN(Scores.Pearson(tenths, counting)));
        Assert.True(double.IsNaN(Scores.Spearman(counting, tenths)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1e10)]
    [InlineData(-1e15)]
    public void A_line_has_correlation_one_at_any_offset(double offset)
    {
        double[] x = Enumerable.Range(0, 100).Select(i => offset + i).ToArray();
        double[] y = Enumerable.Range(0, 100).Select(i => -3.0 * i).ToArray();
        Assert.Equal(-1, Scores.Pearson(x, y), 1e-14);
        Assert.Equal(-1, Scores.Spearman(x, y), 1e-14);
    }

    [Fact]
    public void Magnitudes_at_the_ends_of_the_doubles_cost_no_digits()
    {
        double[] x = [1, 2, 3, 5];
        double[] y = [2, 1, 4, 3];
        double expected = Scores.Pearson(x, y);
        double[] huge = x.Select(v => v * 3e307).ToArray();
        double[] tiny = y.Select(v => v * double.Epsilon).ToArray();
        Assert.Equal(expected, Scores.Pearson(huge, tiny), 1e-15);
    }

    [Fact]
    public void A_number_that_is_not_finite_makes_a_correlation_undefined()
    {
        Assert.True(double.IsNaN(Scores.Pearson([1, 2, double.NaN], [1, 2, 3])));
        Assert.True(double.IsNaN(Scores.Spearman([1, 2, 3], [1, double.NaN, 3])));
        Assert.True(double.IsNaN(Scores.Pearson([1, 2, double.PositiveInfinity], [1, 2, 3])));
    }

    [Fact]
    public void Negative_zero_ties_with_zero_and_neighbouring_doubles_do_not_tie()
    {
        Assert.Equal(Scores.Spearman([0, 0, 1], [3, 4, 5]), Scores.Spearman([-0.0, 0.0, 1], [3, 4, 5]));
        Assert.Equal(1, Scores.Spearman([1, Math.BitIncrement(1.0), 2], [1, 2, 3]), 1e-15);
    }

    [Fact]
    public void Matthews_does_not_overflow_on_many_rows()
    {
        int[] labels = Enumerable.Range(0, 400_000).Select(i => i & 1).ToArray();
        Assert.Equal(1, Scores.Matthews(labels, labels), 1e-15);
        Assert.Equal(-1, Scores.Matthews(labels, labels.Select(l => 1 - l).ToArray()), 1e-15);
    }

    [Fact]
    public void Sides_of_different_lengths_or_none_are_refused_with_both_lengths()
    {
        var e = Assert.Throws<ArgumentException>(() => Scores.Accuracy([1, 0], [1]));
        Assert.Contains("2 labels and 1 predictions", e.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Scores.F1Macro([], []));
        Assert.Throws<ArgumentException>(() => Scores.Spearman([1.0], []));
    }

    private static void Check(JsonElement c, SortedDictionary<string, (double Error, string Case)> worst)
    {
        string name = c.GetProperty("name").GetString()!;
        double[] x = c.GetProperty("labels").EnumerateArray().Select(v => v.GetDouble()).ToArray();
        double[] y = c.GetProperty("predictions").EnumerateArray().Select(v => v.GetDouble()).ToArray();
        Compare("pearson", Scores.Pearson(x, y), PearsonTolerance);
        Compare("spearman", Scores.Spearman(x, y), Tolerance);
        if (c.GetProperty("kind").GetString() == "classification")
        {
            int[] labels = Array.ConvertAll(x, v => checked((int)v));
            int[] predictions = Array.ConvertAll(y, v => checked((int)v));
            Compare("accuracy", Scores.Accuracy(labels, predictions), Tolerance);
            Compare("f1_binary", Scores.F1Binary(labels, predictions), Tolerance);
            Compare("f1_macro", Scores.F1Macro(labels, predictions), Tolerance);
            Compare("mcc", Scores.Matthews(labels, predictions), Tolerance);
        }

        void Compare(string metric, double got, double tolerance)
        {
            JsonElement expected = c.GetProperty(metric);
            if (expected.ValueKind == JsonValueKind.Null)
            {
                Assert.True(double.IsNaN(got), $"{name}: {metric} is {got}; needed undefined");
                return;
            }

            double error = Math.Abs(got - expected.GetDouble());
            Assert.True(error <= tolerance, $"{name}: {metric} is {got:R}; needed {expected.GetDouble():R}");
            if (!worst.TryGetValue(metric, out var w) || error > w.Error)
            {
                worst[metric] = (error, name);
            }
        }
    }
}
