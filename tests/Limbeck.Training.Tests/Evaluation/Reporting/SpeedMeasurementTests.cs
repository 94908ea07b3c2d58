using Limbeck.Inference;
using Limbeck.Training.Evaluation.Reporting;

namespace Limbeck.Training.Tests.Evaluation.Reporting;

public sealed class SpeedMeasurementTests
{
    private static readonly TextInput[] Texts = [.. Enumerable.Range(0, 500).Select(i => new TextInput($"text {i}"))];

    [Fact]
    public void Models_take_turns_on_the_same_texts_which_are_always_the_same()
    {
        List<(ReportRole Role, string Texts)> first = Run(TimeSpan.FromMinutes(1), out ReportTiming timing);
        Assert.Equal((32, 128, 7.5), (timing.LatencyTexts, timing.ThroughputTexts, timing.MeanTokens));
        for (int i = 0; i < first.Count; i += 2)
        {
            Assert.Equal((ReportRole.Model, ReportRole.Teacher, first[i].Texts), (first[i].Role, first[i + 1].Role, first[i + 1].Texts));
        }

        Assert.Equal(first, Run(TimeSpan.FromMinutes(1), out _));
        Assert.All(timing.Models, speed => Assert.True(speed.LatencyMilliseconds >= 0 && speed.SlowMilliseconds >= speed.LatencyMilliseconds && speed.TextsPerSecond > 0));
    }

    [Fact]
    public void Without_time_every_model_is_still_measured_once()
    {
        List<(ReportRole Role, string Texts)> calls = Run(TimeSpan.Zero, out ReportTiming timing);
        Assert.Equal(4, calls.Count);
        Assert.Equal(SpeedMeasurement.LeastTogether, timing.ThroughputTexts);
        Assert.All(timing.Models, speed => Assert.True(double.IsFinite(speed.TextsPerSecond)));
    }

    [Fact]
    public void A_slow_model_is_given_fewer_texts_and_ends_in_time()
    {
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        ReportTiming timing = SpeedMeasurement.Run([(ReportRole.Model, texts => Thread.Sleep(20 * texts.Count))], Texts, 7.5, TimeSpan.FromSeconds(1));
        Assert.True(System.Diagnostics.Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(5));
        Assert.InRange(timing.ThroughputTexts, 8, 20);
        Assert.InRange(timing.Models[0].LatencyMilliseconds, 19, 200);
    }

    [Fact]
    public void Fewer_texts_than_wanted_will_do()
    {
        ReportTiming timing = SpeedMeasurement.Run([(ReportRole.Model, _ => { })], Texts[..3], 7.5, TimeSpan.FromMinutes(1));
        Assert.Equal((3, 3), (timing.LatencyTexts, timing.ThroughputTexts));
    }

    private static List<(ReportRole Role, string Texts)> Run(TimeSpan budget, out ReportTiming timing)
    {
        List<(ReportRole, string)> calls = [];
        Action<IReadOnlyList<TextInput>> Model(ReportRole role) => texts => calls.Add((role, string.Join('|', texts.Select(text => text.Text))));
        timing = SpeedMeasurement.Run([(ReportRole.Model, Model(ReportRole.Model)), (ReportRole.Teacher, Model(ReportRole.Teacher))], Texts, 7.5, budget);
        return calls;
    }
}
