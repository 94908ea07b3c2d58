using Limbeck.Training.Data;
using Limbeck.Training.Evaluation.Reporting;
using Limbeck.Training.Metrics;

namespace Limbeck.Training.Tests.Evaluation.Reporting;

public sealed class AnswersTests
{
    private static readonly TaskDefinition Regression = TaskDefinition.Custom(TaskKind.Regression, isPair: false, []);

    [Fact]
    public void Rows_are_counted_by_who_is_right()
    {
        Answers own = Classes([0, 0, 1, 1, 0], [0, 1, 1, 0, 1]);
        Answers teacher = Classes([0, 0, 1, 1, 0], [0, 0, 0, 0, 1]);
        Assert.Equal(new ReportAgreement(1, 1, 1, 2, 3), own.AgreementWith(teacher));
    }

    [Fact]
    public void Disagreements_come_by_certainty_of_both_and_at_most_twenty()
    {
        int[] gold = [.. Enumerable.Range(0, 60).Select(i => i % 2)];
        Answers own = new(Data(gold), [.. Enumerable.Range(0, 60).SelectMany(i => new[] { 0f, i * 0.1f })]);
        Answers teacher = new(Data(gold), [.. Enumerable.Range(0, 60).SelectMany(i => new[] { 1f, 0f })]);
        ReportExamples examples = own.Examples(teacher);
        Assert.Equal((ReportExampleKind.Disagreement, 59, 20), (examples.Kind, examples.Total, examples.Rows.Count));
        Assert.Equal([61, 60, 59], examples.Rows.Take(3).Select(row => row.Line));
        Assert.Equal(("positive", true, "negative", false), (examples.Rows[0].Model.Label, examples.Rows[0].Model.Right!.Value, examples.Rows[0].Teacher!.Label, examples.Rows[0].Teacher!.Right!.Value));
        Assert.Equal(1 / (1 + Math.Exp(-5.9)), examples.Rows[0].Model.Score, 1e-6);
    }

    [Fact]
    public void Without_a_teacher_the_mistakes_are_shown()
    {
        ReportExamples examples = Classes([0, 0, 1, 1, 0], [0, 1, 1, 0, 0]).Examples(null);
        Assert.Equal((ReportExampleKind.Mistake, 2), (examples.Kind, examples.Total));
        Assert.Null(examples.Rows[0].Teacher);
    }

    [Fact]
    public void Of_a_regression_the_largest_errors_are_shown()
    {
        Dataset data = new("numbers", Regression, [.. new[] { 1.0, 2, 3 }.Select((score, i) => new TextExample($"t{i}", null, -1, score, i + 2))]);
        Answers own = new(data, [1.5f, 2, 0]);
        ReportExamples examples = own.Examples(new Answers(data, [1, 2, 3]));
        Assert.Equal((ReportExampleKind.LargestError, 3), (examples.Kind, examples.Total));
        Assert.Equal([4, 2, 3], examples.Rows.Select(row => row.Line));
        Assert.Equal(("3.00", "0.00", "3.00"), (examples.Rows[0].Gold, examples.Rows[0].Model.Label, examples.Rows[0].Teacher!.Label));
        Assert.Null(own.AgreementWith(own));
        Assert.Null(own.AgainstMajority(data));
        Assert.Equal("r:1.5,2,0", own.Compact());
    }

    [Fact]
    public void Kept_answers_give_the_same_interval_as_the_model_itself()
    {
        int[] gold = [.. Enumerable.Range(0, 80).Select(i => i * 7 % 3 % 2)];
        Answers own = Classes(gold, [.. gold.Select((label, i) => i % 5 == 0 ? 1 - label : label)]);
        Answers other = Classes(gold, [.. gold.Select((label, i) => i % 3 == 0 ? 1 - label : label)]);
        BootstrapInterval interval = own.Against(other);
        Assert.Equal(interval, own.Against(other.Compact()!));
        Assert.InRange(interval.Difference, interval.Low, interval.High);
        Assert.Equal((16 - 27) / -80.0, interval.Difference, 1e-12);
        Assert.Throws<InvalidDataException>(() => own.Against("c:01"));
        Assert.Equal(own.Against(Classes(gold, new int[80])), own.AgainstMajority(Data([0, 0, 1])));
    }

    private static Answers Classes(int[] gold, int[] answers) => new(Data(gold), [.. answers.SelectMany(answer => new[] { answer == 0 ? 1f : 0, answer == 1 ? 1f : 0 })]);

    private static Dataset Data(int[] gold) => new("classes", TinyWorld.Task, [.. gold.Select((label, i) => new TextExample($"t{i}", null, label, double.NaN, i + 2))]);
}
