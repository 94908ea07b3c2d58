using System.Text.Json;

namespace Limbeck.Cli.Tests;

public sealed class AugmentTests
{
    [Fact]
    public void Augmenting_then_compressing_on_the_augmented_rows_works_end_to_end()
    {
        using TinyModels models = new();
        (int status, string output, string error) = TinyModels.Run("augment", "--model", models["mlm"], "--train-file", models["train.csv"], "--N", "3", "--M", "4", "--json");
        Assert.True(status == 0, error);
        using JsonDocument report = JsonDocument.Parse(output);
        long rows = report.RootElement.GetProperty("augmented_rows").GetInt64();
        Assert.Equal(File.ReadLines(models["train_aug.csv"]).Count() - 1, rows);
        Assert.True(rows > 60);
        Assert.Contains("augment 60/60 100 %", error, StringComparison.Ordinal);
        Assert.Equal(0, TinyModels.Run(models.FineTune("teacher")).Status);
        (status, output, error) = TinyModels.Run(
            "compress", "--teacher-model", models["teacher"], "--student-model", "1/8/2/16", "--train-file", models["train.csv"], "--validation-file", models["dev.csv"], "--max-seq-length", "16",
            "--aug_train", "--aug-budget", "tokens", "--intermediate-num-train-epochs", "4", "--prediction-num-train-epochs", "1", "--no-teacher-cache", "--output-dir", models["student"], "--json");
        Assert.True(status == 0, error);
        Assert.Contains("augmented rows", error, StringComparison.Ordinal);
        Assert.Contains("as 4 passes over the original rows would", error, StringComparison.Ordinal);
    }

    [Fact]
    public void An_interrupted_augmentation_exits_with_130_and_says_how_to_go_on()
    {
        using TinyModels models = new();
        using CancellationTokenSource stop = new();
        stop.Cancel();
        string[] arguments = ["augment", "--model", models["mlm"], "--train-file", models["train.csv"]];
        (int status, _, string error) = TinyModels.RunWith(string.Empty, stop.Token, [.. arguments, "--overwrite"]);
        Assert.Equal(130, status);
        Assert.Contains($"to go on: limbeck {string.Join(' ', arguments)} --resume", error, StringComparison.Ordinal);
        (status, string output, error) = TinyModels.Run([.. arguments, "--resume"]);
        Assert.True(status == 0, error);
        Assert.Contains("train_aug.csv: ", output, StringComparison.Ordinal);
    }

    [Fact]
    public void The_rows_to_augment_are_not_overwritten_by_the_augmented_ones()
    {
        using TinyModels models = new();
        string rows = File.ReadAllText(models["train.csv"]);
        string roundabout = Path.Combine(models.Folder, "..", Path.GetFileName(models.Folder), "train.csv");
        (int status, _, string error) = TinyModels.Run("augment", "--model", models["mlm"], "--train-file", models["train.csv"], "--output-file", roundabout, "--overwrite");
        Assert.Equal(2, status);
        Assert.Contains("is the file to augment itself", error, StringComparison.Ordinal);
        Assert.Equal(rows, File.ReadAllText(models["train.csv"]));
    }

    [Fact]
    public void A_model_without_the_head_exits_with_2_and_the_command_that_makes_one()
    {
        using TinyModels models = new();
        (int status, _, string error) = TinyModels.Run("augment", "--model", models["encoder"], "--train-file", models["train.csv"]);
        Assert.Equal(2, status);
        Assert.Contains($"limbeck pretrain --model {models["encoder"]} --freeze-encoder", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Word_vectors_that_are_not_there_exit_with_1_naming_the_file()
    {
        using TinyModels models = new();
        (int status, _, string error) = TinyModels.Run("augment", "--model", models["mlm"], "--train-file", models["train.csv"], "--glove_embs", "no-glove.txt");
        Assert.Equal(1, status);
        Assert.Contains("no-glove.txt", error, StringComparison.Ordinal);
    }
}
