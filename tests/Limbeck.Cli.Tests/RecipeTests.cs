using Limbeck.Training.Compression;
using Limbeck.Training.Jobs;

namespace Limbeck.Cli.Tests;

public sealed class RecipeTests
{
    public static TheoryData<string> Shipped => [.. Recipe.Names];

    [Theory]
    [MemberData(nameof(Shipped))]
    public void Every_shipped_recipe_is_valid(string name)
    {
        Assert.NotNull(Recipe.Find(name).Check());
        (int status, string output, _) = TinyModels.Run("recipe", "check", name);
        Assert.Equal(0, status);
        Assert.Contains("good", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_known_student_has_a_recipe_of_its_name_with_the_papers_stages()
    {
        foreach ((string name, StudentShape shape) in StudentShape.Presets)
        {
            CompressSettings settings = (CompressSettings)Recipe.Find(name).Check();
            Assert.Equal(shape, StudentShape.Parse(settings.StudentModel!));
            Assert.Equal(new CompressSettings().General, settings.General);
            Assert.Equal(new CompressSettings().Intermediate, settings.Intermediate);
            Assert.Equal(new CompressSettings().Prediction, settings.Prediction);
        }
    }

    [Fact]
    public void A_recipe_can_be_listed_shown_and_copied()
    {
        using TinyModels models = new();
        Assert.Contains("tinybert4", TinyModels.Run("recipe", "ls").Out, StringComparison.Ordinal);
        Assert.Equal(Recipe.Find("tinybert4").Text, TinyModels.Run("recipe", "cat", "tinybert4").Out);
        Assert.Equal(0, TinyModels.Run("recipe", "cp", "tinybert4", models["mine.json"]).Status);
        Assert.Equal(Recipe.Find("tinybert4").Text, File.ReadAllText(models["mine.json"]));
        Assert.Equal(2, TinyModels.Run("recipe", "cp", "tinybert4", models["mine.json"]).Status);
    }

    [Fact]
    public void A_recipes_faults_are_all_told_and_exit_with_2()
    {
        using TinyModels models = new();
        File.WriteAllText(models["bad.json"], """{ "job": "compress", "temprature": 2, "seed": "x" }""");
        (int status, _, string error) = TinyModels.Run("recipe", "check", models["bad.json"]);
        Assert.Equal(2, status);
        Assert.Contains("Did you mean 'temperature'?", error, StringComparison.Ordinal);
        Assert.Contains("'seed'", error, StringComparison.Ordinal);
        Assert.Contains("Did you mean 'tinybert4'?", TinyModels.Run("recipe", "cat", "tinybrt4").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_recipe_of_the_users_own_runs_and_flags_win_over_it()
    {
        using TinyModels models = new();
        string Json(string path) => path.Replace("\\", "\\\\", StringComparison.Ordinal);
        File.WriteAllText(
            models["own.json"],
            $$"""{ "job": "finetune", "model_name_or_path": "{{Json(models["encoder"])}}", "train_file": "{{Json(models["train.csv"])}}", "validation_file": "{{Json(models["dev.csv"])}}", "num_train_epochs": 5, "max_seq_length": 16 }""");
        (int status, string output, string error) = TinyModels.Run("run", models["own.json"], "--num-train-epochs", "1", "--output-dir", models["out"], "--json");
        Assert.True(status == 0, error);
        Assert.Contains("\"steps\":2", output, StringComparison.Ordinal);
        (status, _, error) = TinyModels.Run("run", models["own.json"], "--temperature", "2", "--output-dir", models["out2"]);
        Assert.Equal(2, status);
        Assert.Contains("--temperature is not a setting of this job", error, StringComparison.Ordinal);
    }
}
