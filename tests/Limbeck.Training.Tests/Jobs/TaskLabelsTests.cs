using Limbeck.Models;
using Limbeck.Training.Data;
using Limbeck.Training.Jobs;

namespace Limbeck.Training.Tests.Jobs;

public sealed class TaskLabelsTests
{
    private static readonly BertConfig Plain = new();

    [Fact]
    public void A_model_with_another_order_keeps_it_and_is_matched_by_name()
    {
        BertConfig model = Plain with { Labels = ["neutral", "contradiction", "entailment"] };
        Assert.Equal([1, 2, 0], TaskLabels.Match(model, TaskDefinition.Mnli, "m"));
    }

    [Fact]
    public void Case_does_not_matter()
    {
        BertConfig model = Plain with { Labels = ["NOT_ENTAILMENT", "ENTAILMENT"] };
        Assert.Equal([1, 0], TaskLabels.Match(model, TaskDefinition.Rte, "m"));
    }

    [Fact]
    public void The_hubs_names_of_numbered_classes_are_known()
    {
        Assert.Equal([1, 0], TaskLabels.Match(Plain with { Labels = ["positive", "negative"] }, TaskDefinition.Sst2, "m"));
        Assert.Equal([0, 1], TaskLabels.Match(Plain with { Labels = ["not_equivalent", "equivalent"] }, TaskDefinition.Mrpc, "m"));
        Assert.Equal([0, 1], TaskLabels.Match(Plain with { Labels = ["unacceptable", "acceptable"] }, TaskDefinition.Cola, "m"));
        Assert.Equal([1, 0], TaskLabels.Match(Plain with { Labels = ["duplicate", "not_duplicate"] }, TaskDefinition.Qqp, "m"));
    }

    [Fact]
    public void Nameless_labels_go_by_position_only_where_the_task_has_numbers_too()
    {
        BertConfig model = Plain with { Labels = BertConfig.DefaultLabels(2) };
        Assert.Equal([0, 1], TaskLabels.Match(model, TaskDefinition.Mrpc, "m"));
        UsageException refused = Assert.Throws<UsageException>(() => TaskLabels.Match(model, TaskDefinition.Rte, "teacher"));
        Assert.Contains("'LABEL_0', 'LABEL_1'", refused.Message, StringComparison.Ordinal);
        Assert.Contains("'entailment', 'not_entailment'", refused.Message, StringComparison.Ordinal);
        Assert.Contains("teacher", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("yes", "no")]
    [InlineData("entailment", "entailed")]
    public void Other_names_are_refused(string first, string second) =>
        Assert.Throws<UsageException>(() => TaskLabels.Match(Plain with { Labels = [first, second] }, TaskDefinition.Rte, "m"));

    [Fact]
    public void A_model_of_three_labels_is_refused_for_a_task_of_two() =>
        Assert.Throws<UsageException>(() => TaskLabels.Match(Plain with { Labels = ["contradiction", "entailment", "neutral"] }, TaskDefinition.Rte, "m"));

    [Fact]
    public void A_number_and_a_label_do_not_match()
    {
        BertConfig number = Plain with { Labels = ["LABEL_0"], ProblemType = "regression" };
        Assert.Equal([0], TaskLabels.Match(number, TaskDefinition.Stsb, "m"));
        Assert.Throws<UsageException>(() => TaskLabels.Match(number, TaskDefinition.Mrpc, "m"));
        Assert.Throws<UsageException>(() => TaskLabels.Match(Plain with { Labels = ["0", "1"] }, TaskDefinition.Stsb, "m"));
    }

    [Fact]
    public void Rows_in_a_models_order_keep_their_names()
    {
        Dataset data = TinyWorld.Data(30, 1);
        string[] reversed = ["positive", "negative"];
        Dataset ordered = TaskLabels.InOrderOf(data, TaskLabels.TryMatch(reversed, data.Task)!, reversed);
        Assert.Equal(
            data.Examples.Select(example => data.Task.Labels[example.Label]),
            ordered.Examples.Select(example => ordered.Task.Labels[example.Label]));
        Assert.Equal(data.Sha256, ordered.Sha256);
    }
}
