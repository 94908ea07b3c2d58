using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Training.Compression;

namespace Limbeck.Training.Tests.Compression;

public sealed class TeacherSlicesTests
{
    [Fact]
    public void A_student_of_the_teachers_own_size_starts_as_the_teacher()
    {
        using BertModel teacher = TinyWorld.Model(TinyWorld.Config(), 1);
        using BertModel student = TinyWorld.Model(TinyWorld.Config(), 2);
        TeacherSlices.Copy(teacher, student, LayerMap.Uniform(2, 2));
        foreach (Parameter parameter in student.Parameters)
        {
            Assert.Equal(teacher[parameter.Name].Value.ToArray(), parameter.Value.ToArray());
        }
    }

    [Fact]
    public void Slices_take_the_first_units_the_first_rows_of_each_head_and_the_mapped_layers()
    {
        using BertModel teacher = TinyWorld.Model(TinyWorld.Config(layers: 4, hidden: 24, heads: 4, intermediate: 48), 1);
        using BertModel student = TinyWorld.Model(TinyWorld.Config(layers: 2, hidden: 16, heads: 4, intermediate: 40), 2);
        TeacherSlices.Copy(teacher, student, LayerMap.Uniform(2, 4), scaleQuery: false);
        Parameter key = student["bert.encoder.layer.1.attention.self.key.weight"];          // head size 6 -> 4
        Parameter from = teacher["bert.encoder.layer.3.attention.self.key.weight"];
        Assert.Equal(from.Value.Row(13)[..16].ToArray(), key.Value.Row(9).ToArray());        // head 2, row 1
        Parameter output = student["bert.encoder.layer.0.attention.output.dense.weight"];
        Assert.Equal(teacher["bert.encoder.layer.1.attention.output.dense.weight"].Value.Row(5)[13], output.Value.Row(5)[9]);
        Assert.Equal(teacher["bert.encoder.layer.1.output.dense.weight"].Value.Row(2)[39], student["bert.encoder.layer.0.output.dense.weight"].Value.Row(2)[39]);
        Assert.Equal(teacher["bert.embeddings.word_embeddings.weight"].Value.Row(7)[..16].ToArray(), student["bert.embeddings.word_embeddings.weight"].Value.Row(7).ToArray());
        Assert.Equal(teacher["classifier.weight"].Value.Row(1)[..16].ToArray(), student["classifier.weight"].Value.Row(1).ToArray());
    }

    [Fact]
    public void The_query_is_scaled_by_the_root_of_the_ratio_of_head_sizes_when_asked()
    {
        using BertModel teacher = TinyWorld.Model(TinyWorld.Config(hidden: 24), 1);
        using BertModel student = TinyWorld.Model(TinyWorld.Config(hidden: 16), 2);
        TeacherSlices.Copy(teacher, student, LayerMap.Uniform(2, 2), scaleQuery: true);
        float expected = teacher["bert.encoder.layer.0.attention.self.query.weight"].Value.Row(0)[0] * MathF.Sqrt(6f / 4f);
        Assert.Equal(expected, student["bert.encoder.layer.0.attention.self.query.weight"].Value.Row(0)[0]);
    }

    [Fact]
    public void A_student_that_is_no_slice_is_refused_with_every_reason()
    {
        using BertModel teacher = TinyWorld.Model(TinyWorld.Config(layers: 2, hidden: 24, heads: 4), 1);
        using BertModel student = TinyWorld.Model(TinyWorld.Config(layers: 1, hidden: 32, heads: 8), 2);
        string message = Assert.Throws<ArgumentException>(() => TeacherSlices.Copy(teacher, student, LayerMap.Uniform(1, 2))).Message;
        Assert.Contains("8 heads", message, StringComparison.Ordinal);
        Assert.Contains("wider", message, StringComparison.Ordinal);
    }
}
