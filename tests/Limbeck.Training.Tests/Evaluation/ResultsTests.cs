using Limbeck.Training.Data;
using Limbeck.Training.Evaluation;
using Limbeck.Training.Metrics;

namespace Limbeck.Training.Tests.Evaluation;

public sealed class ResultsTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("limbeck-test-").FullName;

    private ResultsFile File => new(Path.Combine(folder, "results", "main.jsonl"));

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void A_line_reads_back_as_it_was_written()
    {
        ResultLine line = Line("tinybert", "MRPC", 3, ("f1", 0.853), ("accuracy", 0.784)) with
        {
            Steps = 460,
            Seconds = 61.4,
            Command = "limbeck compress --task MRPC --seed 3",
            Gold = "c:0110",
            Predictions = "c:0111",
        };
        Assert.True(File.Append(line));
        ResultLine read = Assert.Single(File.Read());
        Assert.Equal(line.ToJson(), read.ToJson());
        Assert.Equal(
            "{\"cell\":\"main/small/tinybert/MRPC/3\",\"table\":\"main\",\"model\":\"small\",\"method\":\"tinybert\",\"task\":\"MRPC\",\"seed\":3,"
            + "\"metrics\":{\"accuracy\":0.784,\"f1\":0.853},\"majority\":{\"accuracy\":0.684,\"f1\":0.812},\"steps\":460,\"seconds\":61.4,"
            + "\"command\":\"limbeck compress --task MRPC --seed 3\",\"gold\":\"c:0110\",\"predictions\":\"c:0111\"}",
            line.ToJson());
    }

    [Fact]
    public void A_cell_is_there_once()
    {
        ResultLine line = Line("tinybert", "RTE", 1, ("accuracy", 0.6));
        Assert.False(File.Contains(line.Cell));
        Assert.True(File.Append(line));
        Assert.False(File.Append(line with { Metrics = new Dictionary<string, double> { ["accuracy"] = 0.9 } }));
        Assert.True(File.Contains(line.Cell));
        Assert.Equal(0.6, Assert.Single(File.Read()).Metrics["accuracy"]);
    }

    [Fact]
    public void A_torn_last_line_is_passed_over_and_cut_off_by_the_next()
    {
        File.Append(Line("tinybert", "RTE", 1, ("accuracy", 0.6)));
        System.IO.File.AppendAllText(File.FilePath, "{\"cell\":\"main/small/tiny");
        Assert.Single(File.Read());
        Assert.True(File.Append(Line("tinybert", "RTE", 2, ("accuracy", 0.7))));
        Assert.Equal([1L, 2L], File.Read().Select(line => line.Seed));
    }

    [Fact]
    public void A_damaged_line_is_named_with_its_number()
    {
        File.Append(Line("tinybert", "RTE", 1, ("accuracy", 0.6)));
        System.IO.File.AppendAllText(File.FilePath, "{\"cell\":\"x\"}\n");
        Assert.Contains("main.jsonl:2:", Assert.Throws<InvalidDataException>(() => File.Read()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Writers_at_the_same_time_lose_nothing_and_double_nothing()
    {
        Parallel.For(0, 24, new ParallelOptions { MaxDegreeOfParallelism = 4 }, n => File.Append(Line("tinybert", "RTE", n / 2, ("accuracy", n / 24.0))));
        Assert.Equal(Enumerable.Range(0, 12).Select(n => (long)n), File.Read().Select(line => line.Seed).Order());
    }

    [Fact]
    public void Values_pack_and_unpack()
    {
        Assert.Equal("c:01az", CompactValues.OfClasses([0, 1, 10, 35]));
        Assert.Equal([0, 1, 10, 35], CompactValues.Parse("c:01az"));
        Assert.Equal("r:2.5,-0.1235,0", CompactValues.OfNumbers([2.5f, -0.12345f, 0]));
        Assert.Equal([2.5, -0.1235, 0], CompactValues.Parse("r:2.5,-0.1235,0"));
        Assert.Empty(CompactValues.Parse("r:"));
        Assert.Throws<ArgumentOutOfRangeException>(() => CompactValues.OfClasses([36]));
        Assert.Throws<InvalidDataException>(() => CompactValues.Parse("c:0A"));
        Assert.Throws<InvalidDataException>(() => CompactValues.Parse("r:1,x"));
        Assert.Throws<InvalidDataException>(() => CompactValues.Parse("0101"));
    }

    [Fact]
    public void Each_task_counts_with_its_own_score()
    {
        Dictionary<string, double> metrics = new() { ["accuracy"] = 0.5, ["f1"] = 0.7, ["MCC"] = 0.3, ["pearson"] = 0.8, ["spearman"] = 0.6 };
        Assert.Equal(0.3, TaskScore.Of("CoLA", metrics));
        Assert.Equal(0.6, TaskScore.Of("MRPC", metrics), 1e-12);
        Assert.Equal(0.7, TaskScore.Of("STS-B", metrics), 1e-12);
        Assert.Equal(0.5, TaskScore.Of("SST-2", metrics));
        Assert.Contains("'pearson'", Assert.Throws<InvalidDataException>(() => TaskScore.Of("STS-B", new Dictionary<string, double> { ["accuracy"] = 1 })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_bootstrap_interval_holds_the_difference_and_is_the_same_each_time()
    {
        double[] gold = new double[400], good = new double[400], bad = new double[400];
        for (int i = 0; i < gold.Length; i++)
        {
            gold[i] = i % 2;
            good[i] = i % 10 == 0 ? 1 - gold[i] : gold[i];
            bad[i] = i % 5 == 0 ? 1 - gold[i] : gold[i];
        }

        (double low, double high) = PairedBootstrap.OverSeeds(TaskDefinition.Rte, gold, [(good, bad)], 1);

        // The difference is a share of 40 rows of 400 where only the good one is right: 0.1 with a standard error of 0.015.
        Assert.InRange(low, 0.05, 0.085);
        Assert.InRange(high, 0.115, 0.15);
        Assert.Equal((low, high), PairedBootstrap.OverSeeds(TaskDefinition.Rte, gold, [(good, bad)], 1));
        Assert.Equal((0, 0), PairedBootstrap.OverSeeds(TaskDefinition.Rte, gold, [(good, good), (bad, bad)], 1));
        Assert.Throws<ArgumentException>(() => PairedBootstrap.OverSeeds(TaskDefinition.Rte, gold, [(good, [1])], 1));
    }

    [Fact]
    public void A_page_follows_the_scoring_rule()
    {
        List<ResultLine> lines = [];
        void Add(string method, int seeds, double cola, double sst, double mrpc, double sts, double rte)
        {
            for (int seed = 1; seed <= seeds; seed++)
            {
                double off = (seed - ((seeds + 1) / 2.0)) / 100;
                lines.Add(Line(method, "CoLA", seed, ("matthews", cola + off)));
                lines.Add(Line(method, "SST-2", seed, ("accuracy", sst + off)));
                lines.Add(Line(method, "MRPC", seed, ("f1", mrpc + 0.02 + off), ("accuracy", mrpc - 0.02 + off)));
                lines.Add(Line(method, "STS-B", seed, ("pearson", sts + 0.01 + off), ("spearman", sts - 0.01 + off)));
                lines.Add(Line(method, "RTE", seed, ("accuracy", rte + off)));
            }
        }

        Add("teacher", 1, 0.30, 0.90, 0.82, 0.86, 0.57);
        Add("alone", 3, 0.10, 0.80, 0.75, 0.40, 0.53);
        Add("tinybert", 3, 0.15, 0.85, 0.77, 0.70, 0.55);
        string page = ResultsPage.Render(lines);
        Assert.Equal(
            """
            ## main

            Scores x 100, mean ± deviation over seeds (number of seeds where more than one).

            | model | method | CoLA | SST-2 | MRPC | STS-B | RTE | macro | retention | retention without RTE |
            |---|---|---:|---:|---:|---:|---:|---:|---:|---:|
            | small | teacher | 30.0 | 90.0 | 82.0 | 86.0 | 57.0 | 69.0 | 100.0 % | 100.0 % |
            | small | alone | 10.0 ± 1.0 (3) | 80.0 ± 1.0 (3) | 75.0 ± 1.0 (3) | 40.0 ± 1.0 (3) | 53.0 ± 1.0 (3) | 51.6 ± 1.0 | 74.8 % | 71.2 % |
            | small | tinybert | 15.0 ± 1.0 (3) | 85.0 ± 1.0 (3) | 77.0 ± 1.0 (3) | 70.0 ± 1.0 (3) | 55.0 ± 1.0 (3) | 60.4 ± 1.0 | 87.5 % | 85.8 % |
            | majority |  | 0.0 | 50.9 | 74.8 | 0.0 | 52.7 | 35.7 | 51.7 % | – |

            (row - majority) / (teacher - majority), in percent.

            | model | method | CoLA | SST-2 | MRPC | STS-B | RTE |
            |---|---|---:|---:|---:|---:|---:|
            | small | alone | 33.3 % | 74.4 % | 2.8 % | 46.5 % | 7.0 % |
            | small | tinybert | 50.0 % | 87.2 % | 30.6 % | 81.4 % | 53.5 % |

            Gain over the same model trained alone, in points: mean over the seeds that both have, standard error over seeds, 95 % interval of the paired bootstrap over dev rows.

            | model | method | against | task | seeds | gain | standard error | gain / error | interval |
            |---|---|---|---|---:|---:|---:|---:|---:|
            | small | tinybert | alone | CoLA | 3 | +5.0 | 0.0 | GAIN | – |
            | small | tinybert | alone | SST-2 | 3 | +5.0 | 0.0 | GAIN | – |
            | small | tinybert | alone | MRPC | 3 | +2.0 | 0.0 | GAIN | – |
            | small | tinybert | alone | STS-B | 3 | +30.0 | 0.0 | GAIN | – |
            | small | tinybert | alone | RTE | 3 | +2.0 | 0.0 | GAIN | – |


            """.ReplaceLineEndings("\n"),
            System.Text.RegularExpressions.Regex.Replace(page, @"\| 0\.0 \| [^|]+ \| –", "| 0.0 | GAIN | –"));
    }

    [Fact]
    public void Gains_come_with_error_and_interval_where_predictions_are_kept()
    {
        string gold = "c:" + string.Concat(Enumerable.Repeat("0110100110", 30));
        string good = "c:" + string.Concat(Enumerable.Repeat("0110100111", 30));
        string bad = "c:" + string.Concat(Enumerable.Repeat("0110111111", 30));
        List<ResultLine> lines = [];
        for (int seed = 1; seed <= 2; seed++)
        {
            lines.Add(Line("alone", "RTE", seed, ("accuracy", 0.70 - (seed / 100.0))) with { Gold = gold, Predictions = bad });
            lines.Add(Line("tinybert", "RTE", seed, ("accuracy", 0.90)) with { Gold = gold, Predictions = good });
        }

        string row = ResultsPage.Render(lines).Split('\n').Single(line => line.StartsWith("| small | tinybert | alone | RTE |", StringComparison.Ordinal));
        Assert.Matches(@"^\| small \| tinybert \| alone \| RTE \| 2 \| \+21\.5 \| 0\.5 \| 43\.0 \| \+\d\d\.\d to \+\d\d\.\d \|$", row);
    }

    [Fact]
    public void A_variant_is_held_against_its_own_kind_trained_alone_or_else_the_first()
    {
        string page = ResultsPage.Render(
        [
            Line("alone, init pca", "RTE", 1, ("accuracy", 0.5)), Line("alone, init slices", "RTE", 1, ("accuracy", 0.6)),
            Line("tinybert, init slices, augmented", "RTE", 1, ("accuracy", 0.7)), Line("tinybert, general", "RTE", 1, ("accuracy", 0.8)),
            Line("alone (lines)", "RTE", 1, ("accuracy", 0.9)),
        ]);
        Assert.DoesNotContain("| alone (lines) | alone", page, StringComparison.Ordinal);
        Assert.Contains("| small | tinybert, init slices, augmented | alone, init slices | RTE | 1 | +10.0 |", page, StringComparison.Ordinal);
        Assert.Contains("| small | tinybert, general | alone, init pca | RTE | 1 | +30.0 |", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_tasks_leave_the_macro_open_and_tasks_of_ones_own_have_no_macro()
    {
        string page = ResultsPage.Render([Line("teacher", "SST-2", 1, ("accuracy", 0.9)), Line("tinybert", "SST-2", 1, ("accuracy", 0.8))]);
        Assert.Contains("| small | tinybert | 80.0 | – | – | – |", page, StringComparison.Ordinal);
        string own = ResultsPage.Render([Line("tinybert", "mails", 1, ("accuracy", 0.8))]);
        Assert.Contains("| model | method | mails |\n", own, StringComparison.Ordinal);
        Assert.Equal("", ResultsPage.Render([]));
    }

    [Fact]
    public void A_table_with_two_teachers_is_refused()
    {
        ResultLine line = Line("teacher", "RTE", 1, ("accuracy", 0.8));
        Assert.Contains("small, large", Assert.Throws<InvalidDataException>(() => ResultsPage.Render([line, line with { Model = "large" }])).Message, StringComparison.Ordinal);
    }

    private static ResultLine Line(string method, string task, long seed, params (string Name, double Value)[] metrics) => new()
    {
        Cell = $"main/small/{method}/{task}/{seed}",
        Table = "main",
        Model = "small",
        Method = method,
        Task = task,
        Seed = seed,
        Metrics = metrics.ToDictionary(metric => metric.Name, metric => metric.Value),
        Majority = task switch
        {
            "CoLA" => new Dictionary<string, double> { ["matthews"] = 0 },
            "STS-B" => new Dictionary<string, double> { ["pearson"] = 0, ["spearman"] = 0 },
            "MRPC" => new Dictionary<string, double> { ["f1"] = 0.812, ["accuracy"] = 0.684 },
            _ => new Dictionary<string, double> { ["accuracy"] = task == "SST-2" ? 0.509 : 0.527 },
        },
    };
}
