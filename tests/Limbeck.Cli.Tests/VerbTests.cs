using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Limbeck.TestData;

namespace Limbeck.Cli.Tests;

public sealed class VerbTests
{
    [Fact]
    public void Fine_tuning_then_compressing_then_evaluating_works_end_to_end()
    {
        using TinyModels models = new();
        (int status, string output, string error) = TinyModels.Run(models.FineTune("teacher"));
        Assert.True(status == 0, error);
        Assert.Contains("accuracy", output, StringComparison.Ordinal);
        string[] compress =
        [
            "compress", "--teacher-model", models["teacher"], "--student-model", "1/8/2/16", "--train-file", models["train.csv"], "--validation-file", models["dev.csv"],
            "--max-seq-length", "16", "--intermediate-num-train-epochs", "1", "--prediction_num_train_epochs", "1", "--no-teacher-cache", "--output-dir", models["student"], "--json",
        ];
        (status, output, error) = TinyModels.Run(compress);
        Assert.True(status == 0, error);
        using JsonDocument report = JsonDocument.Parse(output);
        Assert.Equal("tinybert", report.RootElement.GetProperty("method").GetString());
        Assert.Equal(4, report.RootElement.GetProperty("steps").GetInt32());
        Assert.True(report.RootElement.GetProperty("metrics").TryGetProperty("accuracy", out _));
        Assert.Contains("layer map", error, StringComparison.Ordinal);
        Assert.Equal(0, TinyModels.Run("evaluate", models["student"], "--data-file", models["dev.csv"]).Status);
        Assert.Equal(0, TinyModels.Run("doctor", models["student"]).Status);
    }

    [Fact]
    public void Pretraining_gives_a_masked_language_model_that_doctor_and_finetune_take()
    {
        using TinyModels models = new();
        File.WriteAllText(models["corpus.txt"], string.Concat(Enumerable.Repeat("the film was good and fine\nthe food was bad and poor\n\n", 40)));
        string[] pretrain =
        [
            "pretrain", "--model", models["encoder"], "--train_file", models["corpus.txt"], "--freeze-encoder", "--learning-rate", "1e-2", "--num-train-epochs", "3", "--validation-split", "0.3",
            "--cache-dir", models["cache"], "--output-dir", models["adapted"],
        ];
        (int status, string output, string error) = TinyModels.Run(pretrain);
        Assert.True(status == 0, error);
        Assert.Contains("perplexity", output, StringComparison.Ordinal);
        Assert.Contains("by frequency", output, StringComparison.Ordinal);
        Assert.Contains("it gets a new one", error, StringComparison.Ordinal);
        (status, output, _) = TinyModels.Run("doctor", models["adapted"]);
        Assert.True(status == 0, output);
        Assert.Contains("a masked language model", output, StringComparison.Ordinal);
        (status, _, error) = TinyModels.Run(
            "finetune", "--model", models["adapted"], "--train-file", models["train.csv"], "--num-train-epochs", "1", "--max-seq-length", "16", "--output-dir", models["tuned"]);
        Assert.True(status == 0, error);
        Assert.Equal(2, TinyModels.Run("pretrain", "--model", models["encoder"], "--output-dir", models["x"]).Status);
    }

    [Fact]
    public void General_distillation_then_task_distillation_works_end_to_end()
    {
        using TinyModels models = new();
        string[] general =
        [
            "compress", "--stage", "general", "--teacher-model", models["encoder"], "--student-model", "1/8/2/16", "--train-corpus", models["corpus.txt"], "--max-seq-length", "16",
            "--general-num-train-epochs", "1", "--cache-dir", models["cache"], "--output-dir", models["general"],
        ];
        (int status, string output, string error) = TinyModels.Run(general);
        Assert.True(status == 0, error);
        Assert.Contains("tokens/s", error, StringComparison.Ordinal);
        Assert.Contains($"the model is in {models["general"]}", output, StringComparison.Ordinal);
        Assert.Contains("corpus.txt", TinyModels.Run("cache", "ls", "--cache-dir", models["cache"]).Out, StringComparison.Ordinal);
        Assert.Equal(0, TinyModels.Run("doctor", models["general"]).Status);
        Assert.Equal(0, TinyModels.Run(models.FineTune("teacher")).Status);
        (status, _, error) = TinyModels.Run(
            "compress", "--teacher-model", models["teacher"], "--student-model", models["general"], "--train-file", models["train.csv"], "--validation-file", models["dev.csv"],
            "--max-seq-length", "16", "--intermediate-num-train-epochs", "1", "--cache-dir", models["cache"], "--output-dir", models["student"]);
        Assert.True(status == 0, error);
        Assert.Contains("the projection goes on from", error, StringComparison.Ordinal);
        (status, _, error) = TinyModels.Run([.. general, "--train-file", models["train.csv"], "--overwrite-output-dir"]);
        Assert.Equal(ExitCode.Usage, status);
        Assert.Contains("--train-file is for --stage task", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Evaluate_prints_exactly_one_json_object()
    {
        using TinyModels models = new();
        (int status, string output, _) = TinyModels.Run("evaluate", models["classifier"], "--data-file", models["dev.csv"], "--json");
        Assert.Equal(0, status);
        Assert.Equal(1, output.Count(c => c == '\n'));
        using JsonDocument json = JsonDocument.Parse(output);
        Assert.Equal(["model", "task", "file", "n", "metrics"], json.RootElement.EnumerateObject().Select(property => property.Name));
        Assert.Equal(24, json.RootElement.GetProperty("n").GetInt32());
        Assert.Equal(models["dev.csv"], json.RootElement.GetProperty("file").GetString());
    }

    [Fact]
    public void Evaluate_zero_shot_scores_an_embedder_by_its_cosines()
    {
        using TinyModels models = new();
        File.WriteAllText(models["pairs.tsv"], "sentence1\tsentence2\tscore\nthe food was good\tthe food was good\t5.0\nthe film was bad\tthe film was poor\t3.5\nthe food was good\tfilm very not\t0.5\n");
        (int status, string output, string error) = TinyModels.Run("evaluate", models["encoder"], "--data-file", models["pairs.tsv"], "--zero-shot", "--json");
        Assert.True(status == 0, error);
        using JsonDocument json = JsonDocument.Parse(output);
        Assert.Equal(["pearson", "spearmanr"], json.RootElement.GetProperty("metrics").EnumerateObject().Select(property => property.Name));
        (status, _, error) = TinyModels.Run("evaluate", models["encoder"], "--data-file", models["dev.csv"], "--task", "SST-2", "--zero-shot");
        Assert.Equal(ExitCode.Usage, status);
        Assert.Contains("--task STS-B", error, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void The_teacher_at_hand_reaches_its_published_zero_shot_score_on_stsb()
    {
        string model = SharedData.Require("models", "all-MiniLM-L6-v2");
        string glue = SharedData.Require("glue");
        (int status, string output, string error) = TinyModels.Run("evaluate", model, "--task", "stsb", "--data-dir", glue, "--zero-shot", "--json");
        Assert.True(status == 0, error);
        using JsonDocument json = JsonDocument.Parse(output);
        Assert.Equal(0.8672, json.RootElement.GetProperty("metrics").GetProperty("spearmanr").GetDouble(), 0.0001);
    }

    [Fact]
    public void Predict_agrees_with_evaluate()
    {
        using TinyModels models = new();
        using JsonDocument scored = JsonDocument.Parse(TinyModels.Run("evaluate", models["classifier"], "--data-file", models["dev.csv"], "--json").Out);
        (int status, string output, _) = TinyModels.Run("predict", models["classifier"], "--file", models["dev.csv"]);
        Assert.Equal(0, status);
        string[] gold = [.. File.ReadLines(models["dev.csv"]).Skip(1).Select(line => line[(line.LastIndexOf(',') + 1)..])];
        string[] predicted = [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t')[0])];
        Assert.Equal(gold.Length, predicted.Length);
        Assert.Equal(gold.Zip(predicted).Count(pair => pair.First == pair.Second) / (double)gold.Length, scored.RootElement.GetProperty("metrics").GetProperty("accuracy").GetDouble());
    }

    [Fact]
    public void Predict_prints_one_json_line_a_text_with_scores_by_name()
    {
        using TinyModels models = new();
        (int status, string output, _) = TinyModels.RunWith("good film\n\nbad food", CancellationToken.None, "predict", models["classifier"], "-", "--json");
        Assert.Equal(0, status);
        string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(3, lines.Length);
        foreach (string line in lines)
        {
            using JsonDocument json = JsonDocument.Parse(line);
            Assert.Equal(["label", "score", "scores"], json.RootElement.EnumerateObject().Select(property => property.Name));
            JsonElement scores = json.RootElement.GetProperty("scores");
            Assert.Equal(["negative", "positive"], scores.EnumerateObject().Select(property => property.Name));
            Assert.Equal(1.0, scores.EnumerateObject().Sum(score => score.Value.GetDouble()), 1e-5);
            Assert.Equal(scores.GetProperty(json.RootElement.GetProperty("label").GetString()!).GetDouble(), json.RootElement.GetProperty("score").GetDouble());
        }
    }

    [Fact]
    public void Pairs_come_as_arguments_lines_or_columns_with_one_answer()
    {
        using TinyModels models = new();
        File.WriteAllText(models["pairs.txt"], "good film\tbad food\n");
        File.WriteAllText(models["pairs.tsv"], "sentence1\tsentence2\ngood film\tbad food\n");
        string[] answers =
        [
            TinyModels.Run("predict", models["classifier"], "--pair", "good film", "bad food").Out,
            TinyModels.Run("predict", models["classifier"], "--pair", "--file", models["pairs.txt"]).Out,
            TinyModels.Run("predict", models["classifier"], "--file", models["pairs.tsv"]).Out,
        ];
        Assert.Single(answers.Distinct());
        Assert.Equal(2, TinyModels.Run("predict", models["classifier"], "--pair", "one").Status);
        (int status, _, string error) = TinyModels.RunWith("no tab\n", CancellationToken.None, "predict", models["classifier"], "--pair", "-");
        Assert.Equal(1, status);
        Assert.Contains("standard input, line 1", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Naming_the_texts_column_alone_predicts_single_texts()
    {
        using TinyModels models = new();
        File.WriteAllText(models["pairs.tsv"], "sentence1\tsentence2\ngood film\tbad food\n");
        (int status, string single, _) = TinyModels.Run("predict", models["classifier"], "--file", models["pairs.tsv"], "--text-column", "sentence1");
        Assert.Equal(0, status);
        Assert.Equal(TinyModels.Run("predict", models["classifier"], "good film").Out, single);
        Assert.NotEqual(TinyModels.Run("predict", models["classifier"], "--file", models["pairs.tsv"]).Out, single);
    }

    [Theory]
    [InlineData("t.tsv", "sentence1\tsentence2\ngood film\tbad food\n")]
    [InlineData("t.txt", "good film\nbad\rfood\n")]
    public void A_packed_file_is_predicted_as_what_is_in_it(string name, string content)
    {
        using TinyModels models = new();
        File.WriteAllText(models[name], content);
        using (GZipStream packed = new(File.Create(models[name + ".gz"]), CompressionLevel.Fastest))
        {
            packed.Write(Encoding.UTF8.GetBytes(content));
        }

        string answers = TinyModels.Run("predict", models["classifier"], "--file", models[name]).Out;
        Assert.Equal(content.Count(c => c == '\n') - (name == "t.tsv" ? 1 : 0), answers.Count(c => c == '\n'));
        Assert.Equal(answers, TinyModels.Run("predict", models["classifier"], "--file", models[name + ".gz"]).Out);
        if (name == "t.txt")
        {
            Assert.Equal(answers, TinyModels.RunWith(content, CancellationToken.None, "predict", models["classifier"], "-").Out);
        }
    }

    [Fact]
    public void A_row_that_cannot_be_predicted_is_told_of_and_labels_do_not_matter()
    {
        using TinyModels models = new();
        File.WriteAllText(models["test.tsv"], "sentence\tlabel\ngood film\t-1\nbad food\n");
        (int status, string output, string error) = TinyModels.Run("predict", models["classifier"], "--task", "SST-2", "--file", models["test.tsv"]);
        Assert.Equal(0, status);
        Assert.Equal(TinyModels.Run("predict", models["classifier"], "good film").Out, output);
        Assert.Contains("skipped 1 of 2 rows", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_regression_predicts_a_number()
    {
        using TinyModels models = new();
        (int status, string output, _) = TinyModels.Run("predict", models["regression"], "good film");
        Assert.Equal(0, status);
        Assert.True(double.TryParse(output.Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out double value));
        using JsonDocument json = JsonDocument.Parse(TinyModels.Run("predict", models["regression"], "good film", "--json").Out);
        Assert.Equal(value, json.RootElement.GetProperty("score").GetDouble(), 1e-4);
    }

    [Theory]
    [InlineData("accuracy=0", 0)]
    [InlineData("accuracy=1", 3)]
    [InlineData("acuracy=0.5", 2)]
    [InlineData("accuracy=85", 2)]
    public void A_missed_gate_exits_with_3(string gate, int expected)
    {
        using TinyModels models = new();
        (int status, _, string error) = TinyModels.Run("evaluate", models["classifier"], "--data-file", models["dev.csv"], "--min-score", gate);
        Assert.Equal(expected, status);
        Assert.Equal(expected == 3, error.Contains("gate missed", StringComparison.Ordinal));
    }

    [Fact]
    public void An_interrupted_run_exits_with_130_and_says_how_to_go_on()
    {
        using TinyModels models = new();
        using CancellationTokenSource stop = new();
        stop.Cancel();
        (int status, _, string error) = TinyModels.RunWith(string.Empty, stop.Token, models.FineTune("teacher"));
        Assert.Equal(130, status);
        Assert.Contains("to go on: limbeck finetune", error, StringComparison.Ordinal);
        Assert.Contains("--resume", error, StringComparison.Ordinal);
        (status, _, error) = TinyModels.Run(models.FineTune("teacher", "--resume"));
        Assert.True(status == 0, error);
    }

    [Fact]
    public void A_folder_with_something_in_it_is_refused_with_2()
    {
        using TinyModels models = new();
        (int status, _, string error) = TinyModels.Run(models.FineTune("classifier"));
        Assert.Equal(2, status);
        Assert.Contains("--overwrite-output-dir", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("encoder")]
    [InlineData("classifier")]
    [InlineData("regression")]
    public void Inspect_shows_every_kind_of_model(string name)
    {
        using TinyModels models = new();
        Assert.Equal(0, TinyModels.Run("inspect", models[name]).Status);
        using JsonDocument json = JsonDocument.Parse(TinyModels.Run("inspect", models[name], "--length", "10", "--json").Out);
        JsonElement parameters = json.RootElement.GetProperty("parameters");
        int head = (16 * 16) + 16 + name switch
        {
            "encoder" => 0,
            "classifier" => (2 * 16) + 2,
            _ => 16 + 1,
        };
        Assert.Equal(((17 + 32 + 2) * 16) + 32, parameters.GetProperty("embeddings").GetInt32());
        Assert.Equal(2 * ((4 * ((16 * 16) + 16)) + (2 * 16 * 32) + 32 + 16 + 64), parameters.GetProperty("encoder").GetInt32());
        Assert.Equal(head, parameters.GetProperty("head").GetInt32());
        Assert.Equal(2 * 2 * ((4 * 16 * 16) + (2 * 16 * 32)), json.RootElement.GetProperty("flops_per_token").GetProperty("linear").GetInt32());
        Assert.Equal(2 * 4 * 16 * 10, json.RootElement.GetProperty("flops_per_token").GetProperty("attention").GetInt32());
    }

    [Fact]
    public void A_damaged_model_is_a_clear_error_for_inspect_and_a_failed_check_for_doctor()
    {
        using TinyModels models = new();
        string weights = Path.Combine(models["classifier"], "model.safetensors");
        File.WriteAllBytes(weights, File.ReadAllBytes(weights)[..2000]);
        (int status, _, string error) = TinyModels.Run("inspect", models["classifier"]);
        Assert.Equal(1, status);
        Assert.Contains("model.safetensors", error, StringComparison.Ordinal);
        (status, string output, _) = TinyModels.Run("doctor", models["classifier"], "--json");
        Assert.Equal(1, status);
        using JsonDocument json = JsonDocument.Parse(output);
        Assert.Contains(json.RootElement.GetProperty("checks").EnumerateArray(), check => check.GetProperty("state").GetString() == "fail");
    }

    [Fact]
    public void Doctor_finds_a_tokenizer_of_another_model_and_labels_without_names()
    {
        using TinyModels models = new();
        string config = Path.Combine(models["classifier"], "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("negative", "LABEL_0", StringComparison.Ordinal).Replace("positive", "LABEL_1", StringComparison.Ordinal));
        (int status, string output, _) = TinyModels.Run("doctor", models["classifier"]);
        Assert.Equal(0, status);
        Assert.Matches("labels +warn", output);
        string vocabulary = Path.Combine(models["classifier"], "vocab.txt");
        File.WriteAllText(vocabulary, File.ReadAllText(vocabulary).Replace("good", "great", StringComparison.Ordinal));
        (status, output, _) = TinyModels.Run("doctor", models["classifier"]);
        Assert.Equal(1, status);
        Assert.Matches("tokenizer +fail", output);
    }

    [Fact]
    public void The_cache_can_be_listed_and_emptied()
    {
        using TinyModels models = new();
        Assert.Contains("0 in", TinyModels.Run("cache", "ls", "--cache-dir", models["cache"]).Out, StringComparison.Ordinal);
        Assert.Equal(2, TinyModels.Run("cache", "rm", "--cache-dir", models["cache"]).Status);
        Assert.Equal(0, TinyModels.Run("cache", "rm", "--all", "--cache-dir", models["cache"]).Status);
    }
}
