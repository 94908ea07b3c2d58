using System.Globalization;

namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>Numbers as a reader of a report sees them.</summary>
internal static class ReportFormat
{
    /// <summary>What stands where there is no number.</summary>
    public const string Unknown = "–";

    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;

    /// <summary>A score: a share of 1 in hundredths, anything else with four significant digits.</summary>
    /// <param name="value">The score, or null.</param>
    /// <param name="share">Whether it is a share.</param>
    public static string Score(double? value, bool share) =>
        value is not double number || !double.IsFinite(number) ? Unknown : share ? (100 * number).ToString("0.0;−0.0", Invariant) : Significant(number);

    /// <summary>A difference in hundredths, with its sign.</summary>
    /// <param name="value">A difference of shares.</param>
    public static string Signed(double value)
    {
        string text = (100 * value).ToString("+0.0;−0.0;0.0", Invariant);
        return text is "+0.0" or "−0.0" ? "0.0" : text;
    }

    /// <summary>Four significant digits, without an exponent where the number is of a usual size.</summary>
    /// <param name="value">The number.</param>
    public static string Significant(double value)
    {
        double size = Math.Abs(value);
        return !double.IsFinite(value) ? Unknown
            : size == 0 ? "0"
            : size is >= 1e6 or < 1e-4 ? value.ToString("0.##e0", Invariant)
            : size >= 1000 ? value.ToString("#,0", Invariant)
            : size >= 100 ? value.ToString("0.0", Invariant)
            : size >= 10 ? value.ToString("0.00", Invariant)
            : size >= 0.1 ? value.ToString("0.000", Invariant)
            : value.ToString("0.####", Invariant);
    }

    /// <summary>A number of weights, such as 22.71 M.</summary>
    /// <param name="weights">How many.</param>
    public static string Weights(long weights) => weights >= 1_000_000 ? (weights / 1e6).ToString("0.00", Invariant) + " M" : weights >= 10_000 ? (weights / 1e3).ToString("0.0", Invariant) + " k" : weights.ToString("#,0", Invariant);

    /// <summary>A size in megabytes, or kilobytes when it is small.</summary>
    /// <param name="bytes">How many.</param>
    public static string Bytes(long bytes) => bytes <= 0 ? Unknown : bytes >= 1_000_000 ? (bytes / 1e6).ToString("0.0", Invariant) + " MB" : (bytes / 1e3).ToString("0.0", Invariant) + " kB";

    /// <summary>How many times, such as 3.1 ×.</summary>
    /// <param name="big">The larger, usually.</param>
    /// <param name="small">What it is measured by.</param>
    public static string Times(double big, double small) => small > 0 && big > 0 ? (big / small).ToString(big / small >= 100 ? "0" : "0.0", Invariant) + " ×" : Unknown;

    /// <summary>A time, from milliseconds to hours.</summary>
    /// <param name="seconds">How long.</param>
    public static string Duration(double seconds) => seconds >= 7200 ? (seconds / 3600).ToString("0.0", Invariant) + " h"
        : seconds >= 120 ? (seconds / 60).ToString("0.0", Invariant) + " min"
        : seconds.ToString("0.0", Invariant) + " s";

    /// <summary>Milliseconds with three significant digits.</summary>
    /// <param name="milliseconds">How many.</param>
    public static string Milliseconds(double milliseconds) => milliseconds.ToString(milliseconds >= 100 ? "0" : milliseconds >= 10 ? "0.0" : milliseconds >= 1 ? "0.00" : "0.000", Invariant) + " ms";

    /// <summary>A whole number with its thousands apart.</summary>
    /// <param name="value">The number.</param>
    public static string Whole(double value) => value.ToString("#,0", Invariant);

    /// <summary>A number for an attribute: digits and a point.</summary>
    /// <param name="value">The number.</param>
    public static string Attribute(double value) => value.ToString("0.##", Invariant);

    /// <summary>A metric's key in words.</summary>
    /// <param name="name">Such as matthews_correlation.</param>
    public static string Metric(string name) => name switch
    {
        "f1" => "F1",
        "f1_macro" => "macro F1",
        "matthews_correlation" => "Matthews",
        "pearson" => "Pearson",
        "spearmanr" => "Spearman",
        _ => name.Replace('_', ' '),
    };
}
