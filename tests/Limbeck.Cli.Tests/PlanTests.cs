using System.Text.Json;

namespace Limbeck.Cli.Tests;

public sealed class PlanTests
{
    [Theory]
    [InlineData("finetune")]
    [InlineData("pretrain")]
    [InlineData("augment")]
    [InlineData("compress")]
    [InlineData("run")]
    public void A_dry_run_prints_the_plan_exits_with_0_and_has_written_nothing(string verb)
    {
        using TinyModels models = new();
        string[] arguments = verb switch
        {
            "finetune" => models.FineTune("out"),
            "pretrain" => ["pretrain", "--model", models["encoder"], "--train-file", models["corpus.txt"], "--max-seq-length", "16", "--cache-dir", models["cache"], "--output-dir", models["out"]],
            "augment" => ["augment", "--model", models["mlm"], "--train-file", models["train.csv"], "--output-dir", models["out"]],
            "compress" => [.. Task(models), "--output-dir", models["out"]],
            _ => [.. All(models), "--output-dir", models["out"]],
        };
        string[] before = Everything(models);
        (int status, string output, string error) = TinyModels.Run([.. arguments, "--dry-run"]);
        Assert.True(status == 0, error);
        Assert.Contains("an estimate: operations over", output, StringComparison.Ordinal);
        (status, output, error) = TinyModels.Run([.. arguments, "--dry-run", "--json"]);
        Assert.True(status == 0, error);
        Assert.Equal(before, Everything(models));
        using JsonDocument plan = JsonDocument.Parse(output);
        string[] stages = [.. plan.RootElement.GetProperty("stages").EnumerateArray().Select(stage => stage.GetProperty("name").GetString()!)];
        Assert.Equal(verb switch { "compress" => ["intermediate", "prediction"], "run" => ["general", "augment", "intermediate", "prediction"], _ => [verb] }, stages);
        Assert.True(plan.RootElement.GetProperty("seconds").GetDouble() >= 0);
        Assert.Equal(verb is "compress" or "run" ? "0:0,1:2" : null, plan.RootElement.TryGetProperty("layer_map", out JsonElement map) ? map.GetString() : null);
        if (verb is "compress" or "run")
        {
            Assert.Contains("layer map (student:teacher): 0:0,1:2", error, StringComparison.Ordinal);
            Assert.True(plan.RootElement.GetProperty("parameters").GetProperty("encoder").GetInt64() < plan.RootElement.GetProperty("teacher_parameters").GetProperty("encoder").GetInt64());
            Assert.True(plan.RootElement.GetProperty("cache_bytes").GetInt64() > 0);
        }
    }

    [Fact]
    public void A_shipped_recipe_runs_all_of_the_papers_stages_as_one_command_and_resumes()
    {
        using TinyModels models = new();
        string[] arguments = [.. All(models), "--output-dir", models["out"]];
        (int status, string output, string error) = TinyModels.Run([.. arguments, "--json"]);
        Assert.True(status == 0, error);
        foreach (string part in (string[])["part 1 of 3: general distillation", "part 2 of 3: data augmentation", "part 3 of 3: task distillation", "the projection goes on from"])
        {
            Assert.Contains(part, error, StringComparison.Ordinal);
        }

        foreach (string file in (string[])["model.safetensors", "report.html", "general/model.safetensors", "general/results.json", "augment/train_aug.csv"])
        {
            Assert.True(File.Exists(Path.Combine(models["out"], file)), file);
        }

        // What the report says to repeat is the whole run.
        string report = File.ReadAllText(Path.Combine(models["out"], "report.json"));
        Assert.Contains("--stage all", report, StringComparison.Ordinal);
        Assert.Contains($"--mlm-model {models["mlm"]}", report, StringComparison.Ordinal);
        byte[] weights = File.ReadAllBytes(Path.Combine(models["out"], "model.safetensors"));
        (status, _, error) = TinyModels.Run([.. arguments, "--resume"]);
        Assert.True(status == 0, error);
        Assert.Equal(2, error.Split("is finished: its last checkpoint").Length - 1);
        Assert.Contains("train_aug.csv is whole already", error, StringComparison.Ordinal);
        Assert.Equal(weights, File.ReadAllBytes(Path.Combine(models["out"], "model.safetensors")));
        Assert.Equal(2, TinyModels.Run(arguments).Status);
    }

    [Fact]
    public void An_augmentation_is_a_recipe_too()
    {
        using TinyModels models = new();
        File.WriteAllText(models["own.json"], """{ "job": "augment", "n": 3, "k": 4, "content_words": true }""");
        Assert.Equal(0, TinyModels.Run("recipe", "check", models["own.json"]).Status);
        (int status, string output, string error) = TinyModels.Run("run", models["own.json"], "--model", models["mlm"], "--train-file", models["train.csv"], "--n", "2", "--output-file", models["a.csv"], "--json");
        Assert.True(status == 0, error);
        using JsonDocument report = JsonDocument.Parse(output);
        Assert.Equal(File.ReadLines(models["a.csv"]).Count() - 1, report.RootElement.GetProperty("augmented_rows").GetInt64());
        (status, _, error) = TinyModels.Run("augment", "--recipe", models["own.json"], "--model", models["mlm"], "--train-file", models["train.csv"], "--n", "2", "--output-file", models["b.csv"]);
        Assert.True(status == 0, error);
        Assert.Equal(File.ReadAllText(models["a.csv"]), File.ReadAllText(models["b.csv"]));
    }

    [Fact]
    public void A_recipe_of_an_unknown_job_is_refused_with_the_jobs_there_are()
    {
        using TinyModels models = new();
        File.WriteAllText(models["own.json"], """{ "job": "compres" }""");
        (int status, _, string error) = TinyModels.Run("run", models["own.json"]);
        Assert.Equal(2, status);
        Assert.Contains("needed one of finetune, pretrain, augment, compress. Did you mean 'compress'?", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Augmentation_without_a_head_is_refused_with_the_command_that_makes_one_before_anything_begins()
    {
        using TinyModels models = new();
        string[] before = Everything(models);
        (int status, _, string error) = TinyModels.Run([.. All(models).Select(argument => argument == models["mlm"] ? models["encoder"] : argument), "--output-dir", models["out"]]);
        Assert.Equal(2, status);
        Assert.Contains($"limbeck pretrain --model {models["encoder"]} --freeze-encoder", error, StringComparison.Ordinal);
        Assert.Equal(before, Everything(models));
    }

    private static string[] Everything(TinyModels models) => [.. Directory.EnumerateFileSystemEntries(models.Folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];

    private static string[] Task(TinyModels models) =>
    [
        "compress", "--teacher-model", models["classifier"], "--student-model", "1/8/2/16", "--train-file", models["train.csv"], "--validation-file", models["dev.csv"],
        "--max-seq-length", "16", "--intermediate-num-train-epochs", "2", "--prediction-num-train-epochs", "1", "--cache-dir", models["cache"], "--no-report-timing",
    ];

    private static string[] All(TinyModels models) =>
    [
        "run", "tinybert3-312", .. Task(models)[1..], "--general-teacher-model", models["encoder"], "--train-corpus", models["corpus.txt"], "--general-max-seq-length", "16",
        "--general-num-train-epochs", "1", "--mlm-model", models["mlm"], "--augment-n", "2",
    ];
}
