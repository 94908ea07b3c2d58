using System.Text.Json;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Tests.Loop;

public class MetricsLogTests
{
    [Fact]
    public void A_killed_and_resumed_log_equals_an_unbroken_one()
    {
        using TemporaryFolder folder = new();
        using (MetricsLog unbroken = MetricsLog.Create(folder["unbroken.jsonl"]))
        {
            WriteSteps(unbroken, 1, 12);
        }

        using (MetricsLog killed = MetricsLog.Create(folder["killed.jsonl"]))
        {
            WriteSteps(killed, 1, 9);
        }

        File.AppendAllText(folder["killed.jsonl"], "{\"step\":10,\"lo");
        using (MetricsLog resumed = MetricsLog.Resume(folder["killed.jsonl"], 5))
        {
            WriteSteps(resumed, 6, 12);
        }

        Assert.Equal(File.ReadAllText(folder["unbroken.jsonl"]), File.ReadAllText(folder["killed.jsonl"]));
    }

    [Fact]
    public void Resuming_at_any_byte_of_a_torn_log_continues_it_after_the_last_whole_line()
    {
        using TemporaryFolder folder = new();
        using (MetricsLog log = MetricsLog.Create(folder["whole.jsonl"]))
        {
            WriteSteps(log, 1, 3);
        }

        byte[] whole = File.ReadAllBytes(folder["whole.jsonl"]);
        for (int length = 0; length <= whole.Length; length++)
        {
            File.WriteAllBytes(folder["torn.jsonl"], whole[..length]);
            int lines = whole.AsSpan(0, length).Count((byte)'\n');
            using (MetricsLog log = MetricsLog.Resume(folder["torn.jsonl"], 100))
            {
                WriteSteps(log, lines + 1, 3);
            }

            Assert.Equal(whole, File.ReadAllBytes(folder["torn.jsonl"]));
        }
    }

    [Fact]
    public void A_line_is_in_the_file_before_the_log_is_closed()
    {
        using TemporaryFolder folder = new();
        using MetricsLog log = MetricsLog.Create(folder["log.jsonl"]);
        log.Write(7, ("loss", 0.5));
        using FileStream other = new(folder["log.jsonl"], FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using JsonDocument line = JsonDocument.Parse(other);
        Assert.Equal(7, line.RootElement.GetProperty("step").GetInt64());
        Assert.Equal(0.5, line.RootElement.GetProperty("loss").GetDouble());
    }

    [Fact]
    public void A_number_that_json_lacks_is_written_as_its_name()
    {
        using TemporaryFolder folder = new();
        using (MetricsLog log = MetricsLog.Create(folder["log.jsonl"]))
        {
            log.Write(1, ("loss", double.NaN), ("norm", double.PositiveInfinity));
        }

        Assert.Equal("{\"step\":1,\"loss\":\"NaN\",\"norm\":\"Infinity\"}\n", File.ReadAllText(folder["log.jsonl"]));
    }

    [Fact]
    public void Creating_a_log_replaces_the_one_that_is_there()
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder["log.jsonl"], "{\"step\":1}\n");
        MetricsLog.Create(folder["log.jsonl"]).Dispose();
        Assert.Empty(File.ReadAllBytes(folder["log.jsonl"]));
    }

    private static void WriteSteps(MetricsLog log, int first, int last)
    {
        for (int step = first; step <= last; step++)
        {
            log.Write(step, json => json.WriteNumber("loss", 1.0 / step));
        }
    }
}
