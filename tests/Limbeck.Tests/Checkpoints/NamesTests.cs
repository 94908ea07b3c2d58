using Limbeck.Checkpoints;

namespace Limbeck.Tests.Checkpoints;

public class NamesTests
{
    [Theory]
    [InlineData("bert.encoder.layer.0.output.LayerNorm.gamma", "bert.encoder.layer.0.output.LayerNorm.weight")]
    [InlineData("bert.embeddings.LayerNorm.beta", "bert.embeddings.LayerNorm.bias")]
    [InlineData("cls.predictions.transform.LayerNorm.gamma", "cls.predictions.transform.LayerNorm.weight")]
    [InlineData("embeddings.word_embeddings.weight", "bert.embeddings.word_embeddings.weight")]
    [InlineData("encoder.layer.11.attention.self.key.bias", "bert.encoder.layer.11.attention.self.key.bias")]
    [InlineData("pooler.dense.weight", "bert.pooler.dense.weight")]
    [InlineData("module.bert.pooler.dense.weight", "bert.pooler.dense.weight")]
    [InlineData("module.encoder.layer.0.output.LayerNorm.beta", "bert.encoder.layer.0.output.LayerNorm.bias")]
    [InlineData("classifier.weight", "classifier.weight")]
    [InlineData("bert.pooler.dense.weight", "bert.pooler.dense.weight")]
    [InlineData("gamma", "gamma")]
    public void Old_names_become_the_present_ones(string old, string now) => Assert.Equal(now, HuggingFaceNames.Canonical(old));

    [Theory]
    [InlineData("bert.embeddings.position_ids", true)]
    [InlineData("cls.seq_relationship.weight", true)]
    [InlineData("fit_dense.weight", true)]
    [InlineData("fit_denses.3.bias", true)]
    [InlineData("bert.embeddings.position_embeddings.weight", false)]
    [InlineData("cls.predictions.bias", false)]
    [InlineData("classifier.bias", false)]
    public void What_no_model_is_made_of_is_ignored(string name, bool isIgnored) => Assert.Equal(isIgnored, HuggingFaceNames.IsIgnored(name));

    [Fact]
    public void Two_names_of_one_tensor_are_refused_naming_both()
    {
        using ITensorSource source = Source("bert.pooler.dense.bias", "pooler.dense.bias", "a");
        var error = Assert.Throws<CheckpointException>(() => new NamedWeights(source));
        Assert.Contains("'bert.pooler.dense.bias'", error.Message, StringComparison.Ordinal);
        Assert.Contains("'pooler.dense.bias'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Everything_that_does_not_fit_is_told_at_once_with_got_and_needed()
    {
        using ITensorSource source = Source("module.pooler.dense.bias", "b");
        var weights = new NamedWeights(source);
        weights.Require([("bert.pooler.dense.bias", [2]), ("b", [2])], "config.json");
        var error = Assert.Throws<CheckpointException>(() => weights.Require([("b", [3, 2]), ("missing", [1]), ("bert.pooler.dense.bias", [2])], "config.json (hidden_size 3)"));
        Assert.Contains("2 faults", error.Message, StringComparison.Ordinal);
        Assert.Contains("tensor 'b' is [2]; config.json (hidden_size 3) needs [3, 2]", error.Message, StringComparison.Ordinal);
        Assert.Contains("no tensor 'missing'", error.Message, StringComparison.Ordinal);
        float[] values = new float[2];
        weights.Read("bert.pooler.dense.bias", values);
        Assert.Equal([1, 2], values);
        Assert.Throws<CheckpointException>(() => weights.Read("module.pooler.dense.bias", values));
    }

    private static SafetensorsFile Source(params string[] names)
    {
        // The map outlives the name in the file system, so the folder can go at once.
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["model.safetensors"], names.Select(name => SafetensorsTensor.OfFloats(name, [2], () => [1f, 2f])));
        return SafetensorsFile.Open(folder["model.safetensors"]);
    }
}
