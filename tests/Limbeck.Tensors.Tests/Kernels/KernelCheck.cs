using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Tests.Kernels;

/// <summary>What the tests of element-wise kernels share.</summary>
internal static class KernelCheck
{
    public static WorkerTeam One { get; } = new(1);

    /// <summary>Runs a computation on teams of 1, 2, 3 and 5 threads; all must give the first one's bits.</summary>
    public static void SameBitsOnAnyTeam(Func<WorkerTeam, float[]> compute)
    {
        float[] expected = compute(One);
        foreach (int threads in (int[])[2, 3, 5])
        {
            using WorkerTeam team = new(threads);
            Assert.Equal(expected.Select(BitConverter.SingleToInt32Bits), compute(team).Select(BitConverter.SingleToInt32Bits));
        }
    }

    public static void Close(double expected, double actual, double tolerance, string what) =>
        Assert.True(Math.Abs(expected - actual) <= tolerance || (double.IsNaN(expected) && double.IsNaN(actual)), $"{what}: {actual:g9}, expected {expected:g9}, allowed {tolerance:g3}");

    /// <summary>The largest difference as a share of the largest expected magnitude.</summary>
    public static double Worst(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        double largest = 0;
        double worst = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double difference = Math.Abs((double)expected[i] - actual[i]);
            worst = double.IsNaN(difference) ? double.PositiveInfinity : Math.Max(worst, difference);
            largest = Math.Max(largest, Math.Abs(expected[i]));
        }

        return worst == 0 ? 0 : worst / largest;
    }
}
