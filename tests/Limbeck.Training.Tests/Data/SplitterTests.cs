using Limbeck.Tensors;
using Limbeck.Training.Data;

namespace Limbeck.Training.Tests.Data;

/// <summary>The split of one file: disjoint, stratified, equal texts together.</summary>
public class SplitterTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Random_data_is_split_into_disjoint_parts_in_proportion_with_equal_texts_together(int seed)
    {
        var random = new SeededRandom((ulong)seed);
        int classes = 2 + random.NextInt(6);
        double fraction = 0.05 + (0.4 * random.NextDouble());
        var task = TaskDefinition.Custom(TaskKind.Classification, false, Enumerable.Range(0, classes).Select(i => $"c{i}").ToArray());
        TextExample[] rows = Enumerable.Range(0, 2000).Select(i =>
        {
            int text = random.NextInt(1500);
            string spelled = random.NextInt(2) == 0 ? $" Text {text}" : $"text {text}\u00A0";
            return new TextExample(spelled, null, text % classes, double.NaN, i + 1);
        }).ToArray();
        var data = new Dataset("d", task, rows);
        (Dataset train, Dataset held) = Splitter.Split(data, fraction, (ulong)seed);

        Assert.Equal(rows, train.Examples.Concat(held.Examples).OrderBy(e => e.Line));
        Assert.Empty(train.Examples.Select(Key).Intersect(held.Examples.Select(Key)));
        for (int c = 0; c < classes; c++)
        {
            // A class misses its share by less than a row of rounding and a group of equal texts.
            Assert.InRange(held.LabelCounts()[c], (fraction * data.LabelCounts()[c]) - 3, (fraction * data.LabelCounts()[c]) + 1);
        }

        (Dataset again, _) = Splitter.Split(data, fraction, (ulong)seed);
        (Dataset other, _) = Splitter.Split(data, fraction, (ulong)seed + 100);
        Assert.Equal(train.Sha256, again.Sha256);
        Assert.NotEqual(train.Sha256, other.Sha256);
    }

    [Fact]
    public void Many_labels_of_few_rows_still_give_the_share_asked_for_and_each_stays_in_training()
    {
        var task = TaskDefinition.Custom(TaskKind.Classification, false, Enumerable.Range(0, 150).Select(i => $"c{i}").ToArray());
        TextExample[] rows = Enumerable.Range(0, 601).Select(i => new TextExample($"t{i}", null, Math.Min(i / 4, 149), double.NaN, i + 1)).ToArray();
        (Dataset train, Dataset held) = Splitter.Split(new("d", task, rows), 0.1, 5);
        Assert.Equal(60, held.Examples.Count);
        Assert.All(train.LabelCounts(), n => Assert.True(n >= 3));
    }

    [Fact]
    public void Scores_are_held_back_from_the_whole_range()
    {
        TextExample[] rows = Enumerable.Range(0, 1000).Select(i => new TextExample($"t{i}", $"p{i % 3}", -1, i * 7 % 1000 / 200.0, i + 1)).ToArray();
        (_, Dataset held) = Splitter.Split(new("d", TaskDefinition.Stsb, rows), 0.1, 9);
        Assert.Equal(100, held.Examples.Count);
        Assert.All(Enumerable.Range(0, 10), b => Assert.Equal(10, held.Examples.Count(e => (int)(e.Score * 2) == b)));
    }

    [Fact]
    public void A_share_outside_0_and_1_unlabelled_rows_and_one_text_are_refused()
    {
        var one = new Dataset("d", TaskDefinition.Sst2, [new("a", null, 1, double.NaN, 1), new("A ", null, 0, double.NaN, 2)]);
        Assert.Throws<ArgumentOutOfRangeException>(() => Splitter.Split(one, 0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Splitter.Split(one, double.NaN, 1));
        Assert.Throws<DataException>(() => Splitter.Split(one, 0.5, 1));
        var bare = new Dataset("d", TaskDefinition.Sst2, [new("a", null, -1, double.NaN, 1)]);
        Assert.Contains("without labels", Assert.Throws<DataException>(() => Splitter.Split(bare, 0.5, 1)).Message, StringComparison.Ordinal);
    }

    private static string Key(TextExample e) => e.Text.Trim().ToUpperInvariant();
}
