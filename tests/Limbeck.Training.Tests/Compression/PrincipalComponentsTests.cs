using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;
using Limbeck.Training.Compression;

namespace Limbeck.Training.Tests.Compression;

public sealed class PrincipalComponentsTests
{
    private const string Words = "bert.embeddings.word_embeddings.weight";

    // Worst seen: 7e-7.
    private const double Tolerance = 1e-5;

    [Fact]
    public void As_many_components_as_the_teacher_has_units_turn_its_tables_and_lose_nothing()
    {
        using BertModel teacher = TinyWorld.Model(TinyWorld.Config(hidden: 24), 1);
        using BertModel student = TinyWorld.Model(TinyWorld.Config(hidden: 24), 2);
        PrincipalComponents components = PrincipalComponents.Of(teacher, 24);
        components.StartEmbeddings(teacher, student);
        Assert.Equal(1, components.Kept, Tolerance);
        foreach (string name in (string[])["word_embeddings", "position_embeddings", "token_type_embeddings"])
        {
            Tensor expected = teacher[$"bert.embeddings.{name}.weight"].Value;
            Assert.True(Distance(Projected(components, student[$"bert.embeddings.{name}.weight"].Value, 24), expected) < Tolerance, name);
        }
    }

    [Fact]
    public void What_the_projection_brings_back_of_the_words_is_the_share_it_says()
    {
        using BertModel teacher = TinyWorld.Model(TinyWorld.Config(hidden: 24) with { VocabularySize = 200 }, 1);
        using BertModel student = TinyWorld.Model(TinyWorld.Config(hidden: 16) with { VocabularySize = 200 }, 2);
        PrincipalComponents components = PrincipalComponents.Of(teacher, 16);
        components.StartEmbeddings(teacher, student);
        Tensor words = teacher[Words].Value;
        double all = words.Span.ToArray().Sum(value => (double)value * value);
        double lost = Math.Pow(Distance(Projected(components, student[Words].Value, 24), words), 2) * words.Length;
        Assert.InRange(components.Kept, 0.67, 0.99);
        Assert.Equal(components.Kept, 1 - (lost / all), Tolerance);
    }

    [Fact]
    public void A_trimmed_vocabulary_takes_the_rows_of_its_wordpieces()
    {
        using BertModel teacher = TinyWorld.Model(TinyWorld.Config(hidden: 24), 1);
        using BertModel whole = TinyWorld.Model(TinyWorld.Config(hidden: 16), 2);
        using BertModel trimmed = TinyWorld.Model(TinyWorld.Config(hidden: 16) with { VocabularySize = 3 }, 2);
        PrincipalComponents components = PrincipalComponents.Of(teacher, 16);
        components.StartEmbeddings(teacher, whole);
        components.StartEmbeddings(teacher, trimmed, [4, 9, 2]);
        Assert.Equal(whole[Words].Value.Row(9).ToArray(), trimmed[Words].Value.Row(1).ToArray());
        Assert.Equal(whole[Words].Value.Row(2).ToArray(), trimmed[Words].Value.Row(2).ToArray());
    }

    [Fact]
    public void The_components_are_the_same_bits_for_any_number_of_threads()
    {
        using BertModel teacher = TinyWorld.Model(TinyWorld.Config(hidden: 24), 1);
        using WorkerTeam one = new(1);
        using WorkerTeam three = new(3);
        Assert.Equal(Weights(PrincipalComponents.Of(teacher, 16, one), 24, 16), Weights(PrincipalComponents.Of(teacher, 16, three), 24, 16));
    }

    [Fact]
    public void A_student_wider_than_its_teacher_is_refused()
    {
        using BertModel teacher = TinyWorld.Model(TinyWorld.Config(hidden: 24), 1);
        Assert.Contains("32 units", Assert.Throws<ArgumentException>(() => PrincipalComponents.Of(teacher, 32)).Message, StringComparison.Ordinal);
    }

    private static float[] Weights(PrincipalComponents components, int all, int width)
    {
        using Parameter weight = new("weight", all, width);
        using Parameter bias = new("bias", all);
        bias.Value.Span.Fill(1f);
        components.StartProjection(weight, bias);
        Assert.All(bias.Value.ToArray(), value => Assert.Equal(0f, value));
        return weight.Value.ToArray();
    }

    /// <summary>The student's rows times the projection, as a dense layer computes it.</summary>
    private static float[] Projected(PrincipalComponents components, Tensor rows, int all)
    {
        int width = rows.Columns;
        float[] weights = Weights(components, all, width);
        return [.. Enumerable.Range(0, rows.Rows).SelectMany(r => Enumerable.Range(0, all).Select(i => (float)Enumerable.Range(0, width).Sum(j => (double)rows.Row(r)[j] * weights[(i * width) + j])))];
    }

    /// <summary>Root of the mean squared difference.</summary>
    private static double Distance(float[] found, Tensor expected) =>
        Math.Sqrt(found.Zip(expected.ToArray()).Average(pair => Math.Pow((double)pair.First - pair.Second, 2)));
}
