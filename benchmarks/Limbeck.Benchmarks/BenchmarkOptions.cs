using System.Globalization;

namespace Limbeck.Benchmarks;

/// <summary>Reads "--name value" pairs.</summary>
internal static class BenchmarkOptions
{
    public static string? Text(string[] args, string name)
    {
        int at = Array.IndexOf(args, name);
        return at >= 0 && at + 1 < args.Length ? args[at + 1] : null;
    }

    public static int Integer(string[] args, string name, int missing) =>
        Text(args, name) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : missing;

    public static double Number(string[] args, string name, double missing) =>
        Text(args, name) is { } text ? double.Parse(text, CultureInfo.InvariantCulture) : missing;
}
