using Limbeck.Tensors.Kernels;

namespace Limbeck.Tensors.Tests.Kernels;

public sealed class GemmCutTests
{
    private static readonly int[] Sizes = [1, 2, 3, 6, 7, 13, 15, 16, 25, 39, 48, 49, 150, 384, 512];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Every_tile_is_computed_by_exactly_one_task(bool copying)
    {
        foreach (int threads in new[] { 1, 2, 3, 8, 64 })
        {
            foreach (int strips in Sizes)
            {
                foreach (int panels in Sizes)
                {
                    var cut = new GemmCut(strips, panels, 12_000, 1L << 34, copying, threads);
                    int[] computed = new int[strips * panels];
                    for (int task = 0; task < cut.Count; task++)
                    {
                        (int firstStrip, int endStrip, int firstPanel, int endPanel) = cut.Task(task);
                        Assert.True(endStrip > firstStrip && endPanel > firstPanel, $"task {task} of {strips} x {panels}, {threads} threads, has nothing to do");
                        for (int strip = firstStrip; strip < endStrip; strip++)
                        {
                            for (int panel = firstPanel; panel < endPanel; panel++)
                            {
                                computed[(strip * panels) + panel]++;
                            }
                        }
                    }

                    Assert.All(computed, times => Assert.Equal(1, times));
                }
            }
        }
    }

    [Fact]
    public void A_block_of_a_tasks_rows_stays_in_the_second_level_cache()
    {
        const int StripBytes = 8 * 1536 * sizeof(float);
        var cut = new GemmCut(512, 7, StripBytes, 1L << 34, copying: false, threads: 1);
        for (int task = 0; task < cut.Count; task++)
        {
            (int firstStrip, int endStrip, _, _) = cut.Task(task);
            Assert.InRange((endStrip - firstStrip) * StripBytes, 1, 768 << 10);
        }
    }

    [Fact]
    public void The_last_tasks_of_a_large_weight_gradient_are_smaller()
    {
        var cut = new GemmCut(384, 16, 12_000, 1L << 33, copying: true, threads: 2);
        (_, _, int first, int end) = cut.Task(0);
        (_, _, int lastFirst, int lastEnd) = cut.Task(cut.Count - 1);
        Assert.True(lastEnd - lastFirst < end - first);
    }
}
