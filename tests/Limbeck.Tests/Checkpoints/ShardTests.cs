using Limbeck.Checkpoints;

namespace Limbeck.Tests.Checkpoints;

/// <summary>A checkpoint in several files: index and files must agree.</summary>
public sealed class ShardTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private void Shard(string file, params string[] names) =>
        SafetensorsWriter.Write(_folder[file], names.Select((name, place) => SafetensorsTensor.OfFloats(name, [1], () => new float[] { place + 1 })));

    private string Index(string json) => _folder.Add("model.safetensors.index.json", json);

    private void Refused(string path, params string[] parts)
    {
        var error = Assert.Throws<CheckpointException>(() => Checkpoint.Open(_folder.Path).Dispose());
        Assert.StartsWith(path + ": ", error.Message, StringComparison.Ordinal);
        Assert.All(parts, part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void Tensors_come_from_the_shard_that_has_them()
    {
        Shard("one.safetensors", "a", "b");
        Shard("two.safetensors", "c");
        string index = Index("""{"metadata":{"total_size":12},"weight_map":{"a":"one.safetensors","b":"one.safetensors","c":"two.safetensors"}}""");
        using ITensorSource source = Checkpoint.Open(_folder.Path);
        Assert.Equal(index, source.Path);
        Assert.Equal("pt", source.Metadata["format"]);
        Assert.Equal(["a", "b", "c"], source.Entries.Keys.Order());
        Assert.Equal(_folder["two.safetensors"], source.Entries["c"].File);
        float[] value = new float[1];
        source.Read("b", value);
        Assert.Equal(2, value[0]);
        Assert.Equal(4, source.Bytes("c").Length);
        Assert.Contains("no tensor 'd'", Assert.Throws<CheckpointException>(() => source.Read("d", value)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_whole_file_is_preferred_to_shards()
    {
        Shard("model.safetensors", "whole");
        Index("not even JSON");
        using ITensorSource source = Checkpoint.Open(_folder.Path);
        Assert.True(source.Entries.ContainsKey("whole"));
    }

    [Fact]
    public void A_missing_shard_is_named_with_what_it_held()
    {
        Shard("one.safetensors", "a");
        Refused(Index("""{"weight_map":{"a":"one.safetensors","b":"two.safetensors","c":"two.safetensors"}}"""), "two.safetensors", "2 tensors", "'b'");
    }

    [Fact]
    public void A_listed_tensor_that_no_shard_has_is_named()
    {
        Shard("one.safetensors", "a");
        Refused(Index("""{"weight_map":{"a":"one.safetensors","b":"one.safetensors"}}"""), "'b' is listed in one.safetensors, which does not have it");
    }

    [Fact]
    public void A_tensor_that_the_index_does_not_list_is_named()
    {
        Shard("one.safetensors", "a", "b");
        Refused(Index("""{"weight_map":{"a":"one.safetensors"}}"""), "'b' is in one.safetensors but not in the index");
    }

    [Fact]
    public void A_tensor_in_two_shards_is_refused_naming_both()
    {
        Shard("one.safetensors", "a", "b");
        Shard("two.safetensors", "b", "c");
        Refused(Index("""{"weight_map":{"a":"one.safetensors","b":"two.safetensors","c":"two.safetensors"}}"""), "'b' is in two shards", "one.safetensors", "two.safetensors");
    }

    [Fact]
    public void A_tensor_listed_in_another_shard_than_it_lies_in_is_named()
    {
        Shard("one.safetensors", "a", "b");
        Shard("two.safetensors", "c");
        Refused(Index("""{"weight_map":{"a":"one.safetensors","b":"two.safetensors","c":"two.safetensors"}}"""), "'b' is listed in two.safetensors but lies in one.safetensors");
    }

    [Theory]
    [InlineData("../one.safetensors")]
    [InlineData("/etc/passwd")]
    [InlineData("..")]
    [InlineData("sub/one.safetensors")]
    [InlineData("..\\\\one.safetensors")]
    [InlineData("C:one.safetensors")]
    [InlineData("")]
    [InlineData("one\\u0000.safetensors")]
    public void A_shard_outside_the_directory_is_refused(string file)
    {
        Shard("one.safetensors", "a");
        Refused(Index($$$"""{"weight_map":{"a":"{{{file}}}"}}"""), "'a'", "plain name");
    }

    [Theory]
    [InlineData("", "not valid JSON")]
    [InlineData("[]", "weight_map")]
    [InlineData("{}", "weight_map")]
    [InlineData("""{"weight_map":[]}""", "weight_map")]
    [InlineData("""{"weight_map":{}}""", "empty")]
    [InlineData("""{"weight_map":{"a":1}}""", "'a' has 1")]
    [InlineData("""{"weight_map":{"a":"x","a":"y"}}""", "not valid JSON")]
    [InlineData("""{"weight_map":{"a":"\ud800"}}""", "not valid JSON")]
    public void A_damaged_index_is_refused(string json, string part) => Refused(Index(json), part);

    [Fact]
    public void A_damaged_shard_is_named_itself()
    {
        string shard = _folder.Add("one.safetensors", "short");
        Index("""{"weight_map":{"a":"one.safetensors"}}""");
        Refused(shard, "5 bytes");
    }

    [Fact]
    public void A_directory_without_weights_is_refused_with_the_names_it_could_have() => Refused(_folder.Path, "model.safetensors", "pytorch_model.bin");
}
