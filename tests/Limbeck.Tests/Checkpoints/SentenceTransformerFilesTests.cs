using System.Text.Json;
using Limbeck.Checkpoints;
using Limbeck.TestData;

namespace Limbeck.Tests.Checkpoints;

public sealed class SentenceTransformerFilesTests : IDisposable
{
    private const string Mean = """{"word_embedding_dimension":4,"pooling_mode_cls_token":false,"pooling_mode_mean_tokens":true,"pooling_mode_max_tokens":false}""";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static string Module(int index, string path, string type) => $$"""{"idx":{{index}},"name":"{{index}}","path":"{{path}}","type":"sentence_transformers.models.{{type}}"}""";

    private void Modules(params string[] modules) => _folder.Add("modules.json", "[" + string.Join(",", modules) + "]");

    private void Refused(params string[] parts)
    {
        var error = Assert.Throws<CheckpointException>(() => SentenceTransformerFiles.Read(_folder.Path));
        Assert.StartsWith(_folder.Path, error.Message, StringComparison.Ordinal);
        Assert.All(parts, part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void A_directory_without_modules_is_no_sentence_transformer() => Assert.Null(SentenceTransformerFiles.Read(_folder.Path));

    [Theory]
    [InlineData(PoolingMode.Mean, true, 256, "", false)]
    [InlineData(PoolingMode.Cls, false, null, "", true)]
    [InlineData(PoolingMode.Mean, false, 128, "0_Transformer", false)]
    public void What_is_written_is_read(PoolingMode pooling, bool normalize, int? length, string directory, bool lowerCase)
    {
        var config = new SentenceTransformerConfig(pooling, normalize, length, directory, lowerCase);
        SentenceTransformerFiles.Write(_folder.Path, config, 384);
        Assert.Equal(config, SentenceTransformerFiles.Read(_folder.Path));
    }

    [SkippableFact]
    public void What_is_written_for_the_pretrained_model_equals_its_own_files()
    {
        string original = SharedData.Require("models", "all-MiniLM-L6-v2");
        SentenceTransformerFiles.Write(_folder.Path, SentenceTransformerFiles.Read(original)!, 384);
        foreach (string file in (string[])["modules.json", "sentence_bert_config.json", "1_Pooling/config.json"])
        {
            using JsonDocument needed = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(original, file)));
            using JsonDocument got = JsonDocument.Parse(File.ReadAllBytes(_folder[file]));
            Assert.True(JsonElement.DeepEquals(needed.RootElement, got.RootElement), file);
        }
    }

    [Theory]
    [InlineData("""{"pooling_mode":"mean"}""", PoolingMode.Mean)]
    [InlineData("""{"pooling_mode":"cls"}""", PoolingMode.Cls)]
    [InlineData("""{"pooling_mode_cls_token":true,"include_prompt":true}""", PoolingMode.Cls)]
    public void Pooling_is_read_in_both_spellings(string json, PoolingMode needed)
    {
        Modules(Module(0, "", "Transformer"), Module(1, "pool", "Pooling"));
        _folder.Add("pool/config.json", json);
        Assert.Equal(new SentenceTransformerConfig(needed, false, null), SentenceTransformerFiles.Read(_folder.Path));
    }

    [Theory]
    [InlineData("""{"pooling_mode_max_tokens":true}""", "max_tokens")]
    [InlineData("""{"pooling_mode_mean_sqrt_len_tokens":true}""", "mean_sqrt_len_tokens")]
    [InlineData("""{"pooling_mode_lasttoken":true}""", "lasttoken")]
    [InlineData("""{"pooling_mode":"weightedmean"}""", "weightedmean")]
    [InlineData("""{"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":true}""", "together")]
    [InlineData("""{"pooling_mode_cls_token":false}""", "no pooling mode")]
    [InlineData("[]", "object")]
    public void Other_pooling_is_refused_by_name(string json, string part)
    {
        Modules(Module(0, "", "Transformer"), Module(1, "1_Pooling", "Pooling"));
        _folder.Add("1_Pooling/config.json", json);
        Refused("1_Pooling/config.json", part);
    }

    [Fact]
    public void Other_modules_are_refused_by_name()
    {
        Modules(Module(0, "", "Transformer"), Module(1, "1_Pooling", "Pooling"), Module(2, "2_Dense", "Dense"), Module(3, "3", "LSTM"));
        Refused("modules.json", "sentence_transformers.models.Dense", "sentence_transformers.models.LSTM");
    }

    [Fact]
    public void Modules_in_another_order_are_refused()
    {
        Modules(Module(0, "", "Transformer"), Module(2, "1_Pooling", "Pooling"), Module(1, "2_Normalize", "Normalize"));
        Refused("Transformer, Normalize, Pooling");
    }

    [Theory]
    [InlineData("../elsewhere")]
    [InlineData("/etc")]
    [InlineData("a/../../b")]
    public void A_module_outside_the_directory_is_refused(string path)
    {
        Modules(Module(0, path, "Transformer"), Module(1, "1_Pooling", "Pooling"));
        Refused("modules.json", path);
    }

    [Fact]
    public void A_missing_pooling_file_is_named()
    {
        Modules(Module(0, "", "Transformer"), Module(1, "1_Pooling", "Pooling"));
        Refused("1_Pooling", "no such file");
    }

    [Theory]
    [InlineData("""{"max_seq_length":"256"}""", "max_seq_length")]
    [InlineData("""{"max_seq_length":0}""", "max_seq_length")]
    [InlineData("""{"max_seq_length":1.5}""", "max_seq_length")]
    [InlineData("""{"do_lower_case":1}""", "do_lower_case")]
    [InlineData("[1]", "object")]
    public void Damaged_lengths_are_refused(string json, string part)
    {
        Modules(Module(0, "", "Transformer"), Module(1, "1_Pooling", "Pooling"));
        _folder.Add("1_Pooling/config.json", Mean);
        _folder.Add("sentence_bert_config.json", json);
        Refused("sentence_bert_config.json", part);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[1]")]
    [InlineData("""[{"type":"sentence_transformers.models.Transformer"}]""")]
    [InlineData("[]")]
    public void A_damaged_list_of_modules_is_refused(string json)
    {
        _folder.Add("modules.json", json);
        Refused("modules.json");
    }
}
