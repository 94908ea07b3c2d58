namespace Limbeck.Cli.Tests;

public sealed class UsageTests
{
    [Fact]
    public void A_mistyped_flag_suggests_the_nearest_and_exits_with_2()
    {
        (int status, string output, string error) = TinyModels.Run("finetune", "--learning-rat", "1e-4");
        Assert.Equal((2, string.Empty), (status, output));
        Assert.Contains("unknown flag --learning-rat. Did you mean '--learning-rate'?", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--resume")]
    [InlineData("--overwrite-output-dir")]
    public void A_run_does_not_replace_the_model_it_starts_from(string flag)
    {
        using TinyModels models = new();
        byte[] weights = File.ReadAllBytes(Path.Combine(models["encoder"], "model.safetensors"));
        (int status, _, string error) = TinyModels.Run(models.FineTune("encoder", flag));
        Assert.Equal(2, status);
        Assert.Contains("a model that the run needs", error, StringComparison.Ordinal);
        Assert.Equal(weights, File.ReadAllBytes(Path.Combine(models["encoder"], "model.safetensors")));
    }

    [Fact]
    public void A_folder_with_a_model_but_no_run_is_not_resumed()
    {
        using TinyModels models = new();
        byte[] weights = File.ReadAllBytes(Path.Combine(models["mlm"], "model.safetensors"));
        (int status, _, string error) = TinyModels.Run(models.FineTune("mlm", "--resume"));
        Assert.Equal(2, status);
        Assert.Contains("no run to go on with", error, StringComparison.Ordinal);
        Assert.Equal(weights, File.ReadAllBytes(Path.Combine(models["mlm"], "model.safetensors")));
    }

    [Fact]
    public void A_way_round_by_a_link_does_not_lead_over_the_model_either()
    {
        using TinyModels models = new();
        Directory.CreateSymbolicLink(models["link"], models.Folder);
        (int status, _, string error) = TinyModels.Run(models.FineTune(Path.Combine("link", "encoder"), "--overwrite-output-dir"));
        Assert.Equal(2, status);
        Assert.Contains("a model that the run needs", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Starting_anew_does_not_remove_a_model_that_lies_in_the_run()
    {
        using TinyModels models = new();
        Directory.CreateDirectory(models["run"]);
        Directory.Move(models["encoder"], models["run/best"]);
        (int status, _, string error) = TinyModels.Run([.. models.FineTune("run", "--overwrite-output-dir").Select(arg => arg == models["encoder"] ? models["run/best"] : arg)]);
        Assert.Equal(2, status);
        Assert.Contains("would remove", error, StringComparison.Ordinal);
        Assert.True(File.Exists(models["run/best/model.safetensors"]));
    }

    [Fact]
    public void A_flag_that_is_no_number_is_told_by_name()
    {
        (int status, _, string error) = TinyModels.Run("predict", "model", "a text", "--threads", "many");
        Assert.Equal(2, status);
        Assert.Contains("--threads is 'many'; needed a whole number", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--jsn")]
    [InlineData("--pear")]
    public void A_mistyped_flag_is_not_taken_for_a_text(string flag) => Assert.Equal(2, TinyModels.Run("predict", "model", "a text", flag).Status);

    [Fact]
    public void A_text_after_two_hyphens_may_look_like_a_flag()
    {
        using TinyModels models = new();
        Assert.Equal(0, TinyModels.Run("predict", models["classifier"], "--", "--good").Status);
    }

    [Fact]
    public void An_unknown_verb_suggests_the_nearest()
    {
        (int status, _, string error) = TinyModels.Run("compres");
        Assert.Equal(2, status);
        Assert.Contains("'compress'", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("finetune")]
    [InlineData("pretrain")]
    [InlineData("compress")]
    [InlineData("augment")]
    [InlineData("evaluate")]
    [InlineData("predict")]
    [InlineData("inspect")]
    [InlineData("doctor")]
    [InlineData("recipe")]
    [InlineData("recipe ls")]
    [InlineData("recipe check")]
    [InlineData("run")]
    [InlineData("cache")]
    [InlineData("cache rm")]
    [InlineData("quickstart")]
    public void Every_verb_has_help_with_examples(string verb)
    {
        (int status, string output, string error) = TinyModels.Run([.. verb.Split(' '), "--help"]);
        Assert.Equal((0, string.Empty), (status, error));
        Assert.Contains("Example", output, StringComparison.Ordinal);
        Assert.Contains($"limbeck {verb}", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Help_of_the_tool_names_every_verb_and_the_exit_status()
    {
        (int status, string output, _) = TinyModels.Run("--help");
        Assert.Equal(0, status);
        foreach (string verb in (string[])["finetune", "pretrain", "compress", "augment", "evaluate", "predict", "inspect", "doctor", "recipe", "run", "cache", "quickstart", "Exit status"])
        {
            Assert.Contains(verb, output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_version_is_printed()
    {
        (int status, string output, _) = TinyModels.Run("--version");
        Assert.Equal(0, status);
        Assert.Matches(@"^\d+\.\d+\.\d+", output);
    }

    [Theory]
    [InlineData("--learning_rate", "--num_train_epochs")]
    [InlineData("--learning-rate", "--epochs")]
    public void The_snake_case_spelling_of_a_flag_is_understood(string rate, string epochs)
    {
        (int status, _, string error) = TinyModels.Run("finetune", rate, "fast", epochs, "2");
        Assert.Equal(2, status);
        Assert.Contains("--learning-rate is 'fast'; needed a number", error, StringComparison.Ordinal);
        Assert.Contains("--model is missing", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("theseus", "not built yet")]
    [InlineData("tinybird", "Did you mean 'tinybert'?")]
    public void Methods_that_are_not_there_are_refused(string method, string part)
    {
        (int status, _, string error) = TinyModels.Run("compress", "--method", method);
        Assert.Equal(2, status);
        Assert.Contains(part, error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_that_is_not_there_is_a_clear_message_without_a_stack_trace()
    {
        (int status, _, string error) = TinyModels.Run("evaluate", "nowhere", "--data-file", "none.csv");
        Assert.Equal(2, status);
        Assert.Contains("nowhere: there is no such folder", error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_bad_file_fails_with_1_naming_file_and_line()
    {
        using TinyModels models = new();
        File.WriteAllText(models["bad.csv"], "text,label\ngood,positive\nbad,negativ\n");
        (int status, _, string error) = TinyModels.Run("evaluate", models["classifier"], "--data-file", models["bad.csv"]);
        Assert.Equal(1, status);
        Assert.Contains("bad.csv, line 3", error, StringComparison.Ordinal);
        Assert.Contains("Did you mean 'negative'?", error, StringComparison.Ordinal);
    }

    [Fact]
    public void No_threads_are_refused() => Assert.Equal(2, TinyModels.Run("doctor", "--threads", "0").Status);
}
