using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;
using Limbeck.Training.Compression;

namespace Limbeck.Training.Tests.Compression;

public sealed class PrincipalComponentsTests
{
    private const string Words = "bert.embeddings.word_embeddings.weight";

    // Of the squared length; worst seen: 3e-5, as the least variance is lost with the mean over the student's units.
    private const double Tolerance = 1e-3;

    [Fact]
    public void With_as_many_units_as_the_teacher_words_differ_by_little_more_than_the_layer_norm_makes_them()
    {
        using BertModel teacher = Teacher();
        using BertModel student = TinyWorld.Model(Shape(24), 2);
        PrincipalComponents components = PrincipalComponents.Of(teacher, 24);
        components.StartEmbeddings(teacher, student);
        Assert.Equal(1, components.Kept, 1e-5);
        Assert.InRange(Error(teacher, student, components, [5, 6, 7, 8]), 0, 0.05);
    }

    [Fact]
    public void A_narrower_student_is_nearer_to_its_teacher_the_more_units_it_has_and_far_nearer_than_at_random()
    {
        using BertModel teacher = Teacher();
        double[] errors = [.. new[] { 8, 12, 16, 20 }.Select(width =>
        {
            using BertModel student = TinyWorld.Model(Shape(width), 2);
            PrincipalComponents components = PrincipalComponents.Of(teacher, width);
            components.StartEmbeddings(teacher, student);
            return Error(teacher, student, components, [.. Enumerable.Range(5, 20)]);
        })];
        Assert.Equal(errors.OrderDescending(), errors);
        Assert.InRange(errors[0], 0, 0.9);
    }

    [Fact]
    public void Words_that_come_often_are_kept_better()
    {
        using BertModel teacher = Teacher();
        using BertModel even = TinyWorld.Model(Shape(8), 2);
        using BertModel weighted = TinyWorld.Model(Shape(8), 2);
        long[] counts = new long[200];
        int[] often = [11, 12, 13];
        foreach (int id in often)
        {
            counts[id] = 1000;
        }

        PrincipalComponents alike = PrincipalComponents.Of(teacher, 8);
        PrincipalComponents byCount = PrincipalComponents.Of(teacher, 8, counts);
        alike.StartEmbeddings(teacher, even);
        byCount.StartEmbeddings(teacher, weighted);
        Assert.True(byCount.Kept > alike.Kept);
        Assert.InRange(Error(teacher, weighted, byCount, often), 0, Error(teacher, even, alike, often));
    }

    [Fact]
    public void A_trimmed_vocabulary_takes_the_rows_of_its_wordpieces()
    {
        using BertModel teacher = Teacher();
        using BertModel whole = TinyWorld.Model(Shape(16), 2);
        using BertModel trimmed = TinyWorld.Model(Shape(16) with { VocabularySize = 3 }, 2);
        PrincipalComponents components = PrincipalComponents.Of(teacher, 16);
        components.StartEmbeddings(teacher, whole);
        components.StartEmbeddings(teacher, trimmed, [4, 9, 2]);
        Assert.Equal(whole[Words].Value.Row(9).ToArray(), trimmed[Words].Value.Row(1).ToArray());
        Assert.Equal(whole[Words].Value.Row(2).ToArray(), trimmed[Words].Value.Row(2).ToArray());
    }

    [Fact]
    public void The_components_are_orthonormal_and_the_same_bits_for_any_number_of_threads()
    {
        using BertModel teacher = Teacher();
        using WorkerTeam one = new(1);
        using WorkerTeam three = new(3);
        float[] weights = Weights(PrincipalComponents.Of(teacher, 16, team: one));
        Assert.Equal(weights, Weights(PrincipalComponents.Of(teacher, 16, team: three)));
        for (int a = 0; a < 16; a++)
        {
            for (int b = 0; b < 16; b++)
            {
                Assert.Equal(a == b ? 1 : 0, Enumerable.Range(0, 24).Sum(i => (double)weights[(i * 16) + a] * weights[(i * 16) + b]), Tolerance);
            }
        }
    }

    [Fact]
    public void A_student_wider_than_its_teacher_and_counts_of_another_vocabulary_are_refused()
    {
        using BertModel teacher = Teacher();
        Assert.Contains("32 units", Assert.Throws<ArgumentException>(() => PrincipalComponents.Of(teacher, 32)).Message, StringComparison.Ordinal);
        Assert.Contains("7 wordpieces", Assert.Throws<ArgumentException>(() => PrincipalComponents.Of(teacher, 16, new long[7])).Message, StringComparison.Ordinal);
    }

    private static BertConfig Shape(int hidden) => TinyWorld.Config(hidden: hidden) with { VocabularySize = 200 };

    /// <summary>A teacher whose layer norm has weights and biases of its own, as trained ones have.</summary>
    private static BertModel Teacher()
    {
        BertModel teacher = TinyWorld.Model(Shape(24), 1);
        SeededRandom random = new(5);
        foreach (string name in (string[])["weight", "bias"])
        {
            foreach (ref float value in teacher[$"bert.embeddings.LayerNorm.{name}"].Value.Span)
            {
                value = (name == "weight" ? 0.7f : 0f) + (0.3f * (float)random.Gaussian());
            }
        }

        return teacher;
    }

    private static float[] Weights(PrincipalComponents components)
    {
        using Parameter weight = new("weight", 24, 16);
        using Parameter bias = new("bias", 24);
        bias.Value.Span.Fill(1f);
        components.StartProjection(weight, bias);
        Assert.All(bias.Value.ToArray(), value => Assert.Equal(0f, value));
        return weight.Value.ToArray();
    }

    /// <summary>By how much the student's embedding block, projected, differs from the teacher's on some words, of the teacher's squared length.</summary>
    private static double Error(BertModel teacher, BertModel student, PrincipalComponents components, int[] ids)
    {
        using Tape tape = new(recording: false);
        PackedBatch batch = PackedBatch.Pack([(ids, new int[ids.Length])]);
        using Parameter weight = new("weight", 24, student.Config.HiddenSize);
        using Parameter bias = new("bias", 24);
        components.StartProjection(weight, bias);
        float[] expected = teacher.Encoder.Forward(tape, batch, withHidden: true).Hidden[0].ToArray();
        float[] found = tape.Linear(student.Encoder.Forward(tape, batch, withHidden: true).Hidden[0], weight, bias).ToArray();
        return expected.Zip(found).Sum(pair => Math.Pow(pair.First - pair.Second, 2)) / expected.Sum(value => Math.Pow(value, 2));
    }
}
