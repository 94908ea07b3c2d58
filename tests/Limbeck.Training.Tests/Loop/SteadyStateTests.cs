using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Training.Optimization;

namespace Limbeck.Training.Tests.Loop;

/// <summary>Runs when no other test does, as the heap is the process's.</summary>
[Collection(nameof(SteadyStateTests))]
[CollectionDefinition(nameof(SteadyStateTests), DisableParallelization = true)]
public sealed class SteadyStateTests
{
    // What the runtime itself may add in between (tiered code, pools). Two hundred steps that kept one small object each would add more.
    private const long Slack = 4096;

    [Fact]
    public void Training_steps_leave_nothing_behind_on_the_managed_heap_and_take_no_more_memory()
    {
        using BertModel model = TinyWorld.Model(TinyWorld.Config(), 1);
        using Tape tape = new(recording: true);
        using Optimizer optimizer = new(new OptimizerSettings(), model.Parameters);
        PackedBatch batch = PackedBatch.Pack([([2, 5, 6, 3], [0, 0, 0, 0]), ([2, 7, 3], [0, 0, 0])]);
        Steps(100);
        long heap = GC.GetTotalMemory(forceFullCollection: true);
        long activations = tape.PeakBytes;
        long before = GC.GetAllocatedBytesForCurrentThread();
        Steps(100);
        long first = GC.GetAllocatedBytesForCurrentThread() - before;
        Steps(100);
        long second = GC.GetAllocatedBytesForCurrentThread() - before - first;
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - heap, long.MinValue, Slack);
        Assert.Equal(activations, tape.PeakBytes);
        Assert.InRange(second, 0, first + Slack);

        void Steps(int count)
        {
            for (int i = 0; i < count; i++)
            {
                tape.Step++;
                tape.CrossEntropy(model.Logits(tape, batch), [0, 1]);
                tape.Backward();
                optimizer.Step(0.5);
            }
        }
    }
}
