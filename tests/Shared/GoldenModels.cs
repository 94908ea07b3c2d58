using System.Text.Json;
using Limbeck.Models;
using Limbeck.Tensors;

namespace Limbeck.TestData;

/// <summary>Configurations as the goldens' sidecars write them.</summary>
internal static class GoldenModels
{
    public static BertConfig Config(JsonElement sizes, int labels, string head)
    {
        string names = string.Join(",", Enumerable.Range(0, labels).Select(i => $"\"{i}\":\"LABEL_{i}\""));
        string json = $$"""
            {"model_type":"bert","hidden_act":"gelu","hidden_dropout_prob":0.0,"attention_probs_dropout_prob":0.0,"initializer_range":0.02,"pad_token_id":0,
             "hidden_size":{{Number("hidden_size")}},"num_hidden_layers":{{Number("num_hidden_layers")}},"num_attention_heads":{{Number("num_attention_heads")}},
             "intermediate_size":{{Number("intermediate_size")}},"vocab_size":{{Number("vocab_size")}},"max_position_embeddings":{{Number("max_position_embeddings")}},
             "type_vocab_size":{{Number("type_vocab_size")}},"layer_norm_eps":{{sizes.GetProperty("layer_norm_eps").GetRawText()}},"id2label":{ {{names}} }
             {{(head == "relu" ? ",\"limbeck_head\":\"relu\"" : string.Empty)}} }
            """;
        return BertConfig.Parse(json, "golden");

        int Number(string key) => sizes.GetProperty(key).GetInt32();
    }

    /// <summary>The packed batch of a golden: input.packed.* where it is there, else the rows of input.ids without padding.</summary>
    public static PackedBatch Batch(Golden golden)
    {
        int[] offsets = golden.Integers("input.offsets");
        if (golden.Has("input.packed.ids"))
        {
            return new PackedBatch(golden.Integers("input.packed.ids"), golden.Integers("input.packed.type_ids"), offsets);
        }

        return new PackedBatch(golden.Integers("input.ids"), golden.Integers("input.type_ids"), offsets);
    }
}
