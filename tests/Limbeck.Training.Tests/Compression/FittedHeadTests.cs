using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;
using Limbeck.Training.Compression;
using Limbeck.Training.Data;
using Limbeck.Training.Evaluation;

namespace Limbeck.Training.Tests.Compression;

public sealed class FittedHeadTests
{
    private static readonly EncodedDataset Rows = TinyWorld.Encoded(600, 3);
    private static readonly EncodedDataset Others = TinyWorld.Encoded(200, 4);

    [Theory]
    [InlineData("tanh")]
    [InlineData("relu")]
    public void Over_the_teachers_own_encoder_it_says_what_the_teacher_says(string activation)
    {
        using BertModel teacher = Teacher(activation);
        using BertModel student = Headless(teacher);
        double before = Unexplained(teacher, student);
        FittedHead.Start(teacher, student, Rows, Rows, 1);
        double after = Unexplained(teacher, student);

        // Of the variance of the logits on other rows; worst seen: 0.04 where the random head leaves more than all.
        Assert.True(before > 0.9, $"{before}");
        Assert.InRange(after, 0, 0.1);
    }

    [Fact]
    public void A_narrower_student_keeps_the_units_that_count_and_a_wider_one_its_own_others()
    {
        using BertModel teacher = Teacher("tanh");
        using BertModel narrow = TinyWorld.Model(TinyWorld.Config(hidden: 16, dropout: 0), 8);
        FittedHead.Start(teacher, narrow, Rows, Rows, 1);
        Assert.True(Unexplained(teacher, narrow) < 0.9);

        using BertModel wide = TinyWorld.Model(TinyWorld.Config(hidden: 32, dropout: 0), 8);
        float[] own = wide["bert.pooler.dense.weight"].Value.Row(24).ToArray();
        FittedHead.Start(teacher, wide, Rows, Rows, 1);
        Assert.Equal(own, wide["bert.pooler.dense.weight"].Value.Row(24).ToArray());
        Assert.True(Unexplained(teacher, wide) < 0.9);
    }

    [Fact]
    public void The_head_is_the_same_bits_for_any_number_of_threads()
    {
        using BertModel teacher = Teacher("tanh");
        using WorkerTeam one = new(1);
        using WorkerTeam three = new(3);
        using BertModel first = Headless(teacher);
        using BertModel second = Headless(teacher);
        FittedHead.Start(teacher, first, Rows, Rows, 1, one);
        FittedHead.Start(teacher, second, Rows, Rows, 1, three);
        Assert.All(first.Parameters.Zip(second.Parameters), pair => Assert.Equal(pair.First.Value.ToArray(), pair.Second.Value.ToArray()));
    }

    [Fact]
    public void A_regression_has_its_one_output_fitted()
    {
        BertConfig config = TinyWorld.Config(dropout: 0) with { Labels = ["score"], ProblemType = "regression" };
        using BertModel teacher = Loud(TinyWorld.Model(config, 7));
        using BertModel student = Headless(teacher);
        FittedHead.Start(teacher, student, Rows, Rows, 1);
        Assert.InRange(Unexplained(teacher, student), 0, 0.1);
    }

    [Fact]
    public void A_relu_student_learns_a_tanh_teachers_answers()
    {
        using BertModel teacher = Teacher("tanh");
        using BertModel student = TinyWorld.Model(teacher.Config with { HeadActivation = "relu" }, 9);
        CopyEncoder(teacher, student);
        FittedHead.Start(teacher, student, Rows, Rows, 1);
        Assert.InRange(Unexplained(teacher, student), 0, 0.5);
    }

    [Fact]
    public void Other_rows_for_the_two_are_refused()
    {
        using BertModel teacher = Teacher("tanh");
        using BertModel student = Headless(teacher);
        Assert.Contains("the teacher has 600, the student 200", Assert.Throws<ArgumentException>(() => FittedHead.Start(teacher, student, Rows, Others, 1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Other_numbers_of_outputs_are_refused()
    {
        using BertModel teacher = Teacher("tanh");
        using BertModel student = TinyWorld.Model(TinyWorld.Config() with { Labels = ["a", "b", "c"] }, 8);
        string message = Assert.Throws<ArgumentException>(() => FittedHead.Start(teacher, student, Rows, Rows, 1)).Message;
        Assert.Contains("the teacher has 2, the student 3", message, StringComparison.Ordinal);
    }

    /// <summary>A random one whose logits differ from text to text.</summary>
    private static BertModel Teacher(string activation) => Loud(TinyWorld.Model(TinyWorld.Config(dropout: 0) with { HeadActivation = activation }, 7));

    private static BertModel Loud(BertModel teacher)
    {
        foreach (Parameter parameter in teacher.Parameters.Where(parameter => parameter.Name.EndsWith("weight", StringComparison.Ordinal) && !parameter.Name.Contains("LayerNorm", StringComparison.Ordinal)))
        {
            foreach (ref float value in parameter.Value.Span)
            {
                value *= 10;
            }

            parameter.Changed();
        }

        return teacher;
    }

    /// <summary>The teacher's encoder under another random head.</summary>
    private static BertModel Headless(BertModel teacher)
    {
        BertModel student = TinyWorld.Model(teacher.Config, 9);
        CopyEncoder(teacher, student);
        return student;
    }

    private static void CopyEncoder(BertModel teacher, BertModel student)
    {
        foreach (Parameter parameter in student.Parameters.Where(parameter => parameter.Name.StartsWith("bert.", StringComparison.Ordinal) && !parameter.Name.Contains("pooler", StringComparison.Ordinal)))
        {
            teacher[parameter.Name].Value.Span.CopyTo(parameter.Value.Span);
            parameter.Changed();
        }
    }

    private static double Unexplained(BertModel teacher, BertModel student)
    {
        float[] wanted = Evaluator.Logits(teacher, Others, WorkerTeam.Default);
        float[] found = Evaluator.Logits(student, Others, WorkerTeam.Default);
        int outputs = teacher.Config.Labels.Count;
        double error = 0;
        double variance = 0;
        for (int c = 0; c < outputs; c++)
        {
            double mean = Enumerable.Range(0, Others.Count).Average(row => (double)wanted[(row * outputs) + c]);
            error += Enumerable.Range(0, Others.Count).Sum(row => Math.Pow(wanted[(row * outputs) + c] - found[(row * outputs) + c], 2));
            variance += Enumerable.Range(0, Others.Count).Sum(row => Math.Pow(wanted[(row * outputs) + c] - mean, 2));
        }

        return error / variance;
    }
}
