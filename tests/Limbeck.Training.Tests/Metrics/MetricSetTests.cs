using Limbeck.TestData;
using Limbeck.Training.Data;
using Limbeck.Training.Metrics;

namespace Limbeck.Training.Tests.Metrics;

/// <summary>Which metrics a task reports, under which names, and the project's scoring rule.</summary>
public class MetricSetTests
{
    [Theory]
    [InlineData("CoLA", "matthews_correlation")]
    [InlineData("SST-2", "accuracy")]
    [InlineData("MRPC", "accuracy,f1")]
    [InlineData("QQP", "accuracy,f1")]
    [InlineData("WNLI", "accuracy")]
    [InlineData("RTE", "accuracy")]
    [InlineData("QNLI", "accuracy")]
    public void A_classification_reports_the_metrics_of_GLUE_and_its_figure_is_their_mean(string task, string names)
    {
        var set = MetricSet.Compute(TaskDefinition.Find(task), [1, 1, 0, 0], [1, 0, 0, 0]);
        Assert.Equal(names, string.Join(",", set.Values.Select(v => v.Key)));
        Assert.Equal(set.Values.Average(v => v.Value), set.Primary, 1e-15);
    }

    [Fact]
    public void The_figure_of_MRPC_is_the_mean_of_F1_and_accuracy()
    {
        var set = MetricSet.Compute(TaskDefinition.Mrpc, [1, 1, 0, 0], [1, 0, 0, 0]);
        Assert.Equal(0.75, set["accuracy"]);
        Assert.Equal(2.0 / 3, set["f1"], 1e-15);
        Assert.Equal((0.75 + (2.0 / 3)) / 2, set.Primary, 1e-15);
    }

    [Fact]
    public void The_figure_of_a_task_of_the_users_own_is_accuracy_and_macro_F1_is_reported()
    {
        var task = TaskDefinition.Custom(TaskKind.Classification, false, ["a", "b", "c"]);
        var set = MetricSet.Compute(task, [0, 1, 2, 2], [0, 1, 2, 0]);
        Assert.Equal(["accuracy", "f1_macro", "matthews_correlation"], set.Values.Select(v => v.Key));
        Assert.Equal(0.75, set.Primary);
    }

    [Fact]
    public void A_correlation_that_is_not_defined_is_0_with_a_warning_that_says_why()
    {
        var set = MetricSet.Compute(TaskDefinition.Stsb, [1.0, 2, 3], [2.0, 2, 2]);
        Assert.Equal([("pearson", 0.0), ("spearmanr", 0.0)], set.Values.Select(v => (v.Key, v.Value)));
        Assert.Equal(2, set.Warnings.Count);
        Assert.Contains("all predictions are equal", set.Warnings[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Logits_are_scored_by_the_largest_and_by_the_first_of_equal_ones()
    {
        var data = new Dataset("d", TaskDefinition.Rte, [new("a", "b", 0, double.NaN, 1), new("a", "c", 1, double.NaN, 2)]);
        Assert.Equal(1, MetricSet.Compute(data, [1f, 1f, -3f, -2f]).Primary);
        Assert.Contains("line 2", Assert.Throws<ArgumentException>(() => MetricSet.Compute(data, [1f, 1f, float.NaN, -2f])).Message, StringComparison.Ordinal);
        Assert.Contains("needed 2 rows of 2", Assert.Throws<ArgumentException>(() => MetricSet.Compute(data, [1f])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Rows_without_labels_and_the_wrong_kind_are_refused()
    {
        Assert.Contains("row 1 has no label", Assert.Throws<ArgumentException>(() => MetricSet.Compute(TaskDefinition.Sst2, [0, -1], [0, 0])).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => MetricSet.Compute(TaskDefinition.Sst2, [0.5], [0.5]));
        Assert.Throws<ArgumentException>(() => MetricSet.Compute(TaskDefinition.Stsb, [1], [1]));
        Assert.Contains("row 0 has no score", Assert.Throws<ArgumentException>(() => MetricSet.Compute(TaskDefinition.Stsb, [double.NaN, 1], [1.0, 2])).Message, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("SST-2", "accuracy", 0.509)]
    [InlineData("MRPC", "accuracy", 0.684)]
    [InlineData("MRPC", "f1", 0.812)]
    [InlineData("CoLA", "matthews_correlation", 0)]
    [InlineData("STS-B", "pearson", 0)]
    [InlineData("RTE", "accuracy", 0.527)]
    public void The_majority_answer_scores_what_is_published(string task, string metric, double expected)
    {
        string glue = SharedData.Require("glue");
        var definition = TaskDefinition.Find(task);
        var set = MetricSet.MajorityBaseline(GlueReader.Read(definition, glue, "train"), GlueReader.Read(definition, glue, "dev"));
        Assert.Equal(expected, set[metric], 0.0005);
    }
}
