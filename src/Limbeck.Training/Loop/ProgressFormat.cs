using System.Globalization;
using System.Text;

namespace Limbeck.Training.Loop;

/// <summary>Turns progress into text. Pure functions; who writes it where is <see cref="ProgressDisplay"/>'s part.</summary>
public static class ProgressFormat
{
    private const int BarCells = 20;

    /// <summary>One line without a line end: <c>distil 120/2,000 6 % loss 0.4312 12.3k tokens/s elapsed 0:42 left 10:58</c>.</summary>
    /// <param name="progress">What to tell; unknown parts are left out.</param>
    public static string Line(ProgressSnapshot progress) => Text(progress, withBar: false);

    /// <summary>The line with a bar, cut to the width of a terminal.</summary>
    /// <param name="progress">What to tell.</param>
    /// <param name="width">Columns of the terminal; the line stays below it so that it never wraps. 0 or less: not known, no cut.</param>
    public static string LiveLine(ProgressSnapshot progress, int width)
    {
        string line = Text(progress, withBar: progress.TotalSteps > 0);
        if (width > 0 && line.Length >= width)
        {
            line = Text(progress, withBar: false);
        }

        return width > 0 && line.Length >= width ? line[..(width - 1)] : line;
    }

    /// <summary>A time as <c>0:42</c>, <c>10:58</c>, <c>1:02:03</c> or <c>2d 03:04:05</c>.</summary>
    /// <param name="time">Not negative; parts of a second are dropped.</param>
    public static string Duration(TimeSpan time)
    {
        string format = time.TotalDays >= 1 ? @"d'd 'hh\:mm\:ss" : time.TotalHours >= 1 ? @"h\:mm\:ss" : @"m\:ss";
        return time.ToString(format, CultureInfo.InvariantCulture);
    }

    /// <summary>A count with a unit that keeps it short: <c>950</c>, <c>12.3k</c>, <c>4.56M</c>.</summary>
    /// <param name="value">Not negative.</param>
    public static string Count(double value)
    {
        (double scaled, string unit) = value switch
        {
            >= 999_950_000 => (value / 1e9, "G"),
            >= 999_950 => (value / 1e6, "M"),
            >= 999.5 => (value / 1e3, "k"),
            _ => (value, ""),
        };
        string format = unit.Length == 0 || scaled >= 100 ? "0" : scaled >= 10 ? "0.0" : "0.00";
        return scaled.ToString(format, CultureInfo.InvariantCulture) + unit;
    }

    private static string Text(ProgressSnapshot progress, bool withBar)
    {
        StringBuilder line = new();
        if (progress.Stage.Length > 0)
        {
            line.Append(progress.Stage).Append(' ');
        }

        double share = progress.TotalSteps > 0 ? Math.Clamp((double)progress.Step / progress.TotalSteps, 0, 1) : 0;
        if (withBar)
        {
            int full = (int)(share * BarCells);
            line.Append('[').Append('=', full).Append(' ', BarCells - full).Append("] ");
        }

        line.Append(CultureInfo.InvariantCulture, $"{progress.Step:#,0}");
        if (progress.TotalSteps > 0)
        {
            line.Append(CultureInfo.InvariantCulture, $"/{progress.TotalSteps:#,0} {(int)(share * 100)} %");
        }

        if (progress.Loss is double loss)
        {
            line.Append(CultureInfo.InvariantCulture, $" loss {loss:0.0000}");
        }

        if (progress.TokensPerSecond > 0)
        {
            line.Append(CultureInfo.InvariantCulture, $" {Count(progress.TokensPerSecond)} tokens/s");
        }

        line.Append(" elapsed ").Append(Duration(progress.Elapsed));
        if (progress.Remaining is TimeSpan remaining)
        {
            line.Append(" left ").Append(Duration(remaining));
        }

        return line.ToString();
    }
}
