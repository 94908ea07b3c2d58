using System.Globalization;
using Limbeck.Tensors.Kernels;

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

    /// <summary>--precision fp32|bf16. bf16 is refused where it is emulated: there is nothing to measure.</summary>
    public static Precision Precision(string[] args)
    {
        switch (Text(args, "--precision") ?? "fp32")
        {
            case "fp32":
                return Limbeck.Tensors.Kernels.Precision.Float32;
            case "bf16" when Bf16.IsAccelerated:
                return Limbeck.Tensors.Kernels.Precision.Bf16;
            case "bf16":
                throw new ArgumentException($"--precision bf16 cannot be measured: {Bf16.Reason}");
            default:
                throw new ArgumentException($"--precision is '{Text(args, "--precision")}'; needed fp32 or bf16");
        }
    }

    public static double Number(string[] args, string name, double missing) =>
        Text(args, name) is { } text ? double.Parse(text, CultureInfo.InvariantCulture) : missing;
}
