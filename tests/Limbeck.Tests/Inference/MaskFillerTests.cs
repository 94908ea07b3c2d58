using Limbeck.Inference;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;
using Limbeck.TestData;

namespace Limbeck.Tests.Inference;

public sealed class MaskFillerTests
{
    // Scores of the goldens agree to 2e-5 of the largest; two that differ by less may change places.
    private const double Tolerance = 4e-5;

    public static TheoryData<string?> Cases => Golden.Cases("masked-lm", "*.safetensors");

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void The_best_wordpieces_are_those_of_transformers(string? file)
    {
        using Golden golden = Golden.Open("masked-lm", file);
        using BertModel model = new(GoldenModels.Config(golden.Sidecar.GetProperty("config"), 2, "tanh"), HeadKind.MaskedLanguageModel);
        golden.Fill(model.Parameters, "model.");
        PackedBatch batch = GoldenModels.Batch(golden);
        MaskedSequence[] sequences = [.. golden.Integers("input.packed.labelled_rows").Select(row =>
        {
            int s = Array.FindLastIndex(batch.Offsets, offset => offset <= row);
            Range range = batch.Offsets[s]..batch.Offsets[s + 1];
            return new MaskedSequence(batch.Ids[range], batch.TypeIds[range], row - batch.Offsets[s]);
        })];
        float[] logits = golden.Floats("output.logits_at_labels");
        int vocabulary = logits.Length / sequences.Length;
        using MaskFiller filler = new(model);
        IReadOnlyList<int[]> best = filler.Best(sequences, 10);
        for (int i = 0; i < best.Count; i++)
        {
            float[] row = logits[(i * vocabulary)..((i + 1) * vocabulary)];
            float[] expected = [.. row.OrderDescending().Take(10)];
            Golden.Close(expected, [.. best[i].Select(id => row[id])], Tolerance, $"masked place {i}", row.Max(MathF.Abs));
            Assert.Equal(10, best[i].Distinct().Count());
        }
    }

    [Theory]
    [InlineData(1, 512)]
    [InlineData(2, 40)]
    [InlineData(3, 4096)]
    public void They_are_the_same_whatever_the_threads_and_batches(int threads, int tokensAtOnce)
    {
        using BertModel model = Model();
        MaskedSequence[] sequences = Sequences(60);
        bool[] allowed = [.. Enumerable.Range(0, 100).Select(id => id % 3 != 0)];
        using WorkerTeam team = new(threads);
        using MaskFiller filler = new(model, new ModelOptions { Team = team, TokensAtOnce = tokensAtOnce });
        IReadOnlyList<int[]> best = filler.Best(sequences, 7, allowed);
        using WorkerTeam alone = new(1);
        using Tape tape = new(recording: false, alone);
        for (int i = 0; i < sequences.Length; i++)
        {
            PackedBatch batch = PackedBatch.Pack([(sequences[i].Ids, sequences[i].TypeIds)]);
            float[] scores = model.LanguageModel!.Forward(tape, model.Encoder.Forward(tape, batch).LastHidden, [sequences[i].Position]).ToArray();
            int[] expected = [.. Enumerable.Range(0, 100).Where(id => allowed[id]).OrderByDescending(id => scores[id]).ThenBy(id => id).Take(7)];
            Assert.Equal(expected, best[i]);
            tape.Reset();
        }
    }

    [Fact]
    public void Some_tokens_alone_come_out_of_the_encoder_with_the_same_bits_as_among_all()
    {
        using BertModel model = Model();
        PackedBatch batch = PackedBatch.Pack([.. Sequences(9).Select(sequence => (sequence.Ids, sequence.TypeIds))]);
        int[] rows = [.. Enumerable.Range(0, batch.Tokens).Where(row => row % 5 == 2)];
        using Tape tape = new(recording: false);
        Tensor all = model.Encoder.Forward(tape, batch).LastHidden;
        Tensor some = model.Encoder.ForwardAt(tape, batch, rows);
        for (int i = 0; i < rows.Length; i++)
        {
            Assert.Equal(all.Row(rows[i]).ToArray(), some.Row(i).ToArray());
        }
    }

    [Fact]
    public void Nothing_to_fill_gives_nothing()
    {
        using BertModel model = Model();
        using MaskFiller filler = new(model);
        Assert.Empty(filler.Best([], 5));
    }

    [Fact]
    public void A_model_without_the_head_is_refused()
    {
        using BertModel model = new(Config(), HeadKind.Classifier);
        Assert.Contains("no masked-language-model head", Assert.Throws<ArgumentException>(() => new MaskFiller(model)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Damaged_weights_are_an_error_and_not_an_answer()
    {
        using BertModel model = Model();
        model["cls.predictions.bias"].Value.Span.Fill(float.NaN);
        using MaskFiller filler = new(model);
        Assert.Throws<InvalidDataException>(() => filler.Best(Sequences(3), 5));
    }

    private static BertConfig Config() => new() { LayerCount = 2, HiddenSize = 32, HeadCount = 2, IntermediateSize = 64, VocabularySize = 100 };

    private static BertModel Model()
    {
        BertModel model = new(Config() with { InitializerRange = 0.3f }, HeadKind.MaskedLanguageModel);
        model.Initialize(new SeededRandom(1));
        return model;
    }

    private static MaskedSequence[] Sequences(int count)
    {
        SeededRandom random = new(2);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            int[] ids = [.. Enumerable.Range(0, 3 + random.NextInt(20)).Select(_ => random.NextInt(100))];
            return new MaskedSequence(ids, new int[ids.Length], random.NextInt(ids.Length));
        })];
    }
}
