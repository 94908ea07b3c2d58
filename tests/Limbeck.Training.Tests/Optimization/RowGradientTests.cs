using Limbeck.Tensors;
using Limbeck.Training.Optimization;

namespace Limbeck.Training.Tests.Optimization;

/// <summary>The gradient of a word table is zero but for the rows that were looked up, and nothing is done with the others that is not needed: the result must not show it.</summary>
public sealed class RowGradientTests
{
    private const int Words = 40;
    private const int Width = 19;

    [Theory]
    [InlineData(OptimizerKind.AdamW)]
    [InlineData(OptimizerKind.AdamWTransformers)]
    [InlineData(OptimizerKind.BertAdam)]
    public void Training_with_them_ends_with_the_bits_of_training_with_whole_gradients(OptimizerKind kind)
    {
        float[] rows = Train(kind, whole: _ => false, restart: -1);
        Assert.Equal(Train(kind, whole: _ => true, restart: -1), rows);
        Assert.Equal(Train(kind, whole: step => step is 2 or 3 or 6, restart: -1), rows);
        Assert.Equal(Train(kind, whole: _ => false, restart: 4), rows);
    }

    [Fact]
    public void Rows_add_up_over_backward_passes_and_over_what_is_there_already()
    {
        using Tables tables = new();
        using Tape tape = new(recording: true);
        tables.Pass(tape, [1, 2, 2]);
        tables.Pass(tape, [2, 5]);
        Assert.True(tables.Word.HasRowGradient);
        Assert.Equal([1, 2, 5], tables.Word.GradientRows.ToArray());
        float[] both = tables.Word.Gradient.ToArray();

        tables.Word.ClearGradient();
        Assert.False(tables.Word.HasRowGradient);
        tables.Pass(tape, [1, 2, 2]);
        float[] sum = tables.Word.Gradient.ToArray();
        Assert.DoesNotContain(sum[(5 * Width)..(6 * Width)], value => value != 0);
        tables.Word.ClearGradient();
        tables.Pass(tape, [2, 5]);
        Assert.Equal(both, sum.Zip(tables.Word.Gradient.ToArray(), (a, b) => a + b));

        // Over a gradient that is not of rows, and after it.
        tables.Word.SetGradient([.. Enumerable.Repeat(1f, Words * Width)]);
        float[] alone = [.. both.Select(value => value + 1)];
        tables.Pass(tape, [1, 2, 2]);
        tables.Pass(tape, [2, 5]);
        Assert.False(tables.Word.HasRowGradient);
        Assert.All(alone.Zip(tables.Word.Gradient.ToArray()), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
        tables.Word.ClearGradient();
        tables.Pass(tape, [1, 2, 2]);
        Assert.True(tables.Word.HasRowGradient);
        Assert.Equal(sum, tables.Word.Gradient.ToArray());
    }

    [Fact]
    public void A_whole_gradient_over_rows_has_both_and_another_optimizer_takes_over()
    {
        float[] Run(bool whole)
        {
            using Tables tables = new();
            using Tape tape = new(recording: true);
            for (int part = 0; part < 2; part++)
            {
                using Optimizer optimizer = new(new OptimizerSettings { LearningRate = 0.01, MaxGradNorm = 0 }, tables.All);
                for (int step = 0; step < 3; step++)
                {
                    // The padding word 0 is looked up and has no gradient; the last update of each part sees the table as a decoder too.
                    tables.Pass(tape, [0, step + 1, 7], decodes: step == 2);
                    Assert.Equal(step < 2, tables.Word.HasRowGradient);
                    if (whole)
                    {
                        tables.Word.SetGradient(tables.Word.Gradient.ToArray());
                    }

                    optimizer.Step(1);
                }
            }

            return tables.Word.Value.ToArray();
        }

        Assert.Equal(Run(whole: true), Run(whole: false));
    }

    [Fact]
    public void Clipping_is_that_of_the_whole_gradient_but_for_the_order_of_its_sum()
    {
        float[] rows = Train(OptimizerKind.BertAdam, whole: _ => false, restart: -1, clip: 0.01);
        float[] whole = Train(OptimizerKind.BertAdam, whole: _ => true, restart: -1, clip: 0.01);
        Assert.All(rows.Zip(whole), pair => Assert.Equal(pair.Second, pair.First, 1e-6f));
        Assert.Equal(rows, Train(OptimizerKind.BertAdam, whole: _ => false, restart: 4, clip: 0.01));
    }

    [Fact]
    public void A_table_that_is_fused_with_others_is_refused()
    {
        using Parameter whole = Parameter.Fuse("whole", ["a", "b"], Words, Width, out Parameter[] parts);
        using Tables tables = new();
        using Tape tape = new(recording: true);
        Assert.Contains("a part of whole", Assert.Throws<InvalidOperationException>(() => tables.Pass(tape, [1], word: parts[0])).Message, StringComparison.Ordinal);
        Assert.Contains("made of parts", Assert.Throws<InvalidOperationException>(() => tables.Pass(tape, [1], word: whole)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_norm_is_that_of_the_whole_gradient()
    {
        using Tables tables = new();
        using Tape tape = new(recording: true);
        using Optimizer optimizer = new(new OptimizerSettings { MaxGradNorm = 0 }, [tables.Word]);
        tables.Pass(tape, [3, 9, 3, 30]);
        double expected = Math.Sqrt(tables.Word.Gradient.ToArray().Sum(value => (double)value * value));
        optimizer.Step(1);
        Assert.Equal(expected, optimizer.GradientNorm, 1e-9 * expected);
    }

    /// <summary>Eight updates on other words each time; the table at the end.</summary>
    private static float[] Train(OptimizerKind kind, Predicate<int> whole, int restart, double clip = 0)
    {
        using Tables tables = new();
        using Tape tape = new(recording: true);
        OptimizerSettings settings = new() { Kind = kind, LearningRate = 0.01, WeightDecay = 0.1, MaxGradNorm = clip };
        Optimizer optimizer = new(settings, tables.All);
        for (int step = 0; step < 8; step++)
        {
            if (step == restart)
            {
                Optimizer next = new(settings, tables.All);
                foreach ((Parameter parameter, long updates, Tensor? first, Tensor? second) in optimizer.State)
                {
                    next.Restore(parameter.Name, updates, (one, two) =>
                    {
                        first!.Span.CopyTo(one.Span);
                        second!.Span.CopyTo(two.Span);
                    });
                }

                optimizer.Dispose();
                optimizer = next;
            }

            tables.Pass(tape, [step, (step * 3) + 1, 2, 2]);
            if (whole(step))
            {
                tables.Word.SetGradient(tables.Word.Gradient.ToArray());
            }

            optimizer.Step(1);
        }

        optimizer.Dispose();
        return tables.Word.Value.ToArray();
    }

    private sealed class Tables : IDisposable
    {
        public Tables()
        {
            SeededRandom random = new(4);
            foreach (Parameter parameter in All)
            {
                foreach (ref float value in parameter.Value.Span)
                {
                    value = (float)random.Gaussian();
                }
            }
        }

        public Parameter Word { get; } = new("word", Words, Width);

        public Parameter[] All => [Word, Position, Type];

        private Parameter Position { get; } = new("position", 8, Width);

        private Parameter Type { get; } = new("type", 2, Width);

        public void Pass(Tape tape, int[] ids, bool decodes = false, Parameter? word = null)
        {
            Tensor embedded = tape.Embed(new PackedBatch(ids, new int[ids.Length], [0, ids.Length]), word ?? Word, Position, Type, paddingId: 0);
            tape.MeanSquaredError(embedded, new float[ids.Length * Width]);
            if (decodes)
            {
                Tensor scores = tape.Linear(embedded, Word, null);
                tape.MeanSquaredError(scores, new float[ids.Length * Words]);
            }

            tape.Backward();
        }

        public void Dispose()
        {
            foreach (Parameter parameter in All)
            {
                parameter.Dispose();
            }
        }
    }
}
