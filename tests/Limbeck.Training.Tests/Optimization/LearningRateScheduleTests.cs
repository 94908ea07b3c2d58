using System.Text.Json;
using Limbeck.TestData;
using Limbeck.Training.Optimization;

namespace Limbeck.Training.Tests.Optimization;

public class LearningRateScheduleTests
{
    /// <summary>The reference rounds to nine digits; worst seen 5e-10.</summary>
    private const double Tolerance = 1e-7;

    [SkippableFact]
    public void Every_multiplier_of_the_reference_is_met_also_past_the_end()
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(SharedData.Require("golden", "optim", "schedules.json")));
        double worst = 0;
        int seen = 0;
        foreach (JsonElement golden in document.RootElement.EnumerateArray())
        {
            string name = golden.GetProperty("schedule").GetString()!;
            bool bertAdam = name.StartsWith("bertadam ", StringComparison.Ordinal);
            long total = Number(golden, "t_total") ?? Number(golden, "total_steps") ?? 0;
            LearningRateSchedule schedule = bertAdam
                ? LearningRateSchedule.Parse(name["bertadam ".Length..], golden.GetProperty("warmup").GetDouble())
                : LearningRateSchedule.Parse(name, 0, Number(golden, "warmup_steps"));
            long step = 0;
            foreach (JsonElement multiplier in golden.GetProperty("multiplier").EnumerateArray())
            {
                double error = Math.Abs(schedule.Multiplier(step, total) - multiplier.GetDouble());
                Assert.True(error <= Tolerance, $"{golden.GetRawText()}: step {step} is {schedule.Multiplier(step, total)}");
                worst = Math.Max(worst, error);
                step++;
                seen++;
            }
        }

        Assert.True(seen > 0);
        Assert.True(worst < Tolerance, $"worst {worst}");
    }

    [Fact]
    public void A_ratio_is_rounded_up_to_steps_as_the_trainer_of_transformers_does()
    {
        LearningRateSchedule byRatio = LearningRateSchedule.Parse("linear", 0.1);
        LearningRateSchedule bySteps = LearningRateSchedule.Parse("linear", 0, 3);
        for (long step = 0; step < 30; step++)
        {
            Assert.Equal(bySteps.Multiplier(step, 25), byRatio.Multiplier(step, 25));
        }
    }

    [Fact]
    public void Names_are_taken_in_both_spellings()
    {
        Assert.Equal(LearningRateKind.ConstantWithWarmup, LearningRateSchedule.Parse("constant-with-warmup").Kind);
        Assert.Equal(LearningRateKind.BertAdamWarmupLinear, LearningRateSchedule.Parse("Warmup_Linear", 0.1).Kind);
    }

    [Fact]
    public void An_unknown_name_is_an_error_that_lists_the_known_ones()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => LearningRateSchedule.Parse("cosine"));
        Assert.Contains("'cosine'", error.Message, StringComparison.Ordinal);
        Assert.Contains("warmup_linear", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("linear", -0.1, null)]
    [InlineData("linear", 1.5, null)]
    [InlineData("linear", double.NaN, null)]
    [InlineData("warmup_linear", 1.0, null)]
    [InlineData("linear", 0.0, -1L)]
    public void A_warm_up_out_of_range_is_refused(string name, double ratio, long? steps) =>
        Assert.Throws<ArgumentException>(() => LearningRateSchedule.Parse(name, ratio, steps));

    [Fact]
    public void A_bertadam_schedule_takes_its_warm_up_in_steps_too()
    {
        LearningRateSchedule bySteps = LearningRateSchedule.Parse("warmup_linear", 0, 5);
        LearningRateSchedule byRatio = LearningRateSchedule.Parse("warmup_linear", 0.25);
        for (long step = 0; step < 25; step++)
        {
            Assert.Equal(byRatio.Multiplier(step, 20), bySteps.Multiplier(step, 20), 1e-12);
        }
    }

    private static long? Number(JsonElement element, string name) => element.TryGetProperty(name, out JsonElement value) ? value.GetInt64() : null;
}
