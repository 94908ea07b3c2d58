using System.Text;
using System.Text.Json;
using Limbeck.Training.Jobs;

namespace Limbeck.Training.Tests.Jobs;

public sealed class SettingsTests
{
    private static readonly KeyValuePair<string, string>[] None = [];

    [Fact]
    public void A_recipe_may_have_comments_and_inner_objects()
    {
        CompressSettings settings = Read("""
            {
              // a comment
              "job": "compress", "description": "x",
              "student_model": "2/192/12/768",
              "intermediate": { "num_train_epochs": 7, "learning_rate": 1e-4 }
            }
            """);
        Assert.Equal("2/192/12/768", settings.StudentModel);
        Assert.Equal((7, 1e-4, "constant"), (settings.Intermediate.NumTrainEpochs, settings.Intermediate.LearningRate, settings.Intermediate.LrSchedulerType));
        Assert.Equal(3, settings.Prediction.NumTrainEpochs);
    }

    [Fact]
    public void A_comma_after_the_last_setting_is_not_JSON() =>
        Assert.Contains("line 1: not JSON", Assert.Throws<UsageException>(() => Read("""{ "job": "compress", "seed": 2, }""")).Message, StringComparison.Ordinal);

    [Fact]
    public void Every_fault_of_a_recipe_is_told_at_once_with_the_nearest_key()
    {
        UsageException refused = Assert.Throws<UsageException>(() => Read("""
            { "studnet_model": "tinybert4", "seed": -1, "temperature": "hot", "method": "tinybird", "intermediate": { "learning_rat": 1, "optimizer": "sgd" }, "seed": 3 }
            """));
        foreach (string part in (string[])["'studnet_model' is not a known key. Did you mean 'student_model'?", "'seed' is '-1'", "'temperature' is \"hot\"", "tinybird", "'intermediate.learning_rat'", "'intermediate.learning_rate'", "'intermediate.optimizer' is 'sgd'; needed one of adamw", "'seed' is there twice"])
        {
            Assert.Contains(part, refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Flags_win_over_a_recipe()
    {
        FineTuneSettings settings = SettingsSchema.Read<FineTuneSettings>("test", """{ "learning_rate": 1e-4, "seed": 3 }""", [new("learning_rate", "2e-5")], complete: false);
        Assert.Equal((2e-5, 3UL), (settings.Training.LearningRate, settings.Seed));
    }

    [Theory]
    [InlineData("not json", "not JSON")]
    [InlineData("[1]", "must be a JSON object")]
    [InlineData("""{ "intermediate": 3 }""", "'intermediate' must be an object")]
    [InlineData("""{ "seed": null }""", "needed a whole number")]
    public void What_is_no_recipe_is_refused(string text, string part) =>
        Assert.Contains(part, Assert.Throws<UsageException>(() => Read(text)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("theseus")]
    [InlineData("minilm")]
    [InlineData("static")]
    public void A_method_that_is_not_built_yet_is_refused_as_such(string method) =>
        Assert.Contains("not built yet", Assert.Throws<UsageException>(() => Read($$"""{ "method": "{{method}}" }""")).Message, StringComparison.Ordinal);

    [Fact]
    public void What_a_run_needs_is_asked_for_all_at_once()
    {
        UsageException refused = Assert.Throws<UsageException>(() => SettingsSchema.Read<CompressSettings>("limbeck compress", null, None));
        foreach (string flag in (string[])["--output-dir", "--train-file", "--teacher-model", "--student-model"])
        {
            Assert.Contains(flag, refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Settings_written_as_a_recipe_read_back_the_same()
    {
        CompressSettings settings = new() { Task = "MRPC", Seed = 7, NoTeacher = true, Temperature = 2, Intermediate = new() { LearningRate = 3e-4 }, Alone = new() { WarmupSteps = 5 } };
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream))
        {
            json.WriteStartObject();
            SettingsSchema.Write(settings, json);
            json.WriteEndObject();
        }

        CompressSettings back = SettingsSchema.Read<CompressSettings>("test", Encoding.UTF8.GetString(stream.ToArray()), None, complete: false);
        foreach (SettingInfo setting in SettingsSchema.Of(typeof(CompressSettings)).Settings.Where(setting => !setting.Name.StartsWith("intermediate.", StringComparison.Ordinal)))
        {
            Assert.Equal(setting.Get(settings), setting.Get(back));
        }

        Assert.Equal(3e-4, back.Intermediate.LearningRate);
    }

    [Fact]
    public void The_papers_epochs_go_by_task()
    {
        Assert.Equal([50, 10, 10, 10, 20, 20], new[] { "CoLA", "MNLI", "QQP", "QNLI", "RTE", null }.Select(CompressSettings.PaperEpochs));
    }

    private static CompressSettings Read(string recipe) => SettingsSchema.Read<CompressSettings>("recipe test", recipe, None, complete: false);
}
