using Limbeck.Inference;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tests.Inference;

public sealed class PackedRunnerTests
{
    [Fact]
    public void Batches_cover_all_texts_in_order_for_any_lengths()
    {
        SeededRandom random = new(3);
        for (int round = 0; round < 500; round++)
        {
            int[] lengths = [.. Enumerable.Range(0, random.NextInt(60)).Select(_ => 2 + random.NextInt(round % 2 == 0 ? 30 : 500))];
            int threads = 1 + random.NextInt(5);
            int most = 1 + random.NextInt(800);
            int[] starts = PackedRunner.Cut(lengths, threads, most);
            Assert.Equal(0, starts[0]);
            Assert.Equal(lengths.Length, starts[^1]);
            for (int i = 1; i < starts.Length; i++)
            {
                Assert.True(starts[i] > starts[i - 1], $"round {round}: an empty batch");
                int tokens = lengths[starts[i - 1]..starts[i]].Sum();
                Assert.True(tokens <= most + lengths.Max(), $"round {round}: {tokens} tokens in a batch of at most {most}");
            }
        }
    }

    [Fact]
    public void Many_texts_of_one_length_keep_every_thread_equally_busy()
    {
        Assert.Equal([0, 4, 8, 12, 16, 20, 24, 28, 32], PackedRunner.Cut([.. Enumerable.Repeat(128, 32)], 2, 512));
        Assert.Equal([0, 11, 21, 32], PackedRunner.Cut([.. Enumerable.Repeat(128, 32)], 3, 4096));
    }

    [Fact]
    public void Few_tokens_are_one_batch_that_the_threads_share()
    {
        Assert.Equal([0, 3], PackedRunner.Cut([10, 20, 30], 2, 512));
        Assert.Equal([0, 1], PackedRunner.Cut([512], 2, 512));
        Assert.Equal([0], PackedRunner.Cut([], 2, 512));
    }

    [Theory]
    [InlineData(1, 512)]
    [InlineData(2, 64)]
    [InlineData(3, 40)]
    [InlineData(5, 4096)]
    public void Every_text_gets_the_same_bits_whatever_the_threads_and_batches(int threads, int tokensAtOnce)
    {
        using BertModel model = new(new BertConfig { LayerCount = 2, HiddenSize = 32, HeadCount = 2, IntermediateSize = 64, VocabularySize = 100 }, HeadKind.Classifier);
        model.Initialize(new SeededRandom(1));
        SeededRandom random = new(2);
        (int[] Ids, int[] TypeIds)[] sequences = [.. Enumerable.Range(0, 70).Select(_ => Sequence(3 + random.NextInt(25)))];
        using WorkerTeam alone = new(1);
        using Tape tape = new(recording: false, alone);
        float[][] expected = new float[sequences.Length][];
        for (int i = 0; i < sequences.Length; i++)
        {
            expected[i] = model.Logits(tape, PackedBatch.Pack([sequences[i]])).ToArray();
            tape.Reset();
        }

        using WorkerTeam team = new(threads);
        using PackedRunner runner = new(new ModelOptions { Team = team, TokensAtOnce = tokensAtOnce });
        float[][] found = new float[sequences.Length][];
        runner.Run(
            sequences,
            (lane, batch, numbers) =>
            {
                Tensor logits = model.Logits(lane, batch);
                for (int i = 0; i < numbers.Length; i++)
                {
                    found[numbers[i]] = logits.Row(i).ToArray();
                }
            },
            CancellationToken.None);
        Assert.Equal(expected, found);

        (int[], int[]) Sequence(int length) => ([.. Enumerable.Range(0, length).Select(_ => random.NextInt(100))], new int[length]);
    }

    [Fact]
    public void What_a_batch_throws_reaches_the_caller_and_the_runner_goes_on_working()
    {
        using WorkerTeam team = new(3);
        using PackedRunner runner = new(new ModelOptions { Team = team, TokensAtOnce = 20 });
        (int[], int[])[] sequences = [.. Enumerable.Range(0, 100).Select(_ => (new int[10], new int[10]))];
        Assert.Equal("no", Assert.Throws<InvalidDataException>(() => runner.Run(sequences, (_, _, numbers) => throw new InvalidDataException("no"), CancellationToken.None)).Message);
        using CancellationTokenSource source = new();
        source.Cancel();
        Assert.Throws<OperationCanceledException>(() => runner.Run(sequences, (_, _, _) => { }, source.Token));
        int texts = 0;
        runner.Run(sequences, (_, _, numbers) => Interlocked.Add(ref texts, numbers.Length), CancellationToken.None);
        Assert.Equal(100, texts);
    }
}
