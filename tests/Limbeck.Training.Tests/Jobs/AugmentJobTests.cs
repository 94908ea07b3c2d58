using System.Text.Json;
using Limbeck.Checkpoints;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;
using Limbeck.TestData;
using Limbeck.Training.Data;
using Limbeck.Training.Jobs;
using Limbeck.Training.Loop;
using Limbeck.Training.Tests.Data.Augmentation;

namespace Limbeck.Training.Tests.Jobs;

public sealed class AugmentJobTests
{
    /// <summary>GLUE's files as distributed, in small: with quotes, a byte order mark, tabs that are too many, rows that are skipped, \r\n.</summary>
    private static readonly Dictionary<string, string> Glue = new()
    {
        ["CoLA"] = "gj04\t1\t\tThe \"good\" film was bad.\ngj04\t0\t*\tFilms the good is.\nks08\t1\t\t\"Fine film\n",
        ["SST-2"] = "sentence\tlabel\na good film \t1\n`` poor food ''\t0\n\" bad \" story\t0\n",
        ["MRPC"] = "\uFEFFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n1\t70\t71\tThe \"hero\" was good .\tA good hero , \"great\" food .\r\n0\t72\t73\tBad films\tfine films\r\n",
        ["STS-B"] = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n0\tnews\tf\t2012\t1\tnone\tnone\tA hero is good.\tA \"hero\" is bad.\t3.800\n1\tnews\tf\t2012\t2\tnone\tnone\tfilm\tfood\t0.0\thttp://x\ty\n",
        ["QQP"] = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n0\t1\t2\tIs \"film\" good?\tWas film fine?\t1\nbroken\t1\n3\t4\t5\tpoor food?\ttable?\t0\n",
        ["MNLI"] = "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label\n"
            + "0\t1\t1n\tfiction\t( a )\t( b )\t(A)\t(B)\tThe story is \"good\".\tA poor story.\tneutral\tneutral\n1\t2\t2c\tfiction\t( a )\t( b )\t(A)\t(B)\tfilm\tfood\t-\t-\n2\t3\t3e\tslate\t( a )\t( b )\t(A)\t(B)\tgood hero\tfine hero\tentailment\tentailment\n",
        ["QNLI"] = "index\tquestion\tsentence\tlabel\n0\tWas the \"film\" good?\tThe film was \"good\".\tentailment\n1\tWhat food?\tTable.\tnot_entailment\n",
        ["RTE"] = "index\tsentence1\tsentence2\tlabel\n0\tGood films. Bad \"films\".\tFilms.\tnot_entailment\n",
        ["WNLI"] = "index\tsentence1\tsentence2\tlabel\n0\tThe table was good.\tThe \"table\" is fine.\t1\n1\tThe table was good.\tThe story is fine.\t0\n",
    };

    public static TheoryData<string> Tasks => [.. Glue.Keys];

    [Theory]
    [MemberData(nameof(Tasks))]
    public void Every_task_of_GLUE_is_augmented_and_reads_back_to_the_same_fields(string name)
    {
        using AugmentWorld world = new();
        TaskDefinition task = TaskDefinition.Find(name);
        world.Write($"glue/{name}/train.tsv", Glue[name]);
        AugmentReport report = AugmentJob.Run(new AugmentSettings { Model = world["mlm"], Task = name.ToLowerInvariant(), DataDir = world["glue"], N = 4 }, world.Context);
        string file = world[$"glue/{name}/train_aug.tsv"];
        Assert.Equal(file, report.File);
        Dataset original = GlueReader.Read(task, world["glue"], "train");
        Dataset augmented = GlueReader.Read(task, world["glue"], "train_aug");
        Assert.Equal((original.Examples.Count, (long)augmented.Examples.Count), (report.Rows, report.AugmentedRows));
        Assert.True(augmented.Examples.Count > original.Examples.Count);
        CheckGroups(original, augmented, world);

        // All other columns are kept, without quoting and without \r.
        string[][] before = [.. File.ReadAllText(world[$"glue/{name}/train.tsv"]).TrimStart('\uFEFF').Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.TrimEnd('\r').Split('\t'))];
        string text = File.ReadAllText(file);
        Assert.DoesNotContain("\r", text, StringComparison.Ordinal);
        Assert.DoesNotContain("\"\"", text, StringComparison.Ordinal);
        Assert.NotEqual('\uFEFF', text[0]);
        HashSet<string> kept = [.. before.Select(Others)];
        string[][] after = [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t'))];
        Assert.All(after, fields => Assert.Contains(Others(fields), kept));
        Assert.Equal(name == "CoLA" ? 0 : 1, after.Length - augmented.Examples.Count);

        string Others(string[] fields) => string.Join('\t', fields.Where((_, i) => i != task.Layout!.Text && i != task.Layout.Pair));
    }

    [SkippableTheory]
    [InlineData("CoLA")]
    [InlineData("SST-2")]
    [InlineData("MRPC")]
    [InlineData("STS-B")]
    [InlineData("RTE")]
    [InlineData("WNLI")]
    public void The_real_files_of_GLUE_read_back_to_the_same_rows(string name)
    {
        string glue = SharedData.Require("glue");
        TaskDefinition task = TaskDefinition.Find(name);
        using AugmentWorld world = new();
        AugmentJob.Run(new AugmentSettings { Model = world["mlm"], Task = name, DataDir = glue, MaxTrainSamples = 60, N = 2, OutputDir = world["out"], MaxSeqLength = 24 }, world.Context);
        Dataset original = GlueReader.Read(task, glue, "train");
        CheckGroups(original.Select("first", Enumerable.Range(0, 60)), GlueReader.ReadFile(task, world["out/train_aug.tsv"]), world);
    }

    [Theory]
    [InlineData("csv")]
    [InlineData("jsonl")]
    [InlineData("tsv")]
    public void The_users_own_files_keep_their_format_and_other_columns(string ending)
    {
        using AugmentWorld world = new();
        string[] lines = ending switch
        {
            "csv" => ["id,text,label", "7,\"good, \"\"fine\"\" film\",\"a,b\"", "8,\"bad\nfood\",c", "9, table ,c"],
            "jsonl" =>
            [
                "{\"id\": 7, \"text\": \"good, \\\"fine\\\" film\", \"label\": \"a,b\", \"more\": {\"x\": [1, null]}}", "{\"label\":\"c\",\"text\":\"bad\\nfood\",\"id\":8}", "{\"id\":9,\"text\":\" table \",\"label\":\"c\"}",
            ],
            _ => ["id\ttext\tlabel", "7\tgood, \"fine\" film\ta,b", "8\tbad food\tc", "9\t table \tc"],
        };
        world.Write("own." + ending, string.Join('\n', lines) + "\n");
        AugmentJob.Run(world.Settings("own." + ending), world.Context);
        string file = world[$"own_aug.{ending}"];
        Dataset original = TableReader.Read(world["own." + ending]);
        Dataset augmented = TableReader.Read(file);
        Assert.Equal(["a,b", "c"], augmented.Task.Labels);
        CheckGroups(original, augmented, world);
        IReadOnlyList<TextExample> ids = TextLines.Read(file, original.Task, new TableOptions { TextColumn = "id" }).Examples;
        Assert.Equal(["7", "8", "9"], ids.Select(row => row.Text).Distinct());
        if (ending == "jsonl")
        {
            Assert.All(File.ReadLines(file).Where(line => line.Contains("\"id\":7", StringComparison.Ordinal)), line => Assert.Contains("{\"x\":[1,null]}", line.Replace(" ", string.Empty, StringComparison.Ordinal), StringComparison.Ordinal));
        }
    }

    [Fact]
    public void The_same_seed_gives_the_same_file_whatever_the_threads_and_another_seed_another()
    {
        using AugmentWorld world = new();
        world.Write("train.tsv", "text\tlabel\n" + AugmentWorld.Rows(80, 1));
        string Run(int threads, ulong seed)
        {
            using WorkerTeam team = new(threads);
            AugmentJob.Run(world.Settings("train.tsv") with { Seed = seed, Overwrite = true }, world.Job(team));
            return File.ReadAllText(world["train_aug.tsv"]);
        }

        string one = Run(1, 42);
        Assert.Equal(one, Run(2, 42));
        Assert.Equal(one, Run(3, 42));
        Assert.NotEqual(one, Run(1, 43));
    }

    [Fact]
    public void What_a_row_gives_does_not_depend_on_the_rows_before_it_or_beside_it()
    {
        using AugmentWorld world = new();
        world.Write("train.tsv", "text\tlabel\n" + AugmentWorld.Rows(40, 1));
        AugmentJob.Run(world.Settings("train.tsv"), world.Context);
        AugmentJob.Run(world.Settings("train.tsv") with { MaxTrainSamples = 20, OutputFile = world["half.tsv"] }, world.Context);
        Assert.StartsWith(File.ReadAllText(world["half.tsv"]), File.ReadAllText(world["train_aug.tsv"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5000)]
    public void A_run_that_was_stopped_goes_on_behind_its_last_commit_whatever_lies_torn_behind_that(int torn)
    {
        using AugmentWorld world = new();
        world.Write("train.tsv", "text\tlabel\n" + AugmentWorld.Rows(1500, 2));
        AugmentSettings settings = world.Settings("train.tsv") with { WordVectors = world.Write("glove.txt", "films 1 0 0\nfood 1 1 0\nfoods 0 1 1\nhero 0 0 1\n") };
        AugmentJob.Run(settings with { OutputFile = world["whole.tsv"] }, world.Context);
        using CancellationTokenSource stop = new();
        using StoppingWriter stopping = new(stop, "augment ");
        JobContext context = new(stopping, new ProgressDisplay(stopping, terminal: false, TimeSpan.Zero), WorkerTeam.Default, stop.Token);
        Assert.ThrowsAny<OperationCanceledException>(() => AugmentJob.Run(settings, context));
        Assert.False(File.Exists(world["train_aug.tsv"]));
        using (FileStream partial = File.OpenWrite(world["train_aug.tsv.partial"]))
        {
            Assert.NotEqual(0, partial.Seek(0, SeekOrigin.End));
            partial.Write(new byte[torn]);
        }

        UsageException refused = Assert.Throws<UsageException>(() => AugmentJob.Run(settings, world.Context));
        Assert.Contains("--resume", refused.Message, StringComparison.Ordinal);
        refused = Assert.Throws<UsageException>(() => AugmentJob.Run(settings with { Resume = true, P = 0.5 }, world.Context));
        Assert.Contains("other settings", refused.Message, StringComparison.Ordinal);
        AugmentReport report = AugmentJob.Run(settings with { Resume = true }, world.Context);
        Assert.Equal(File.ReadAllText(world["whole.tsv"]), File.ReadAllText(world["train_aug.tsv"]));
        Assert.Equal(File.ReadLines(world["whole.tsv"]).Count() - 1, report.AugmentedRows);
        Assert.False(File.Exists(world["train_aug.tsv.partial"]));
    }

    [Fact]
    public void A_file_that_is_whole_is_left_as_it_is()
    {
        using AugmentWorld world = new();
        world.Write("train.tsv", "text\tlabel\n" + AugmentWorld.Rows(30, 2));
        AugmentReport first = AugmentJob.Run(world.Settings("train.tsv"), world.Context);
        AugmentReport again = AugmentJob.Run(world.Settings("train.tsv") with { Resume = true }, world.Context);
        Assert.Equal((first.AugmentedRows, 0), (again.AugmentedRows, again.Tokens));
        Assert.Contains("whole already", world.Messages.ToString(), StringComparison.Ordinal);
        File.AppendAllText(world["train_aug.tsv"], "more");
        Assert.Contains("not as its run left it", Assert.Throws<UsageException>(() => AugmentJob.Run(world.Settings("train.tsv") with { Resume = true }, world.Context)).Message, StringComparison.Ordinal);
        Assert.Contains("--overwrite", Assert.Throws<UsageException>(() => AugmentJob.Run(world.Settings("train.tsv"), world.Context)).Message, StringComparison.Ordinal);
        AugmentJob.Run(world.Settings("train.tsv") with { Overwrite = true }, world.Context);
        using JsonDocument journal = JsonDocument.Parse(File.ReadAllText(world["train_aug.tsv.json"]));
        Assert.True(journal.RootElement.GetProperty("complete").GetBoolean());
        Assert.Equal(6, journal.RootElement.GetProperty("settings").GetProperty("n").GetInt32());
        File.Delete(world["train_aug.tsv.json"]);
        Assert.Throws<UsageException>(() => AugmentJob.Run(world.Settings("train.tsv") with { Resume = true }, world.Context));
    }

    [Fact]
    public void A_run_killed_between_the_last_commit_and_the_rename_is_finished_by_resuming()
    {
        using AugmentWorld world = new();
        world.Write("train.tsv", "text\tlabel\n" + AugmentWorld.Rows(30, 2));
        AugmentJob.Run(world.Settings("train.tsv"), world.Context);
        string whole = File.ReadAllText(world["train_aug.tsv"]);
        File.Move(world["train_aug.tsv"], world["train_aug.tsv.partial"]);
        AugmentJob.Run(world.Settings("train.tsv") with { Resume = true }, world.Context);
        Assert.Equal(whole, File.ReadAllText(world["train_aug.tsv"]));
    }

    [Fact]
    public void The_flag_wins_over_the_tasks_own_number_of_draws()
    {
        using AugmentWorld world = new();
        world.Write("SST-2/train.tsv", "sentence\tlabel\ngood film story hero table\t1\nbad food\t0\n");
        AugmentSettings settings = new() { Model = world["mlm"], Task = "SST-2", DataDir = world.Folder, P = 1, Overwrite = true };
        AugmentJob.Run(settings, world.Context);
        Assert.Contains("20 draws a text", world.Messages.ToString(), StringComparison.Ordinal);
        AugmentJob.Run(settings with { N = 3 }, world.Context);
        Assert.Equal(1 + (2 * 4), File.ReadLines(world["SST-2/train_aug.tsv"]).Count());
    }

    [Fact]
    public void A_checkpoint_without_the_head_is_refused_with_the_way_to_make_one()
    {
        using AugmentWorld world = new();
        world.Write("train.tsv", "text\tlabel\n" + AugmentWorld.Rows(3, 2));
        using BertModel plain = new(world.Model.Config, HeadKind.None);
        plain.Initialize(new SeededRandom(1));
        plain.Save(world["plain"]);
        world.Tokenizer.SaveTo(world["plain"]);
        UsageException refused = Assert.Throws<UsageException>(() => AugmentJob.Run(world.Settings("train.tsv") with { Model = world["plain"] }, world.Context));
        Assert.Contains("limbeck pretrain --model", refused.Message, StringComparison.Ordinal);
        Assert.Contains("--freeze-encoder", refused.Message, StringComparison.Ordinal);
        Assert.Contains("--candidates vectors", refused.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(world["train_aug.tsv.json"]));
        AugmentReport report = AugmentJob.Run(world.Settings("train.tsv") with { Model = world["plain"], Candidates = "vectors" }, world.Context);
        Assert.Equal((0, 0), (report.MaskedWords, report.Tokens));
        Assert.True(report.LookedUpWords > 0 && report.AugmentedRows > 3);
        CheckGroups(TableReader.Read(world["train.tsv"]), TableReader.Read(world["train_aug.tsv"]), world);
    }

    [Fact]
    public void A_vocabulary_with_more_rows_than_tokens_is_no_obstacle()
    {
        using AugmentWorld world = new();
        world.Write("train.tsv", "text\tlabel\n" + AugmentWorld.Rows(10, 2));
        using BertModel wide = new(world.Model.Config with { VocabularySize = world.Tokenizer.VocabularySize + 6 }, HeadKind.MaskedLanguageModel);
        wide.Initialize(new SeededRandom(4));
        wide.Save(world["wide"]);
        world.Tokenizer.SaveTo(world["wide"]);
        AugmentJob.Run(world.Settings("train.tsv") with { Model = world["wide"], FilterAfterwards = true }, world.Context);
        CheckGroups(TableReader.Read(world["train.tsv"]), TableReader.Read(world["train_aug.tsv"]), world);
    }

    [Fact]
    public void Every_fault_of_the_settings_is_reported_at_once()
    {
        UsageException fault = Assert.Throws<UsageException>(() => SettingsSchema.Read<AugmentSettings>(
            "limbeck augment", null, [new("n", "0"), new("p", "1.5"), new("k", "0"), new("task", "colla"), new("resume", "true"), new("overwrite", "true"), new("output_dir", "a"), new("output_file", "b")]));
        foreach (string part in (string[])["--n is 0", "--p is 1.5", "--k is 0", "Did you mean 'CoLA'?", "--resume and --overwrite", "--output-file and --output-dir", "--model is missing", "there is nothing to augment"])
        {
            Assert.Contains(part, fault.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_diagnostic_set_has_nothing_to_augment()
    {
        using AugmentWorld world = new();
        Assert.Throws<UsageException>(() => AugmentJob.Run(new AugmentSettings { Model = world["mlm"], Task = "AX", DataDir = world.Folder }, world.Context));
    }

    [Fact]
    public void A_folder_that_is_not_there_is_refused_before_any_work()
    {
        using AugmentWorld world = new();
        UsageException refused = Assert.Throws<UsageException>(() => AugmentJob.Run(world.Settings("none.tsv") with { OutputFile = world["no/such/file.tsv"] }, world.Context));
        Assert.Contains("there is no folder", refused.Message, StringComparison.Ordinal);
    }

    /// <summary>Each row comes first, then its variants: one text as it was, the other with as many words, of which only replaceable ones changed; the label is the row's.</summary>
    private static void CheckGroups(Dataset original, Dataset augmented, AugmentWorld world)
    {
        int row = -1;
        foreach (TextExample example in augmented.Examples)
        {
            if (row + 1 < original.Examples.Count && (example.Text, example.Pair) == (original.Examples[row + 1].Text, original.Examples[row + 1].Pair))
            {
                row++;
            }

            TextExample source = original.Examples[row];
            Assert.Equal((source.Label, source.Score), (example.Label, example.Score));
            bool first = example.Text != source.Text;
            bool second = example.Pair != source.Pair;
            Assert.False(first && second);
            CheckWords(world.Tokenizer.Words(source.Text), first ? example.Text.Split(' ') : world.Tokenizer.Words(example.Text));
            if (second)
            {
                CheckWords(world.Tokenizer.Words(source.Pair!), example.Pair!.Split(' '));
            }
        }

        Assert.Equal(original.Examples.Count - 1, row);
    }

    private static void CheckWords(IReadOnlyList<string> source, IReadOnlyList<string> variant)
    {
        Assert.Equal(source.Count, variant.Count);
        Assert.All(source.Zip(variant), pair => Assert.True(pair.First == pair.Second || Limbeck.Training.Data.Augmentation.TinyBertAugmentation.IsReplaceable(pair.First), $"'{pair.First}' became '{pair.Second}'"));
    }
}
