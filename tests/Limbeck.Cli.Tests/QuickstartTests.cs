using Limbeck.Cli.Quickstart;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;
using Limbeck.Tokenization;
using Limbeck.Training.Jobs;
using Limbeck.Training.Loop;

namespace Limbeck.Cli.Tests;

public sealed class QuickstartTests
{
    private const ulong Seed = 11;

    [Fact]
    public void Reviews_are_a_pure_function_of_the_seed_and_of_both_kinds()
    {
        (string Text, bool Positive)[] first = Reviews(2000);
        Assert.Equal(first, Reviews(2000));
        Assert.InRange(first.Count(review => review.Positive), 900, 1100);
        Assert.True(first.Select(review => review.Text).Distinct().Count() > 1700);
    }

    [Fact]
    public void Every_word_of_a_review_is_in_the_vocabulary()
    {
        BertTokenizer tokenizer = BertTokenizer.FromVocabulary([.. ReviewGenerator.Vocabulary]);
        foreach ((string text, _) in Reviews(3000))
        {
            Assert.Equal(text.Split(' ').Length, tokenizer.Tokenize(text).Length);
            Assert.DoesNotContain(tokenizer.UnknownId, tokenizer.Tokenize(text));
        }
    }

    [Fact]
    public void Counting_good_and_bad_words_is_not_enough()
    {
        string[] good = ["good", "great", "fine", "lovely", "superb", "loved", "liked", "enjoyed", "excellent", "wonderful", "perfect", "fresh", "warm"];
        string[] bad = ["bad", "poor", "awful", "dull", "terrible", "hated", "disliked", "boring", "dreadful", "stale", "rude", "cold", "dirty"];
        (string Text, bool Positive)[] sure = [.. Reviews(4000).Where(review => Balance(review.Text) != 0)];
        double right = sure.Count(review => Balance(review.Text) > 0 == review.Positive) / (double)sure.Length;
        Assert.InRange(right, 0.5, 0.8);

        int Balance(string text) => text.Split(' ').Sum(word => good.Contains(word) ? 1 : bad.Contains(word) ? -1 : 0);
    }

    [Fact]
    public void The_whole_quickstart_runs_at_a_toys_size()
    {
        string folder = Directory.CreateTempSubdirectory("limbeck-quickstart-").FullName;
        try
        {
            using StringWriter messages = new();
            QuickstartPlan plan = new()
            {
                TrainRows = 96,
                TestRows = 32,
                TeacherEpochs = 1,
                IntermediateEpochs = 1,
                PredictionEpochs = 1,
                Student = "1/8/2/16",
                Teacher = new BertConfig { LayerCount = 2, HiddenSize = 16, HeadCount = 2, IntermediateSize = 32, MaxPositions = 64 },
            };
            JobContext context = new(messages, new ProgressDisplay(messages, terminal: false), WorkerTeam.Default, CancellationToken.None);
            IReadOnlyList<QuickstartJob.Row> rows = new QuickstartJob(plan, folder, Seed, context).Run();
            Assert.Equal(["teacher", "student alone", "distilled student"], rows.Select(row => row.Name));
            Assert.Equal(rows[1].Report.Steps, rows[2].Report.Steps);
            Assert.All(rows, row => Assert.True(row is { Milliseconds: > 0, Bytes: > 0, Report.Metrics: not null }));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static (string Text, bool Positive)[] Reviews(int count)
    {
        ReviewGenerator generator = new(new SeededRandom(Seed));
        return [.. Enumerable.Range(0, count).Select(_ => generator.Next())];
    }
}
