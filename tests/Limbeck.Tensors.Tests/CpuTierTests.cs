using Limbeck.Tensors.Kernels;

namespace Limbeck.Tensors.Tests;

public sealed class CpuTierTests
{
    [SkippableFact]
    public void The_process_runs_on_the_tier_it_was_started_for()
    {
        string? expected = Environment.GetEnvironmentVariable("LIMBECK_EXPECT_TIER");
        Skip.If(string.IsNullOrEmpty(expected), "LIMBECK_EXPECT_TIER is not set: nothing was said about the tier");
        Assert.Equal(expected, Cpu.Tier.ToString());
    }
}
