using System.IO.Compression;
using System.Text;
using Limbeck.Training.Data;

namespace Limbeck.Training.Tests.Data;

/// <summary>The user's own files: formats, columns, labels, and what is wrong with them.</summary>
public sealed class TableReaderTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("a.tsv", "text\tlabel\ngood film\tpos\nbad film\tneg\nso so\tmeh\n")]
    [InlineData("a.csv", "label,text\npos,good film\n\"neg\",\"bad film\"\r\nmeh,so so")]
    [InlineData("a.jsonl", "{\"text\": \"good film\", \"label\": \"pos\"}\n{\"label\": \"neg\", \"text\": \"bad film\", \"id\": [1]}\n\n{\"text\": \"so so\", \"label\": \"meh\"}\n")]
    [InlineData("a.txt", "text,label\ngood film,pos\nbad film,neg\nso so,meh\n")]
    public void The_same_rows_come_from_every_format(string name, string content)
    {
        Dataset data = TableReader.Read(folder.Write(name, content));
        Assert.Equal(["meh", "neg", "pos"], data.Task.Labels);
        Assert.Equal([("good film", 2), ("bad film", 1), ("so so", 0)], data.Examples.Select(e => (e.Text, e.Label)));
        Assert.Equal((TaskKind.Classification, false), (data.Task.Kind, data.Task.IsPair));
        Dataset other = TableReader.Read(folder.Write("b.tsv", "label\tsentence\npos\tgood film\nneg\tbad film\nmeh\tso so\n"));
        Assert.Equal(other.Sha256, data.Sha256);
    }

    [Fact]
    public void CSV_has_quotes_separators_and_line_ends_inside_quotes()
    {
        string file = folder.Write("q.csv", "text,label\r\n\"a, \"\"b\"\"\r\nc\n\nd\",x\r\n\"\"\"\",y\r\nin \"the\" middle,x\r\n");
        Dataset data = TableReader.Read(file);
        Assert.Equal([("a, \"b\"\r\nc\n\nd", 2), ("\"", 6), ("in \"the\" middle", 7)], data.Examples.Select(e => (e.Text, e.Line)));
    }

    [Theory]
    [InlineData("text,label\na,x\n\"b,y\nc,x\n", "line 3: a quoted field that starts here is never closed")]
    [InlineData("text,label\n\"a\"b,x\n", "line 2: a quoted field is followed by 'b'")]
    [InlineData("text,label\na,b,x\n", "line 2: got 3 fields; needed 2; a text with the separator in it must be quoted")]
    [InlineData("text,label\na\n", "line 2: got 1 field; needed 2")]
    [InlineData("text,label\n ,x\n", "line 2: column 'text' is empty")]
    [InlineData("text,label\na,\n", "line 2: column 'label' is empty")]
    [InlineData("", "the file is empty")]
    [InlineData("\n\n", "the file is empty")]
    [InlineData("text,label\n", "a header and no rows")]
    [InlineData("texts,label\na,b\n", "there is no column for the text: needed 'sentence1' or 'sentence' or 'text' or 'text1'; the columns are 'texts', 'label'")]
    [InlineData("text;label\na;b\n", "the first line has a ';': is that what separates the columns?")]
    [InlineData("text,class\na,b\n", "there is no column for the label")]
    [InlineData("text,label,label\na,b,c\n", "there are two columns 'label'")]
    public void A_bad_CSV_says_line_and_reason(string content, string message)
    {
        string file = folder.Write("bad.csv", content);
        var e = Assert.Throws<DataException>(() => TableReader.Read(file));
        Assert.StartsWith(file, e.Message, StringComparison.Ordinal);
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"text\": \"a\", \"label\": 1}\n{\"text\": \"a\"\n", "line 2: not a JSON object on one line")]
    [InlineData("[{\"text\": \"a\"}]\n", "line 1: got a JSON array; needed one object a line")]
    [InlineData("{\"text\": \"a\", \"label\": 1}\n{\"text\": \"b\"}\n", "line 2: column 'label' is missing")]
    [InlineData("{\"text\": [\"a\"], \"label\": 1}\n", "line 1: column 'text' is missing, null, or neither text nor number")]
    [InlineData("{\"text\": \"\\ud800\", \"label\": 1}\n", "line 1: a string has half of a surrogate pair")]
    public void Bad_JSON_lines_say_line_and_reason(string content, string message)
    {
        var e = Assert.Throws<DataException>(() => TableReader.Read(folder.Write("bad.jsonl", content)));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void JSON_labels_may_be_numbers_or_truth_values()
    {
        Assert.Equal(["0", "1"], TableReader.Read(folder.Write("n.jsonl", "{\"text\":\"a\",\"label\":1}\n{\"text\":\"b\",\"label\":0}\n")).Task.Labels);
        Assert.Equal(["false", "true"], TableReader.Read(folder.Write("t.jsonl", "{\"text\":\"a\",\"label\":true}\n{\"text\":\"b\",\"label\":false}\n")).Task.Labels);
        Assert.Equal(TaskKind.Regression, TableReader.Read(folder.Write("r.jsonl", "{\"text\":\"a\",\"label\":1}\n{\"text\":\"b\",\"label\":0.5}\n")).Task.Kind);
    }

    [Fact]
    public void Whole_labels_are_sorted_by_value_and_others_by_code_unit()
    {
        string file = folder.Write("n.tsv", "text\tlabel\na\t10\nb\t9\nc\t-1\n");
        Assert.Equal(["-1", "9", "10"], TableReader.Read(file).Task.Labels);
        file = folder.Write("m.tsv", "text\tlabel\na\tb\nb\t10\nc\tB\nd\t9\n");
        Assert.Equal(["10", "9", "B", "b"], TableReader.Read(file).Task.Labels);
    }

    [Fact]
    public void Numbers_that_are_not_whole_make_a_regression_unless_told_otherwise()
    {
        string file = folder.Write("r.csv", "sentence1,sentence2,score\na,b,1\nc,d,2.5\n");
        Dataset data = TableReader.Read(file);
        Assert.Equal((TaskKind.Regression, true), (data.Task.Kind, data.Task.IsPair));
        Assert.Equal([1, 2.5], data.Examples.Select(e => e.Score));
        Assert.Equal(1, data.Task.OutputSize);
        string versions = folder.Write("v.csv", "text,label\na,1.5\nb,2.5\n");
        Assert.Equal(["1.5", "2.5"], TableReader.Read(versions, new() { Regression = false }).Task.Labels);
        string whole = folder.Write("w.csv", "text,label\na,1\nb,2\n");
        Assert.Equal(TaskKind.Classification, TableReader.Read(whole).Task.Kind);
        Assert.Equal(2, TableReader.Read(whole, new() { Regression = true }).Examples[1].Score);
        var e = Assert.Throws<DataException>(() => TableReader.Read(folder.Write("nan.csv", "text,label\na,1.5\nb,nan\n")));
        Assert.Contains("line 3: score 'nan' is not finite", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_later_file_must_use_the_training_files_labels()
    {
        Dataset train = TableReader.Read(folder.Write("train.tsv", "text\tlabel\na\tspam\nb\tham\nc\teggs\n"));
        string dev = folder.Write("dev.tsv", "text\tlabel\na\tspam\nb\tSpam\n");
        var e = Assert.Throws<DataException>(() => TableReader.ReadAs(train.Task, dev));
        Assert.Equal($"{dev}, line 3: label 'Spam' is not known. Did you mean 'spam'? The labels are 'eggs', 'ham', 'spam'", e.Message);
        string subset = folder.Write("subset.tsv", "text\tlabel\na\tspam\n");
        Assert.Equal(2, TableReader.ReadAs(train.Task, subset).Examples[0].Label);
        Assert.Equal(["spam", "ham"], TableReader.Read(subset, null, ["spam", "ham"]).Task.Labels);
        Assert.Equal(0, TableReader.Read(subset, null, ["spam", "ham"]).Examples[0].Label);
    }

    [Fact]
    public void Columns_can_be_named_and_a_wrong_name_is_answered_with_those_there()
    {
        string file = folder.Write("c.csv", "premise|hypothesis|verdict\na|b|x\nc|d|y\n");
        TableOptions options = new() { TextColumn = "premise", PairColumn = "hypothesis", LabelColumn = "Verdict", Delimiter = '|' };
        Assert.Equal([("a", "b"), ("c", "d")], TableReader.Read(file, options).Examples.Select(e => (e.Text, e.Pair!)));
        Assert.False(TableReader.Read(file, options with { PairColumn = null }).Task.IsPair);
        var e = Assert.Throws<DataException>(() => TableReader.Read(file, options with { PairColumn = "hypotesis" }));
        Assert.Contains("no column 'hypotesis' for the pair. Did you mean 'hypothesis'? The columns are 'premise', 'hypothesis', 'verdict'", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_for_a_task_of_pairs_needs_pairs_and_the_other_way_round()
    {
        string single = folder.Write("s.tsv", "text\tlabel\na\t1\n");
        Assert.Contains("no column for the second text", Assert.Throws<DataException>(() => TableReader.ReadAs(TaskDefinition.Mrpc, single)).Message, StringComparison.Ordinal);
        string pair = folder.Write("p.tsv", "text\tpair\tlabel\na\tb\t1\n");
        Assert.Null(TableReader.ReadAs(TaskDefinition.Sst2, pair).Examples[0].Pair);
        Assert.Contains("takes one text", Assert.Throws<DataException>(() => TableReader.ReadAs(TaskDefinition.Sst2, pair, new() { PairColumn = "pair" })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_without_labels_is_read_when_none_are_needed()
    {
        string file = folder.Write("u.csv", "text\na\nb\n");
        Dataset data = TableReader.Read(file, new() { RequireLabels = false }, ["x", "y"]);
        Assert.Equal([-1, -1], data.Examples.Select(e => e.Label));
        Assert.False(data.HasLabels);
        Assert.Contains("no column of labels", Assert.Throws<DataException>(() => TableReader.Read(file, new() { RequireLabels = false })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void All_faults_come_at_once_up_to_twenty_and_a_count()
    {
        string rows = string.Concat(Enumerable.Range(0, 30).Select(i => i % 2 == 0 ? "one field\n" : "a\tfine\n"));
        string file = folder.Write("f.tsv", "text\tlabel\n" + rows + "\nx\tbad\n" + string.Concat(Enumerable.Repeat("y\tworse\n", 10)));
        var e = Assert.Throws<DataException>(() => TableReader.Read(file, null, ["fine"]));
        Assert.Contains("27 bad rows", e.Message, StringComparison.Ordinal);
        Assert.Contains("\n  line 2: got 1 field; needed 2\n  line 4: ", e.Message, StringComparison.Ordinal);
        Assert.Contains("line 32: the line is blank", e.Message, StringComparison.Ordinal);
        Assert.EndsWith("and 7 more", e.Message, StringComparison.Ordinal);
        Assert.Equal(22, e.Message.Split('\n').Length);
    }

    [Fact]
    public void A_byte_that_is_not_UTF8_is_refused_with_line_and_place()
    {
        byte[] bytes = [.. "text\tlabel\nfine\t1\ncaf"u8, 0xE9, .. "\t0\n"u8];
        string file = folder.Write("latin.tsv", bytes);
        var e = Assert.Throws<DataException>(() => TableReader.Read(file));
        Assert.Equal($"{file}, line 3: byte 0xE9 at position 4 of the line is not UTF-8; save the file as UTF-8", e.Message);
        string wide = folder.Write("wide.tsv", [0xFF, 0xFE, .. Encoding.Unicode.GetBytes("text\tlabel\n")]);
        Assert.Contains("UTF-16", Assert.Throws<DataException>(() => TableReader.Read(wide)).Message, StringComparison.Ordinal);
        byte[] cut = [.. "text\tlabel\nfine\t1\ncaf\t"u8, 0xC3];
        Assert.Contains("line 3: byte 0xC3", Assert.Throws<DataException>(() => TableReader.Read(folder.Write("cut.tsv", cut))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_byte_order_mark_is_dropped_in_every_format()
    {
        Assert.Equal("a", TableReader.Read(folder.Write("b.tsv", "\uFEFFtext\tlabel\na\t1\n")).Examples[0].Text);
        Assert.Equal("a", TableReader.Read(folder.Write("b.csv", "\uFEFF\"text\",label\na,1\n")).Examples[0].Text);
        Assert.Equal("a", TableReader.Read(folder.Write("b.jsonl", "\uFEFF{\"text\":\"a\",\"label\":1}")).Examples[0].Text);
    }

    [Fact]
    public void Lines_longer_than_the_buffer_and_packed_files_are_read()
    {
        string text = string.Concat(Enumerable.Repeat("größer ", 40_000));
        byte[] content = Encoding.UTF8.GetBytes($"text\tlabel\n{text}\t1\nshort\t0\n");
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, true))
        {
            gzip.Write(content);
        }

        Dataset data = TableReader.Read(folder.Write("l.tsv.gz", packed.ToArray()));
        Assert.Equal([text, "short"], data.Examples.Select(e => e.Text));
        string damaged = folder.Write("d.tsv.gz", "not packed");
        Assert.Contains("cannot be read to its end", Assert.Throws<DataException>(() => TableReader.Read(damaged)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_users_tab_separated_file_has_no_quoting()
    {
        Dataset data = TableReader.Read(folder.Write("q.tsv", "text\tlabel\n\"quoted\"\tx\n\"open\ty\n"));
        Assert.Equal(["\"quoted\"", "\"open"], data.Examples.Select(e => e.Text));
    }

    [Fact]
    public void A_file_that_is_not_there_or_is_a_folder_is_named()
    {
        Assert.Contains("no such file", Assert.Throws<DataException>(() => TableReader.Read(Path.Combine(folder.Path, "none.tsv"))).Message, StringComparison.Ordinal);
        Assert.Contains("is a folder", Assert.Throws<DataException>(() => TableReader.Read(folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_column_that_can_hardly_be_labels_gives_a_warning()
    {
        string rows = string.Concat(Enumerable.Range(0, 50).Select(i => $"t{i}\tl{i}\n"));
        Assert.Contains("50 different labels", Assert.Single(TableReader.Read(folder.Write("w.tsv", "text\tlabel\n" + rows)).Warnings), StringComparison.Ordinal);
        Assert.Contains("same label 'x'", Assert.Single(TableReader.Read(folder.Write("o.tsv", "text\tlabel\na\tx\n")).Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void The_hash_changes_with_texts_pairs_and_labels_and_not_with_the_place_of_a_cut()
    {
        static string Hash(string text, string pair, int label) => new Dataset("d", TaskDefinition.Rte, [new(text, pair, label, double.NaN, 1)]).Sha256;
        string[] hashes = [Hash("ab", "c", 0), Hash("a", "bc", 0), Hash("ab", "c", 1), Hash("ab", "c", -1), Hash("ab", "d", 0)];
        Assert.Equal(hashes.Length, hashes.Distinct().Count());
        Assert.Equal(64, hashes[0].Length);
    }

    [Theory]
    [InlineData("t.txt", "one text\n\n two \r\nthree")]
    [InlineData("t.tsv", "text\tlabel\none text\tunknown\n two \t7\nthree\tx\n")]
    [InlineData("t.jsonl", "{\"sentence\":\"one text\"}\n{\"sentence\":\" two \"}\n{\"sentence\":\"three\"}\n")]
    public void Unlabelled_texts_come_from_lines_and_from_tables(string name, string content)
    {
        Dataset data = TextLines.Read(folder.Write(name, content), TaskDefinition.Sst2);
        Assert.Equal(["one text", " two ", "three"], data.Examples.Select(e => e.Text));
        Assert.False(data.HasLabels);
    }

    [Theory]
    [InlineData("t.tsv", "sentence1\tsentence2\na\tb\n", null, "b")]
    [InlineData("t.tsv", "sentence1\tsentence2\na\tb\n", "sentence1", null)]
    [InlineData("t.csv", "\nsentence1,sentence2\na,b\n", null, "b")]
    [InlineData("t.jsonl", "{\"category\":\"pair\",\"text\":\"a\"}\n", null, null)]
    public void A_tables_columns_say_whether_its_texts_are_pairs(string name, string content, string? column, string? pair)
    {
        TextExample row = Assert.Single(TextLines.ReadTable(folder.Write(name, content), new TableOptions { TextColumn = column }).Examples);
        Assert.Equal(("a", pair), (row.Text, row.Pair));
    }

    [Fact]
    public void An_empty_table_of_texts_is_refused() =>
        Assert.Contains("the file is empty", Assert.Throws<DataException>(() => TextLines.ReadTable(folder.Write("t.tsv", ""))).Message, StringComparison.Ordinal);

    [Fact]
    public void Lines_end_at_a_line_feed_alone()
    {
        Assert.Equal(["a\rb", "", "c"], TextLines.Lines(folder.Write("t.txt", "a\rb\n\r\nc")));
        string file = Path.Combine(folder.Path, "latin.txt");
        File.WriteAllBytes(file, [(byte)'a', (byte)'\n', 0xE9, (byte)'\n']);
        IEnumerator<string> lines = TextLines.Lines(file).GetEnumerator();
        Assert.True(lines.MoveNext());
        Assert.Contains("line 2: byte 0xE9", Assert.Throws<DataException>(() => lines.MoveNext()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Unlabelled_texts_for_a_task_of_pairs_must_be_pairs()
    {
        Assert.Contains("takes pairs", Assert.Throws<DataException>(() => TextLines.Read(folder.Write("t.txt", "a\n"), TaskDefinition.Mrpc)).Message, StringComparison.Ordinal);
        Dataset data = TextLines.Read(folder.Write("t.csv", "sentence1,sentence2\na,b\n"), TaskDefinition.Mrpc);
        Assert.Equal(("a", "b"), (data.Examples[0].Text, data.Examples[0].Pair));
    }
}
