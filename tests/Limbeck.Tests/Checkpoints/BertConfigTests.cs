using System.Text.Json;
using Limbeck.Checkpoints;
using Limbeck.Models;

namespace Limbeck.Tests.Checkpoints;

public sealed class BertConfigTests : IDisposable
{
    private const string Sizes = """
        "hidden_size":16,"num_hidden_layers":2,"num_attention_heads":2,"intermediate_size":32,"vocab_size":120,"max_position_embeddings":32,"type_vocab_size":2
        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static BertConfig Parse(string more) => BertConfig.Parse($$$"""{"model_type":"bert",{{{Sizes.Trim()}}}{{{(more.Length == 0 ? "" : "," + more)}}}}""", "dir/config.json");

    private static void Refused(string more, params string[] parts)
    {
        var error = Assert.Throws<CheckpointException>(() => Parse(more));
        Assert.StartsWith("dir/config.json: ", error.Message, StringComparison.Ordinal);
        Assert.All(parts, part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
    }

    private Dictionary<string, JsonElement> Written(BertConfig config, string? architecture = null, TensorType weights = TensorType.F32)
    {
        config.Write(_folder.Path, architecture, weights);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(_folder["config.json"]));
        return document.RootElement.EnumerateObject().ToDictionary(key => key.Name, key => key.Value.Clone());
    }

    [Fact]
    public void Every_value_is_read()
    {
        BertConfig config = Parse("""
            "architectures":["BertForSequenceClassification"],"hidden_act":"relu","hidden_dropout_prob":0.2,"attention_probs_dropout_prob":0.3,"classifier_dropout":0.4,
            "layer_norm_eps":1e-5,"initializer_range":0.05,"pad_token_id":3,"tie_word_embeddings":false,"problem_type":"regression","limbeck_head":"relu","id2label":{"0":"score"}
            """);
        Assert.Equal((16, 2, 2, 32, 120, 32, 2, 8), (config.HiddenSize, config.LayerCount, config.HeadCount, config.IntermediateSize, config.VocabularySize, config.MaxPositions, config.TypeVocabularySize, config.HeadSize));
        Assert.Equal((0.2f, 0.3f, 0.4f, 1e-5f, 0.05f), (config.HiddenDropout, config.AttentionDropout, config.ClassifierDropout, config.LayerNormEpsilon, config.InitializerRange));
        Assert.Equal(("relu", "relu", "regression", 3, false, true), (config.HiddenActivation, config.HeadActivation, config.ProblemType, config.PadTokenId, config.TieWordEmbeddings, config.IsRegression));
        Assert.Equal(["BertForSequenceClassification"], config.Architectures);
        Assert.Equal(["score"], config.Labels);
    }

    [Fact]
    public void What_is_missing_has_the_value_of_transformers()
    {
        BertConfig config = BertConfig.Parse("""{"model_type":"bert"}""", "config.json");
        Assert.Equal((768, 12, 12, 3072, 30522, 512, 2), (config.HiddenSize, config.LayerCount, config.HeadCount, config.IntermediateSize, config.VocabularySize, config.MaxPositions, config.TypeVocabularySize));
        Assert.Equal(("gelu", "tanh", 0.1f, 0.1f, 1e-12f, 0), (config.HiddenActivation, config.HeadActivation, config.HiddenDropout, config.AttentionDropout, config.LayerNormEpsilon, config.PadTokenId));
        Assert.Null(config.ClassifierDropout);
        Assert.Equal(["LABEL_0", "LABEL_1"], config.Labels);
        Assert.False(config.IsRegression);
    }

    [Fact]
    public void The_old_file_without_a_type_is_read_when_it_gives_every_size()
    {
        _folder.Add("bert_config.json", $$"""{{{Sizes.Trim()}},"directionality":"bidi","pooler_type":"first_token_transform"}""");
        BertConfig config = BertConfig.Read(_folder.Path);
        Assert.Equal(16, config.HiddenSize);
        Dictionary<string, JsonElement> written = Written(config);
        Assert.Equal("bert", written["model_type"].GetString());
        Assert.Equal("bidi", written["directionality"].GetString());
        var error = Assert.Throws<CheckpointException>(() => BertConfig.Parse("""{"dim":768,"n_layers":6}""", "config.json"));
        Assert.Contains("hidden_size is missing, and so is model_type", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_byte_order_mark_is_tolerated() => Assert.Equal(2, BertConfig.Parse("\uFEFF{\"model_type\":\"bert\",\"num_hidden_layers\":2}", "config.json").LayerCount);

    [Fact]
    public void A_directory_without_a_configuration_is_refused() =>
        Assert.Contains("config.json", Assert.Throws<CheckpointException>(() => BertConfig.Read(_folder.Path)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("roberta")]
    [InlineData("deberta-v2")]
    [InlineData("distilbert")]
    [InlineData("albert")]
    [InlineData("electra")]
    [InlineData("xlm-roberta")]
    [InlineData("mpnet")]
    [InlineData("modernbert")]
    [InlineData("nomic_bert")]
    public void Another_model_type_is_refused_by_name(string type)
    {
        var error = Assert.Throws<CheckpointException>(() => BertConfig.Parse($$"""{"model_type":"{{type}}"}""", "config.json"));
        Assert.Contains($"'{type}'", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("BertForTokenClassification")]
    [InlineData("BertForQuestionAnswering")]
    [InlineData("BertForMultipleChoice")]
    [InlineData("BertForNextSentencePrediction")]
    [InlineData("BertLMHeadModel")]
    [InlineData("RobertaForSequenceClassification")]
    public void Another_architecture_is_refused_by_name(string name) => Refused($"\"architectures\":[\"{name}\"]", name);

    [Theory]
    [InlineData("BertModel")]
    [InlineData("BertForSequenceClassification")]
    [InlineData("BertForMaskedLM")]
    [InlineData("BertForPreTraining")]
    public void The_architectures_of_the_encoder_and_its_heads_are_read(string name) => Assert.Equal([name], Parse($"\"architectures\":[\"{name}\"]").Architectures);

    [Theory]
    [InlineData("\"problem_type\":\"multi_label_classification\"", "multi_label_classification")]
    [InlineData("\"problem_type\":\"ranking\"", "ranking")]
    [InlineData("\"problem_type\":\"regression\",\"id2label\":{\"0\":\"a\",\"1\":\"b\"}", "regression")]
    [InlineData("\"hidden_act\":\"gelu_new\"", "gelu_new")]
    [InlineData("\"hidden_act\":\"swish\"", "swish")]
    [InlineData("\"limbeck_head\":\"gelu\"", "limbeck_head")]
    [InlineData("\"position_embedding_type\":\"relative_key\"", "relative_key")]
    [InlineData("\"is_decoder\":true", "is_decoder")]
    [InlineData("\"add_cross_attention\":true", "add_cross_attention")]
    [InlineData("\"is_encoder_decoder\":true", "is_encoder_decoder")]
    [InlineData("\"pruned_heads\":{\"0\":[1]}", "pruned_heads")]
    [InlineData("\"quantization_config\":{\"bits\":8}", "quantization_config")]
    [InlineData("\"auto_map\":{\"AutoModel\":\"modeling.Model\"}", "auto_map")]
    public void What_is_not_supported_is_refused_by_name(string more, string part) => Refused(more, part);

    [Fact]
    public void What_is_switched_off_is_no_reason_to_refuse() => Parse("\"is_decoder\":false,\"add_cross_attention\":false,\"pruned_heads\":{},\"position_embedding_type\":\"absolute\",\"problem_type\":null,\"quantization_config\":null");

    [Theory]
    [InlineData("hidden_size", "0")]
    [InlineData("hidden_size", "-16")]
    [InlineData("hidden_size", "2147483647")]
    [InlineData("hidden_size", "99999999999")]
    [InlineData("hidden_size", "16.5")]
    [InlineData("hidden_size", "\"16\"")]
    [InlineData("hidden_size", "[16]")]
    [InlineData("num_hidden_layers", "0")]
    [InlineData("num_hidden_layers", "100000")]
    [InlineData("num_attention_heads", "0")]
    [InlineData("intermediate_size", "-1")]
    [InlineData("vocab_size", "0")]
    [InlineData("vocab_size", "1000000000")]
    [InlineData("max_position_embeddings", "0")]
    [InlineData("type_vocab_size", "0")]
    [InlineData("pad_token_id", "-1")]
    [InlineData("pad_token_id", "30522")]
    [InlineData("hidden_dropout_prob", "1")]
    [InlineData("hidden_dropout_prob", "-0.1")]
    [InlineData("attention_probs_dropout_prob", "1e400")]
    [InlineData("classifier_dropout", "2")]
    [InlineData("layer_norm_eps", "0")]
    [InlineData("layer_norm_eps", "\"small\"")]
    [InlineData("initializer_range", "-1")]
    [InlineData("hidden_act", "7")]
    [InlineData("is_decoder", "\"no\"")]
    [InlineData("architectures", "\"BertModel\"")]
    public void An_impossible_value_is_refused_with_its_key(string key, string value)
    {
        var error = Assert.Throws<CheckpointException>(() => BertConfig.Parse($$"""{"model_type":"bert","{{key}}":{{value}}}""", "config.json"));
        Assert.Contains(key + " is ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_hidden_size_that_heads_do_not_divide_is_refused() =>
        Assert.Contains("hidden_size 768 is not a multiple of num_attention_heads 7", Assert.Throws<CheckpointException>(() => BertConfig.Parse("""{"model_type":"bert","num_attention_heads":7}""", "config.json")).Message, StringComparison.Ordinal);

    [Fact]
    public void All_faults_are_told_at_once() => Refused("\"hidden_act\":\"mish\",\"hidden_dropout_prob\":7,\"problem_type\":\"multi_label_classification\",\"id2label\":{\"1\":\"a\"}", "4 faults", "mish", "hidden_dropout_prob", "multi_label", "id2label");

    [Theory]
    [InlineData("{")]
    [InlineData("")]
    [InlineData("{\"hidden_size\":1,\"hidden_size\":2}")]
    [InlineData("{\"hidden_size\":NaN}")]
    [InlineData("{\"hidden_act\":\"\\ud800\"}")]
    public void What_is_not_json_is_refused(string json) => Assert.Contains("config.json: is not valid JSON", Assert.Throws<CheckpointException>(() => BertConfig.Parse(json, "config.json")).Message, StringComparison.Ordinal);

    [Fact]
    public void What_is_not_an_object_is_refused() => Assert.Contains("object", Assert.Throws<CheckpointException>(() => BertConfig.Parse("[]", "config.json")).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("\"id2label\":{\"0\":\"a\",\"1\":\"b\",\"2\":\"c\"}", "a b c")]
    [InlineData("\"id2label\":{\"2\":\"c\",\"0\":\"a\",\"1\":\"b\"},\"label2id\":{\"b\":1,\"a\":0,\"c\":2}", "a b c")]
    [InlineData("\"id2label\":{\"0\":\"a\",\"1\":\"b\"},\"label2id\":{\"a\":\"0\",\"b\":\"1\"}", "a b")]
    [InlineData("\"label2id\":{\"b\":1,\"a\":0}", "a b")]
    [InlineData("\"num_labels\":3", "LABEL_0 LABEL_1 LABEL_2")]
    [InlineData("\"num_labels\":2,\"id2label\":{\"0\":\"a\",\"1\":\"b\"}", "a b")]
    [InlineData("\"num_labels\":1", "LABEL_0")]
    public void Labels_are_in_the_order_of_their_ids(string more, string labels) => Assert.Equal(labels.Split(' '), Parse(more).Labels);

    [Theory]
    [InlineData("\"id2label\":{\"0\":\"a\",\"2\":\"b\"}", "none with id 1")]
    [InlineData("\"id2label\":{\"1\":\"a\",\"2\":\"b\"}", "none with id 0")]
    [InlineData("\"id2label\":{\"a\":\"0\"}", "the id 'a'")]
    [InlineData("\"id2label\":{\"-1\":\"a\"}", "the id '-1'")]
    [InlineData("\"id2label\":{\"0\":0}", "class 0")]
    [InlineData("\"id2label\":{\"0\":\"a\",\"00\":\"b\"}", "class 0 twice")]
    [InlineData("\"id2label\":[\"a\"]", "object is needed")]
    [InlineData("\"id2label\":{}", "no labels")]
    [InlineData("\"id2label\":{\"0\":\"a\",\"1\":\"a\"}", "'a' names 2 classes")]
    [InlineData("\"id2label\":{\"0\":\"a\",\"1\":\"b\"},\"label2id\":{\"a\":1,\"b\":0}", "disagree")]
    [InlineData("\"id2label\":{\"0\":\"a\",\"1\":\"b\"},\"label2id\":{\"LABEL_0\":0,\"LABEL_1\":1}", "disagree")]
    [InlineData("\"id2label\":{\"0\":\"a\",\"1\":\"b\"},\"label2id\":{\"a\":0}", "disagree")]
    [InlineData("\"label2id\":{\"a\":0,\"b\":0}", "id 0 to 'a' and 'b'")]
    [InlineData("\"label2id\":{\"a\":-1}", "'a'")]
    [InlineData("\"id2label\":{\"0\":\"a\"},\"num_labels\":2", "num_labels is 2")]
    [InlineData("\"num_labels\":0", "num_labels is 0")]
    [InlineData("\"num_labels\":2000000000", "num_labels is 2000000000")]
    public void Labels_that_cannot_be_told_apart_are_refused(string more, string part) => Refused(more, part);

    [Fact]
    public void A_changed_value_changes_its_key_alone_and_unknown_keys_keep_their_place()
    {
        BertConfig config = Parse("\"zebra\":{\"a\":[1,2.50]},\"layer_norm_eps\":1e-05,\"dtype\":\"bfloat16\",\"pad_token_id\":null,\"id2label\":{\"0\":\"a\",\"1\":\"b\"},\"aardvark\":1") with { LayerCount = 1 };
        config.Write(_folder.Path);
        string text = File.ReadAllText(_folder["config.json"]).ReplaceLineEndings("").Replace(" ", "", StringComparison.Ordinal);
        Assert.Equal("""{"model_type":"bert","hidden_size":16,"num_hidden_layers":1,"num_attention_heads":2,"intermediate_size":32,"vocab_size":120,"max_position_embeddings":32,"type_vocab_size":2,"zebra":{"a":[1,2.50]},"layer_norm_eps":1e-05,"dtype":"float32","pad_token_id":null,"id2label":{"0":"a","1":"b"},"aardvark":1}""", text);
    }

    [Fact]
    public void A_new_head_is_written_with_its_architecture_and_labels()
    {
        Dictionary<string, JsonElement> written = Written(Parse("\"architectures\":[\"BertModel\"],\"torch_dtype\":\"float32\"") with { Labels = ["no", "yes", "maybe"], HeadActivation = BertConfig.ReluHead }, "BertForSequenceClassification", TensorType.F16);
        Assert.Equal("""["BertForSequenceClassification"]""", Compact(written["architectures"]));
        Assert.Equal("""{"0":"no","1":"yes","2":"maybe"}""", Compact(written["id2label"]));
        Assert.Equal("""{"no":0,"yes":1,"maybe":2}""", Compact(written["label2id"]));
        Assert.Equal("relu", written["limbeck_head"].GetString());
        Assert.Equal("float16", written["torch_dtype"].GetString());
        BertConfig again = BertConfig.Read(_folder.Path);
        Assert.Equal(["no", "yes", "maybe"], again.Labels);
        Assert.DoesNotContain("limbeck_head", Written(again with { HeadActivation = BertConfig.TanhHead }).Keys);
    }

    [Fact]
    public void A_new_configuration_has_the_keys_of_transformers()
    {
        var config = new BertConfig { HiddenSize = 312, LayerCount = 4, IntermediateSize = 1200, Labels = ["a", "b", "c"], ProblemType = "single_label_classification", ClassifierDropout = 0.5f };
        Dictionary<string, JsonElement> written = Written(config, "BertForSequenceClassification");
        Assert.Equal(
            ["add_cross_attention", "architectures", "attention_probs_dropout_prob", "bos_token_id", "classifier_dropout", "eos_token_id", "hidden_act", "hidden_dropout_prob", "hidden_size", "id2label", "initializer_range",
             "intermediate_size", "is_decoder", "label2id", "layer_norm_eps", "max_position_embeddings", "model_type", "num_attention_heads", "num_hidden_layers", "pad_token_id", "problem_type", "tie_word_embeddings", "type_vocab_size", "use_cache", "vocab_size"],
            written.Keys);
        BertConfig again = BertConfig.Read(_folder.Path);
        Assert.Equal((312, 4, 1200, 0.5f, "single_label_classification", 1e-12f), (again.HiddenSize, again.LayerCount, again.IntermediateSize, again.ClassifierDropout, again.ProblemType, again.LayerNormEpsilon));
        Assert.Equal(config.Labels, again.Labels);
    }

    [Fact]
    public void An_impossible_configuration_is_not_written()
    {
        Assert.Contains("hidden_size", Assert.Throws<CheckpointException>(() => new BertConfig { HiddenSize = 100 }.Write(_folder.Path)).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    private static string Compact(JsonElement element) => element.GetRawText().ReplaceLineEndings("").Replace(" ", "", StringComparison.Ordinal);
}
