using Limbeck.Training.Loop;

namespace Limbeck.Training.Tests.Loop;

public class ProgressTests
{
    private static readonly ProgressSnapshot Snapshot =
        new("distil", 120, 2000, 0.43123, 12345, TimeSpan.FromSeconds(42.9), TimeSpan.FromSeconds(658));

    [Fact]
    public void A_line_tells_all_that_is_known() =>
        Assert.Equal("distil 120/2,000 6 % loss 0.4312 12.3k tokens/s elapsed 0:42 left 10:58", ProgressFormat.Line(Snapshot));

    [Fact]
    public void A_line_leaves_out_what_is_not_known() =>
        Assert.Equal("7 elapsed 0:03", ProgressFormat.Line(new ProgressSnapshot("", 7, 0, null, 0, TimeSpan.FromSeconds(3), null)));

    [Fact]
    public void A_live_line_never_reaches_the_last_column()
    {
        Assert.StartsWith("distil [=                   ] 120/2,000", ProgressFormat.LiveLine(Snapshot, 0), StringComparison.Ordinal);
        for (int width = 1; width < 150; width++)
        {
            Assert.True(ProgressFormat.LiveLine(Snapshot, width).Length < width);
        }
    }

    [Theory]
    [InlineData(0, "0:00")]
    [InlineData(59.9, "0:59")]
    [InlineData(3599, "59:59")]
    [InlineData(3723, "1:02:03")]
    [InlineData(183845, "2d 03:04:05")]
    public void Durations_read_as_people_write_them(double seconds, string text) =>
        Assert.Equal(text, ProgressFormat.Duration(TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData(0, "0")]
    [InlineData(999.4, "999")]
    [InlineData(999.6, "1.00k")]
    [InlineData(12345, "12.3k")]
    [InlineData(123456, "123k")]
    [InlineData(4_560_000, "4.56M")]
    public void Counts_stay_short(double count, string text) => Assert.Equal(text, ProgressFormat.Count(count));

    [Fact]
    public void Plain_lines_come_at_most_once_an_interval_and_the_last_state_always()
    {
        ManualTime time = new();
        StringWriter text = new() { NewLine = "\n" };
        using ProgressDisplay display = new(text, terminal: false, TimeSpan.FromSeconds(10), time);
        display.Begin("train", 40);
        for (int step = 1; step <= 40; step++)
        {
            time.Advance(1);
            display.Report(step, 0.5, 100);
        }

        display.Finish();
        Assert.Equal(
            """
            train 1/40 2 % loss 0.5000 100 tokens/s elapsed 0:01 left 0:39
            train 11/40 27 % loss 0.5000 100 tokens/s elapsed 0:11 left 0:29
            train 21/40 52 % loss 0.5000 100 tokens/s elapsed 0:21 left 0:19
            train 31/40 77 % loss 0.5000 100 tokens/s elapsed 0:31 left 0:09
            train 40/40 100 % loss 0.5000 100 tokens/s elapsed 0:40 left 0:00

            """.ReplaceLineEndings("\n"),
            text.ToString());
    }

    [Fact]
    public void Updates_done_before_a_resume_do_not_count_for_the_remaining_time()
    {
        ManualTime time = new();
        StringWriter text = new() { NewLine = "\n" };
        using ProgressDisplay display = new(text, terminal: false, null, time);
        display.Begin("train", 1000, done: 900);
        time.Advance(20);
        display.Report(910, null, 50);
        Assert.Equal("train 910/1,000 91 % 3 tokens/s elapsed 0:20 left 3:00\n", text.ToString());
    }

    [Fact]
    public void A_terminal_gets_one_live_line_and_messages_above_it()
    {
        ManualTime time = new();
        StringWriter text = new() { NewLine = "\n" };
        using ProgressDisplay display = new(text, terminal: true, null, time, () => 80);
        display.Begin("train", 10);
        time.Advance(1);
        display.Report(1, null, 0);
        time.Advance(0.01);
        display.Report(2, null, 0);
        display.Message("saved checkpoint-2");
        display.Finish();
        Assert.Equal(
            "\r\u001b[2Ktrain [==                  ] 1/10 10 % elapsed 0:01 left 0:09"
            + "\r\u001b[2Ksaved checkpoint-2\n"
            + "\r\u001b[2Ktrain [====                ] 2/10 20 % elapsed 0:01 left 0:04\n",
            text.ToString());
    }
}
