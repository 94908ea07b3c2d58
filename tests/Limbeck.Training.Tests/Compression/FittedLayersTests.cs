using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;
using Limbeck.Training.Compression;

namespace Limbeck.Training.Tests.Compression;

public sealed class FittedLayersTests
{
    // Of the teacher's variance in its last hidden states. Worst seen: below 0.1 with all of its layers and units, 0.25 with half of its layers and two thirds of its units.
    private const double WholeTolerance = 0.15;
    private const double HalfTolerance = 0.4;

    // Of the teacher's variance in its attention scores, with all of its units; worst seen: 0.15. A layer norm with weights of its own is not the same after a turn.
    private const double ScoreTolerance = 0.25;

    [Fact]
    public void A_student_of_the_teachers_own_sizes_nearly_is_the_teacher()
    {
        using BertModel teacher = Teacher();
        using BertModel student = TinyWorld.Model(Shape(4, 24, 96), 2);
        Assert.InRange(Start(teacher, student), 0, WholeTolerance);
        PackedBatch texts = Texts(200, 8);
        using Tape tape = new(recording: false);
        float[] expected = teacher.Encoder.Forward(tape, texts, withScores: layer => layer == 0).Scores[0]!.ToArray();
        float[] found = student.Encoder.Forward(tape, texts, withScores: layer => layer == 0).Scores[0]!.ToArray();
        Assert.InRange(Distance(expected, found), 0, ScoreTolerance);
    }

    [Fact]
    public void Half_of_the_layers_and_two_thirds_of_the_units_keep_most_of_what_the_teacher_says_and_far_more_than_random_layers()
    {
        using BertModel teacher = Teacher();
        using BertModel fitted = TinyWorld.Model(Shape(2, 16, 64), 2);
        using BertModel random = TinyWorld.Model(Shape(2, 16, 64), 2);
        double error = Start(teacher, fitted);
        Assert.InRange(error, 0, HalfTolerance);
        Assert.True(Start(teacher, random, layers: false) > 1.5 * error);
    }

    [Fact]
    public void A_head_that_was_pruned_away_stays_silent_and_fitting_again_gives_the_same()
    {
        using BertModel teacher = Teacher();
        foreach (string name in (string[])["query", "key"])
        {
            Parameter weight = teacher[$"bert.encoder.layer.1.attention.self.{name}.weight"];
            Parameter bias = teacher[$"bert.encoder.layer.1.attention.self.{name}.bias"];
            weight.Value.Span[..(6 * 24)].Clear();
            bias.Value.Span[..6].Clear();
            weight.Changed();
            bias.Changed();
        }

        using BertModel student = TinyWorld.Model(Shape(2, 16, 64), 2);
        Assert.InRange(Start(teacher, student), 0, HalfTolerance);
        Assert.All(student.Parameters, parameter => Assert.All(parameter.Value.ToArray(), value => Assert.True(float.IsFinite(value), parameter.Name)));
        float[][] first = [.. student.Parameters.Select(parameter => parameter.Value.ToArray())];
        Start(teacher, student);
        Assert.Equal(first, student.Parameters.Select(parameter => parameter.Value.ToArray()));
    }

    [Fact]
    public void The_layers_are_the_same_bits_for_any_number_of_threads()
    {
        using BertModel teacher = Teacher();
        using BertModel first = TinyWorld.Model(Shape(2, 16, 64), 2);
        using BertModel second = TinyWorld.Model(Shape(2, 16, 64), 2);
        using WorkerTeam one = new(1);
        using WorkerTeam three = new(3);
        Start(teacher, first, team: one);
        Start(teacher, second, team: three);
        Assert.All(first.Parameters.Zip(second.Parameters), pair => Assert.Equal(pair.First.Value.ToArray(), pair.Second.Value.ToArray()));
    }

    [Fact]
    public void Students_whose_layers_have_no_counterpart_are_refused()
    {
        using BertModel teacher = Teacher();
        using BertModel heads = TinyWorld.Model(Shape(2, 16, 64) with { HeadCount = 2 }, 2);
        using BertModel wide = TinyWorld.Model(Shape(2, 16, 128), 2);
        Assert.Contains("2 heads, the teacher 4", Assert.Throws<ArgumentException>(() => Start(teacher, heads)).Message, StringComparison.Ordinal);
        Assert.Contains("(16/128)", Assert.Throws<ArgumentException>(() => Start(teacher, wide)).Message, StringComparison.Ordinal);
    }

    private static BertConfig Shape(int layers, int hidden, int intermediate) => TinyWorld.Config(layers, hidden, 4, intermediate) with { VocabularySize = 200 };

    /// <summary>A teacher whose weights are large enough for every layer to do something, with layer norms of its own.</summary>
    private static BertModel Teacher()
    {
        BertModel teacher = TinyWorld.Model(Shape(4, 24, 96) with { InitializerRange = 0.2f }, 1);
        SeededRandom random = new(5);
        foreach (Parameter parameter in teacher.Parameters.Where(parameter => parameter.Value.Shape.Length == 1))
        {
            float mean = parameter.Name.EndsWith("LayerNorm.weight", StringComparison.Ordinal) ? 0.9f : 0f;
            foreach (ref float value in parameter.Value.Span)
            {
                value = mean + (0.05f * (float)random.Gaussian());
            }
        }

        return teacher;
    }

    private static PackedBatch Texts(int count, ulong seed)
    {
        SeededRandom random = new(seed);
        return PackedBatch.Pack([.. Enumerable.Range(0, count).Select(_ =>
        {
            int[] ids = [.. Enumerable.Range(0, 4 + random.NextInt(12)).Select(_ => 5 + random.NextInt(195))];
            return (ids, new int[ids.Length]);
        })]);
    }

    /// <summary>Starts the student, and gives how far its last hidden states, projected, then are from the teacher's on other texts, of the teacher's variance.</summary>
    private static double Start(BertModel teacher, BertModel student, bool layers = true, WorkerTeam? team = null)
    {
        PackedBatch sample = Texts(400, 7);
        using Tape tape = new(recording: false, team);
        IReadOnlyList<Tensor> hidden = teacher.Encoder.Forward(tape, sample, withHidden: true).Hidden;
        LayerMap map = LayerMap.Uniform(student.Config.LayerCount, teacher.Config.LayerCount);
        PrincipalComponents components = PrincipalComponents.Of(teacher, student.Config.HiddenSize, states: [.. map.Pairs.Values.Where(layer => layer > 0).Select(layer => hidden[layer])], team: team);
        components.StartEmbeddings(teacher, student, team: team);
        if (layers)
        {
            FittedLayers.Start(teacher, student, map, components, hidden, sample, sample, team);
        }

        PackedBatch others = Texts(200, 8);
        using Parameter weight = new("weight", teacher.Config.HiddenSize, student.Config.HiddenSize);
        using Parameter bias = new("bias", teacher.Config.HiddenSize);
        components.StartProjection(weight, bias);
        return Distance(teacher.Encoder.Forward(tape, others).LastHidden.ToArray(), tape.Linear(student.Encoder.Forward(tape, others).LastHidden, weight, bias).ToArray());
    }

    private static double Distance(float[] expected, float[] found)
    {
        double mean = expected.Average();
        return expected.Zip(found).Sum(pair => Math.Pow(pair.First - pair.Second, 2)) / expected.Sum(value => Math.Pow(value - mean, 2));
    }
}
