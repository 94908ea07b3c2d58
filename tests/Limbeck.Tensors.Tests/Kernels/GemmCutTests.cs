using System.Runtime.InteropServices;
using Limbeck.Tensors.Kernels;

namespace Limbeck.Tensors.Tests.Kernels;

public sealed class GemmCutTests
{
    private static readonly int[] Sizes = [1, 2, 3, 6, 7, 13, 15, 16, 25, 39, 48, 49, 150, 384, 512];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Every_tile_lies_in_exactly_one_chunk(bool copying)
    {
        foreach (int threads in new[] { 1, 2, 3, 8, 64 })
        {
            foreach (int strips in Sizes)
            {
                foreach (int panels in Sizes)
                {
                    var cut = new GemmCut(strips, panels, 12_000, 1L << 34, 11, copying, threads);
                    int[] computed = new int[strips * panels];
                    for (int chunk = 0; chunk < cut.Chunks; chunk++)
                    {
                        (int firstStrip, int endStrip, int firstPanel, int endPanel) = cut.Chunk(chunk);
                        Assert.True(endStrip > firstStrip && endPanel > firstPanel, $"chunk {chunk} of {strips} x {panels}, {threads} threads, is empty");
                        for (int strip = firstStrip; strip < endStrip; strip++)
                        {
                            for (int panel = firstPanel; panel < endPanel; panel++)
                            {
                                computed[(strip * panels) + panel]++;
                            }
                        }
                    }

                    Assert.All(computed, times => Assert.Equal(1, times));
                    Assert.Equal(copying && threads > 1 && cut.Chunks > threads, cut.ByBlocks);
                    Assert.Equal(cut.Chunks * (cut.ByBlocks ? 11 : 1), cut.Tasks);
                }
            }
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public void Tasks_bring_every_block_of_every_chunk_once_and_a_chunks_in_their_order(int threads)
    {
        const int Blocks = 6;
        var cut = new GemmCut(39, 25, 21_000, 1L << 30, Blocks, copying: true, threads);
        Assert.True(cut.ByBlocks);
        int[] next = new int[cut.Chunks];
        int[] firsts = new int[Blocks];
        for (int task = 0; task < cut.Tasks; task++)
        {
            (int chunk, int block) = cut.Task(task);
            Assert.Equal(next[chunk]++, block);
            firsts[block] = task % cut.Chunks == 0 ? chunk : firsts[block];
        }

        Assert.All(next, blocks => Assert.Equal(Blocks, blocks));
        for (int block = 1; block < Blocks; block++)
        {
            Assert.NotEqual(firsts[block - 1], firsts[block]);
        }
    }

    [Fact]
    public void A_block_of_a_chunks_rows_stays_in_the_second_level_cache()
    {
        const int StripBytes = 8 * 1536 * sizeof(float);
        var cut = new GemmCut(512, 7, StripBytes, 1L << 34, 1, copying: false, threads: 1);
        for (int chunk = 0; chunk < cut.Chunks; chunk++)
        {
            (int firstStrip, int endStrip, _, _) = cut.Chunk(chunk);
            Assert.InRange((endStrip - firstStrip) * StripBytes, 1, 768 << 10);
        }
    }

    [Fact]
    public async Task A_block_waits_for_the_one_before_it()
    {
        using NativeCounters done = new(3);
        Task waiting = Task.Run(() => done.Await(1, 2));
        try
        {
            done.Set(0, 5);
            done.Set(1, 1);
            Assert.NotSame(waiting, await Task.WhenAny(waiting, Task.Delay(50)));
        }
        finally
        {
            done.Set(1, 2);
            await waiting.WaitAsync(TimeSpan.FromSeconds(30));
        }
    }

    private sealed unsafe class NativeCounters(int count) : IDisposable
    {
        private readonly int* counters = (int*)NativeMemory.AllocZeroed((nuint)count, sizeof(int));

        public void Set(int chunk, int blocks) => Volatile.Write(ref counters[chunk], blocks);

        public void Await(int chunk, int block) => GemmCut.Await(counters, chunk, block);

        public void Dispose() => NativeMemory.Free(counters);
    }
}
