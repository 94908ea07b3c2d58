using System.Text.Json;
using Limbeck.Training.Evaluation.Reporting;

namespace Limbeck.Training.Tests.Evaluation.Reporting;

public sealed class ReportJsonTests
{
    [Fact]
    public void The_fields_have_their_names()
    {
        using JsonDocument document = Write(ReportSample.Full);
        JsonElement json = document.RootElement;
        Assert.Equal(
            ["format", "version", "title", "story", "run", "machine", "scores", "models", "compression", "timing", "curves", "layers", "examples", "predictions", "notes"],
            json.EnumerateObject().Select(property => property.Name));
        Assert.Equal(
            ["method", "date", "model", "task", "train_data", "train_rows", "eval_data", "eval_rows", "start_model", "teacher_model", "seed", "steps", "tokens", "seconds", "peak_activation_bytes", "max_seq_length", "command", "recipe"],
            json.GetProperty("run").EnumerateObject().Select(property => property.Name));
        Assert.Equal("2026-03-04T03:06:07Z", json.GetProperty("run").GetProperty("date").GetString());
        Assert.Equal("compress", json.GetProperty("run").GetProperty("recipe").GetProperty("job").GetString());
        Assert.Equal(
            ["cpu", "cpu_tier", "cores", "logical_cores", "threads", "system", "runtime", "limbeck"], json.GetProperty("machine").EnumerateObject().Select(property => property.Name));
        JsonElement scores = json.GetProperty("scores");
        Assert.Equal(0.81, scores.GetProperty("rows")[0].GetProperty("metrics").GetProperty("accuracy").GetDouble());
        Assert.Equal(["model", "teacher", "baseline"], scores.GetProperty("rows").EnumerateArray().Select(row => row.GetProperty("role").GetString()));
        Assert.Equal(-0.05, scores.GetProperty("comparisons")[0].GetProperty("low").GetDouble());
        Assert.Equal(20, scores.GetProperty("agreement").GetProperty("only_teacher").GetInt32());
        Assert.Equal(52_840_000, json.GetProperty("models")[0].GetProperty("bytes").GetInt64());
        Assert.Equal(3_430_000, json.GetProperty("models")[0].GetProperty("parameters").GetProperty("encoder").GetInt64());
        Assert.Equal(1.72, json.GetProperty("compression").GetProperty("parameters").GetDouble(), 0.01);
        Assert.Equal(800, json.GetProperty("timing").GetProperty("models")[0].GetProperty("texts_per_second").GetDouble());
        Assert.Equal(0.3, json.GetProperty("layers").GetProperty("pairs")[1].GetProperty("attention_divergence").GetDouble());
        JsonElement example = json.GetProperty("examples").GetProperty("rows")[0];
        Assert.Equal(["line", "text", "pair", "gold", "model", "teacher"], example.EnumerateObject().Select(property => property.Name));
        Assert.Equal(["label", "score", "right"], example.GetProperty("model").EnumerateObject().Select(property => property.Name));
        Assert.Equal("disagreement", json.GetProperty("examples").GetProperty("kind").GetString());
    }

    [Fact]
    public void What_JSON_has_no_number_for_is_null()
    {
        using JsonDocument document = Write(ReportSample.Full);
        JsonElement curve = document.RootElement.GetProperty("curves")[0];
        Assert.Equal([10, 20, 30, 40], curve.GetProperty("steps").EnumerateArray().Select(step => step.GetInt32()));
        Assert.Equal([JsonValueKind.Number, JsonValueKind.Null, JsonValueKind.Number, JsonValueKind.Null], curve.GetProperty("values").EnumerateArray().Select(value => value.ValueKind));
        Assert.Equal(JsonValueKind.Null, document.RootElement.GetProperty("scores").GetProperty("rows")[2].GetProperty("metrics").GetProperty("accuracy").ValueKind);
        Assert.Equal(JsonValueKind.Null, document.RootElement.GetProperty("layers").GetProperty("pairs")[2].GetProperty("hidden_distance").ValueKind);
    }

    [Fact]
    public void What_is_not_known_is_left_out()
    {
        using JsonDocument document = Write(ReportSample.Least);
        Assert.Equal(["format", "version", "title", "story", "run", "machine", "models", "curves", "notes"], document.RootElement.EnumerateObject().Select(property => property.Name));
    }

    [Theory]
    [InlineData("a  b\n\tc", 20, "a b c")]
    [InlineData("abcdef", 3, "abc…")]
    [InlineData("ab\U0001F600d", 3, "ab…")]   // never half of a character
    [InlineData("ae\u0301x", 2, "a…")]
    [InlineData("", 3, "")]
    public void Texts_are_shortened_between_characters(string text, int most, string shown) => Assert.Equal(shown, ReportText.Shorten(text, most));

    private static JsonDocument Write(RunReport report)
    {
        using MemoryStream stream = new();
        ReportJson.Write(report, stream);
        return JsonDocument.Parse(stream.ToArray());
    }
}
