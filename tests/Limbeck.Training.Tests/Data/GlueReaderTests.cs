using Limbeck.TestData;
using Limbeck.Training.Data;

namespace Limbeck.Training.Tests.Data;

/// <summary>GLUE's files: those that are there, and the quirks of those that are not on small files of our own.</summary>
public sealed class GlueReaderTests : IDisposable
{
    private const string QqpHeader = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n";
    private const string MnliTexts = "promptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2";
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [SkippableTheory]
    [InlineData("CoLA", "train", 8551, "2528 6023")]
    [InlineData("CoLA", "dev", 1043, "322 721")]
    [InlineData("CoLA", "test", 1063, null)]
    [InlineData("SST-2", "train", 67349, "29780 37569")]
    [InlineData("SST-2", "dev", 872, "428 444")]
    [InlineData("SST-2", "test", 1821, null)]
    [InlineData("MRPC", "train", 3667, "1194 2473")]
    [InlineData("MRPC", "dev", 408, "129 279")]
    [InlineData("MRPC", "test", 1725, null)]
    [InlineData("STS-B", "train", 5749, "")]
    [InlineData("STS-B", "dev", 1500, "")]
    [InlineData("STS-B", "test", 1379, null)]
    [InlineData("RTE", "train", 2490, "1249 1241")]
    [InlineData("RTE", "dev", 277, "146 131")]
    [InlineData("RTE", "test", 3000, null)]
    [InlineData("WNLI", "train", 635, "323 312")]
    [InlineData("WNLI", "dev", 71, "40 31")]
    [InlineData("WNLI", "test", 146, null)]
    [InlineData("QNLI", "dev", 5463, "2702 2761")]
    [InlineData("QNLI", "test", 5463, null)]
    [InlineData("AX", "test", 1104, null)]
    public void Every_file_has_its_rows_and_labels(string name, string split, int rows, string? counts)
    {
        string glue = SharedData.Require("glue");
        var task = TaskDefinition.Find(name);
        Dataset data = GlueReader.Read(task, glue, split);
        Assert.Equal(rows, data.Examples.Count);
        Assert.Equal(0, data.SkippedRows);
        Assert.Empty(data.Warnings);
        Assert.Equal(counts is not null, data.HasLabels);
        Assert.Equal(counts ?? "", data.HasLabels ? string.Join(" ", data.LabelCounts()) : "");
        Assert.All(data.Examples, e => Assert.Equal(task.IsPair, e.Pair is not null));

        Dataset own = GlueReader.Read(task, Path.Combine(glue, name), split);
        Assert.Equal(data.Sha256, own.Sha256);
        string file = Path.Combine(glue, name, name == "AX" ? "diagnostic.tsv" : split + ".tsv");
        Assert.Equal(data.Sha256, GlueReader.ReadFile(task, file).Sha256);
    }

    [SkippableFact]
    public void The_texts_are_those_of_the_file_cut_at_tabs()
    {
        foreach (string file in Directory.GetFiles(SharedData.Require("glue"), "*.tsv", SearchOption.AllDirectories))
        {
            var task = TaskDefinition.Find(Path.GetFileName(Path.GetDirectoryName(file))!);
            string[][] raw = File.ReadAllText(file).TrimStart('\uFEFF').Split('\n').Where(l => l.Length > 0).Select(l => l.TrimEnd('\r').Split('\t')).ToArray();
            bool test = Path.GetFileName(file) is "test.tsv" or "diagnostic.tsv";
            int header = task.Name == "CoLA" && !test ? 0 : 1;
            int text = (task.Name, test) switch { ("CoLA", false) or ("MRPC", _) => 3, ("SST-2", false) => 0, ("STS-B", _) => 7, _ => 1 };
            Dataset data = GlueReader.ReadFile(task, file);
            Assert.Equal(raw.Skip(header).Select(r => r[text]), data.Examples.Select(e => e.Text));
            Assert.Equal(raw.Skip(header).Select(r => task.IsPair ? r[text + 1] : null), data.Examples.Select(e => e.Pair));
            Assert.Equal(Enumerable.Range(header + 1, data.Examples.Count), data.Examples.Select(e => e.Line));
        }
    }

    [Fact]
    public void QQP_skips_malformed_rows_and_says_how_many()
    {
        folder.Write("QQP/train.tsv", QqpHeader + "1\t2\t3\tHow?\tWhy?\t0\n4\t5\t6\tA \"broken\nrow?\tsecond\t1\n7\t8\t9\tWhere?\tWhere is it?\t1\n");
        Dataset data = GlueReader.Read(TaskDefinition.Qqp, folder.Path, "train");
        Assert.Equal([("How?", "Why?", 0, 2), ("Where?", "Where is it?", 1, 5)], data.Examples.Select(e => (e.Text, e.Pair!, e.Label, e.Line)));
        Assert.Equal(2, data.SkippedRows);
        Assert.Contains("skipped 2 of 4 rows", Assert.Single(data.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void QQP_test_has_no_labels()
    {
        folder.Write("test.tsv", "id\tquestion1\tquestion2\n0\tWhat?\tWho?\n");
        Dataset data = GlueReader.Read(TaskDefinition.Qqp, folder.Path, "test");
        Assert.Equal(new("What?", "Who?", -1, double.NaN, 2), Assert.Single(data.Examples));
    }

    [Theory]
    [InlineData("train", "label1", "neutral")]
    [InlineData("dev_matched", "label1\tlabel2\tlabel3\tlabel4\tlabel5", "neutral\tneutral\tneutral\tneutral\tneutral")]
    [InlineData("dev_mismatched", "label1\tlabel2\tlabel3\tlabel4\tlabel5", "neutral\tneutral\tneutral\tneutral\tneutral")]
    public void MNLI_takes_the_gold_label_that_comes_last(string split, string annotators, string votes)
    {
        const string row = "0\t31193\t31193n\tgovernment\tp1\tp2\tp3\tp4\tConceptually cream.\tProduct and \"geography\".";
        folder.Write($"MNLI/{split}.tsv", $"index\t{MnliTexts}\t{annotators}\tgold_label\n{row}\t{votes}\tentailment\n{row}\t{votes}\tcontradiction\n");
        Dataset data = GlueReader.Read(TaskDefinition.Mnli, folder.Path, split);
        Assert.Equal([1, 0], data.Examples.Select(e => e.Label));
        Assert.Equal(("Conceptually cream.", "Product and \"geography\"."), (data.Examples[0].Text, data.Examples[0].Pair));
        Assert.Equal(split == "dev_matched", TryRead(TaskDefinition.Mnli, "dev"));
    }

    [Fact]
    public void MNLI_test_has_no_labels_and_test_means_the_matched_one()
    {
        folder.Write("MNLI/test_matched.tsv", $"index\t{MnliTexts}\n0\t1\t2\tg\tp\tp\tp\tp\tA.\tB.\n");
        Dataset data = GlueReader.Read(TaskDefinition.Mnli, folder.Path, "test");
        Assert.False(data.HasLabels);
        Assert.Equal(("A.", "B."), (data.Examples[0].Text, data.Examples[0].Pair));
    }

    [Fact]
    public void MNLI_rows_on_which_the_annotators_did_not_agree_are_skipped()
    {
        folder.Write("dev_matched.tsv", $"index\t{MnliTexts}\tlabel1\tgold_label\n0\t1\t2\tg\tp\tp\tp\tp\tA.\tB.\tneutral\t-\n1\t1\t2\tg\tp\tp\tp\tp\tA.\tB.\tneutral\tneutral\n");
        Dataset data = GlueReader.Read(TaskDefinition.Mnli, folder.Path, "dev_matched");
        Assert.Equal((1, 1), (data.Examples.Count, data.SkippedRows));
    }

    [Fact]
    public void STS_B_reads_scores_and_bears_rows_with_more_columns_than_the_header()
    {
        const string header = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2";
        folder.Write("STS-B/test.tsv", header + "\n0\tg\tf\ty\t1\ts\ts\tA plane.\tAn air plane.\textra\n");
        Dataset test = GlueReader.Read(TaskDefinition.Stsb, folder.Path, "test");
        Assert.Equal("An air plane.", test.Examples[0].Pair);
        Assert.Contains("more than 9 fields", Assert.Single(test.Warnings), StringComparison.Ordinal);

        folder.Write("STS-B/train.tsv", header + "\tscore\n0\tg\tf\ty\t1\ts\ts\tA plane.\tAn air plane.\t4.750\n");
        Assert.Equal(4.75, GlueReader.Read(TaskDefinition.Stsb, folder.Path, "train").Examples[0].Score);
    }

    [Theory]
    [InlineData("nan", "is not finite")]
    [InlineData("-Infinity", "is not finite")]
    [InlineData("1e999", "is not finite")]
    [InlineData("four", "is not a number")]
    public void A_score_that_is_no_finite_number_is_refused_with_its_line(string score, string reason)
    {
        string file = folder.Write("s.tsv", $"sentence1\tsentence2\tscore\na\tb\t1.0\na\tb\t{score}\n");
        var e = Assert.Throws<DataException>(() => GlueReader.ReadFile(TaskDefinition.Stsb, file));
        Assert.Equal($"{file}, line 3: score '{score}' {reason}", e.Message);
    }

    [Fact]
    public void CoLA_without_a_header_keeps_its_first_row_and_a_file_of_the_users_with_one_is_read_too()
    {
        folder.Write("CoLA/train_aug.tsv", "gj04\t1\t\tOur friends won't buy.\r\ngj04\t0\t*\tIt \"is.\r\n");
        Dataset data = GlueReader.Read(TaskDefinition.Cola, folder.Path, "train_aug");
        Assert.Equal([("Our friends won't buy.", 1), ("It \"is.", 0)], data.Examples.Select(e => (e.Text, e.Label)));
        string file = folder.Write("own.tsv", "label\ttext\n1\tYes.\n");
        Assert.Equal([("Yes.", 1)], GlueReader.ReadFile(TaskDefinition.Cola, file).Examples.Select(e => (e.Text, e.Label)));
    }

    [Fact]
    public void Only_line_feeds_end_a_row_and_quotes_are_ordinary()
    {
        string file = folder.Write("d.tsv", "sentence\tlabel\r\n\"a\rb\u2028c\u0085d \t1\r\ne \"f\t0\r\n\r\n\n  \n");
        Assert.Equal(["\"a\rb\u2028c\u0085d ", "e \"f"], GlueReader.ReadFile(TaskDefinition.Sst2, file).Examples.Select(e => e.Text));
    }

    [Fact]
    public void A_byte_order_mark_before_the_header_is_dropped()
    {
        string file = folder.Write("MRPC/dev.tsv", "\uFEFFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t1\t2\tA b .\tC d .\n");
        Assert.Equal(1, GlueReader.ReadFile(TaskDefinition.Mrpc, file).Examples[0].Label);
    }

    [Fact]
    public void Labels_of_another_task_are_refused_by_name()
    {
        string file = folder.Write("RTE/train.tsv", "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n1\ta\tb\tneutral\n");
        var e = Assert.Throws<DataException>(() => GlueReader.Read(TaskDefinition.Rte, folder.Path, "train"));
        Assert.Equal($"{file}, line 3: label 'neutral' is not known. The labels are 'entailment', 'not_entailment'", e.Message);
    }

    [Fact]
    public void A_short_row_is_skipped_and_told_of()
    {
        string file = folder.Write("SST-2/train.tsv", "sentence\tlabel\ngood\t1\nbad\n\nfine\t1\n\n");
        Dataset data = GlueReader.Read(TaskDefinition.Sst2, folder.Path, "train");
        Assert.Equal([("good", 2), ("fine", 5)], data.Examples.Select(e => (e.Text, e.Line)));
        Assert.Equal(2, data.SkippedRows);
        Assert.Equal($"{file}: skipped 2 of 4 rows that do not have 2 fields (lines 3, 4)", Assert.Single(data.Warnings));
    }

    [Fact]
    public void A_blank_row_among_texts_alone_is_no_text()
    {
        string file = folder.Write("SST-2/test.tsv", "sentence\ngood\n\nfine\n");
        Dataset data = GlueReader.ReadTexts(TaskDefinition.Sst2, file);
        Assert.Equal(["good", "fine"], data.Examples.Select(e => e.Text));
        Assert.Contains("(line 3)", Assert.Single(data.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void A_row_with_a_field_too_many_is_an_error()
    {
        folder.Write("SST-2/train.tsv", "sentence\tlabel\ngood\t1\nbad\tworse\t0\n");
        var e = Assert.Throws<DataException>(() => GlueReader.Read(TaskDefinition.Sst2, folder.Path, "train"));
        Assert.Contains("line 3: got 3 fields; needed 2", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Texts_are_read_whatever_their_labels_are()
    {
        string hub = folder.Write("hub.jsonl", "{\"sentence\":\"a\",\"label\":-1}\n");
        Assert.Equal(["a"], GlueReader.ReadTexts(TaskDefinition.Cola, hub).Examples.Select(e => e.Text));
        string columns = string.Join('\t', Enumerable.Range(0, 8).Select(i => $"c{i}"));
        string mnli = folder.Write("MNLI/dev_matched.tsv", $"{columns}\tsentence1\tsentence2\tlabel1\tgold_label\n{columns}\ta\tb\tneutral\tneutral\n{columns}\tc\td\tneutral\t-\n");
        Assert.Equal(["a", "c"], GlueReader.ReadTexts(TaskDefinition.Mnli, mnli).Examples.Select(e => e.Text));
        Dataset labelled = GlueReader.ReadFile(TaskDefinition.Mnli, mnli);
        Assert.Equal(["a"], labelled.Examples.Select(e => e.Text));
        Assert.Contains("skipped 1 of 2 rows that have no gold label", Assert.Single(labelled.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void A_header_that_is_not_GLUEs_is_read_by_places_with_a_warning()
    {
        string file = folder.Write("x.tsv", "a\tb\tc\td\te\n1\t7\t8\tOne.\tTwo.\n");
        Dataset data = GlueReader.ReadFile(TaskDefinition.Mrpc, file);
        Assert.Equal(("One.", "Two.", 1), (data.Examples[0].Text, data.Examples[0].Pair, data.Examples[0].Label));
        Assert.Contains("by their places", Assert.Single(data.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_split_names_those_that_are_there()
    {
        folder.Write("QNLI/dev.tsv", "index\tquestion\tsentence\tlabel\n");
        var e = Assert.Throws<DataException>(() => GlueReader.Read(TaskDefinition.Qnli, folder.Path, "train"));
        Assert.Contains("there is no train.tsv for QNLI; the folder has 'dev.tsv'", e.Message, StringComparison.Ordinal);
        e = Assert.Throws<DataException>(() => GlueReader.Read(TaskDefinition.Qnli, folder.Path, "dev"));
        Assert.Contains("a header and no rows", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sst2", "SST-2")]
    [InlineData("SST-2", "SST-2")]
    [InlineData("stsb", "STS-B")]
    [InlineData("sts_b", "STS-B")]
    [InlineData("cola", "CoLA")]
    [InlineData("ax", "AX")]
    public void A_task_is_found_under_every_spelling(string spelling, string name) => Assert.Equal(name, TaskDefinition.Find(spelling).Name);

    [Fact]
    public void An_unknown_task_is_refused_with_the_nearest()
    {
        var e = Assert.Throws<DataException>(() => TaskDefinition.Find("MRCP"));
        Assert.Contains("Did you mean 'MRPC'?", e.Message, StringComparison.Ordinal);
        Assert.Equal(10, TaskDefinition.All.Count);
        Assert.Equal((64, 128), (TaskDefinition.Cola.MaxSequenceLength, TaskDefinition.Rte.MaxSequenceLength));
    }

    private bool TryRead(TaskDefinition task, string split)
    {
        try
        {
            GlueReader.Read(task, folder.Path, split);
            return true;
        }
        catch (DataException)
        {
            return false;
        }
    }
}
