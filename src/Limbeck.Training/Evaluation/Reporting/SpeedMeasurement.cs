using System.Diagnostics;
using Limbeck.Inference;

namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>Measures models side by side: they take turns, so that what else the machine does falls on all of them, and medians are told.</summary>
/// <remarks>Which texts are asked is a pure function of the texts given; how long they take is not, so nothing measured here may enter a hash.</remarks>
public static class SpeedMeasurement
{
    /// <summary>Different texts asked one by one.</summary>
    public const int LatencyTexts = 32;

    /// <summary>Texts asked together, at most.</summary>
    public const int MostTogether = 128;

    /// <summary>Texts asked together, at least, where there are as many.</summary>
    public const int LeastTogether = 8;

    /// <summary>Rounds of either kind, at most: enough for a median.</summary>
    private const int Rounds = 5;

    // A slow model's texts together are so few that this many rounds fit into the time left.
    private const int WantedRounds = 3;

    private const int WarmUp = 3;

    /// <summary>The time that measuring takes by default, about.</summary>
    public static TimeSpan Budget { get; } = TimeSpan.FromSeconds(4);

    /// <summary>Measures.</summary>
    /// <param name="models">Each model's role and what answers texts with it, tokenizing included.</param>
    /// <param name="texts">Texts of the kind that it will be asked; at least one.</param>
    /// <param name="meanTokens">Mean tokens of a text.</param>
    /// <param name="budget">When no further round begins; a slow model may take a little longer.</param>
    /// <param name="cancellation">Checked before each text.</param>
    public static ReportTiming Run(
        IReadOnlyList<(ReportRole Role, Action<IReadOnlyList<TextInput>> Answer)> models, IReadOnlyList<TextInput> texts, double meanTokens, TimeSpan budget, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(models);
        ArgumentNullException.ThrowIfNull(texts);
        Stopwatch clock = Stopwatch.StartNew();
        TextInput[] single = Spread(texts, LatencyTexts);
        List<double>[] alone = Times(
            models, [.. single.Take(WarmUp).Concat(Enumerable.Repeat(single, Rounds).SelectMany(round => round)).Select(text => (IReadOnlyList<TextInput>)[text])],
            WarmUp, clock, 0.4 * budget, cancellation);
        double each = alone.Sum(times => Quantile(times, 0.5));
        double left = (budget - clock.Elapsed).TotalMilliseconds;
        int together = Math.Clamp((int)(left / WantedRounds / Math.Max(each, 1e-3)), Math.Min(LeastTogether, texts.Count), Math.Min(MostTogether, texts.Count));
        TextInput[] batch = Spread(texts, together);
        List<double>[] joint = Times(models, [.. Enumerable.Repeat<IReadOnlyList<TextInput>>(batch, Rounds + 1)], 1, clock, budget, cancellation);
        ReportSpeed[] speeds =
        [
            .. models.Select((model, i) => new ReportSpeed(
                model.Role, Quantile(alone[i], 0.5), Quantile(alone[i], 0.9), batch.Length / (Quantile(joint[i], 0.5) / 1000))),
        ];
        return new ReportTiming(speeds, single.Length, batch.Length, meanTokens);
    }

    /// <summary>Some of a list at equal distances.</summary>
    /// <param name="all">The list.</param>
    /// <param name="most">How many at most.</param>
    private static TextInput[] Spread(IReadOnlyList<TextInput> all, int most)
    {
        int count = Math.Min(most, all.Count);
        return [.. Enumerable.Range(0, count).Select(i => all[(int)((long)i * all.Count / count)])];
    }

    /// <summary>Milliseconds that each model takes for each call, the models in turns; the first calls are not counted unless time is up.</summary>
    private static List<double>[] Times(
        IReadOnlyList<(ReportRole Role, Action<IReadOnlyList<TextInput>> Answer)> models, IReadOnlyList<TextInput>[] calls, int warmUp, Stopwatch clock, TimeSpan until, CancellationToken cancellation)
    {
        List<double>[] times = [.. models.Select(_ => new List<double>())];
        for (int call = 0; call < calls.Length; call++)
        {
            for (int i = 0; i < models.Count; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                long before = Stopwatch.GetTimestamp();
                models[i].Answer(calls[call]);
                times[i].Add(Stopwatch.GetElapsedTime(before).TotalMilliseconds);
            }

            if (call == warmUp - 1 && clock.Elapsed < until)
            {
                Array.ForEach(times, list => list.Clear());
            }
            else if (clock.Elapsed >= until)
            {
                break;
            }
        }

        return times;
    }

    private static double Quantile(List<double> times, double share)
    {
        double[] sorted = [.. times.Order()];
        return Metrics.Statistics.Quantile(sorted, share);
    }
}
