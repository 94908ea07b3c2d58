using Limbeck.Checkpoints;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tests.Checkpoints;

namespace Limbeck.Tests.Models;

/// <summary>A masked language model's decoder is the word table; some checkpoints hold it a second time.</summary>
public sealed class TiedDecoderTests
{
    private static readonly BertConfig Config = new() { LayerCount = 1, HiddenSize = 8, HeadCount = 2, IntermediateSize = 16, VocabularySize = 12, MaxPositions = 8 };

    [Fact]
    public void Copies_of_the_word_table_and_the_bias_are_taken_for_what_they_are()
    {
        using TemporaryFolder folder = new();
        Save(folder.Path, 1f);
        using BertModel model = BertModel.Load(folder.Path, HeadKind.MaskedLanguageModel, out LoadReport report);
        Assert.Empty(report.New);
        Assert.Empty(report.Unused);
    }

    [Theory]
    [InlineData("cls.predictions.decoder.weight")]
    [InlineData("cls.predictions.decoder.bias")]
    public void A_decoder_of_its_own_is_refused_by_name(string name)
    {
        using TemporaryFolder folder = new();
        Save(folder.Path, 2f, name);
        Assert.Contains($"'{name}'", Assert.Throws<CheckpointException>(() => BertModel.Load(folder.Path, HeadKind.MaskedLanguageModel, out _)).Message, StringComparison.Ordinal);
    }

    /// <summary>Saves a model with the decoder's tensors, one of them multiplied by a factor.</summary>
    private static void Save(string folder, float factor, string? scaled = null)
    {
        using BertModel model = new(Config, HeadKind.MaskedLanguageModel);
        model.Initialize(new SeededRandom(1));
        model["cls.predictions.bias"].Value.Span.Fill(0.5f);
        model.Save(folder);
        List<SafetensorsTensor> tensors = [.. model.Parameters.Select(parameter => Of(parameter, parameter.Name, 1f))];
        foreach ((string name, string twin) in new[] { ("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"), ("cls.predictions.decoder.bias", "cls.predictions.bias") })
        {
            tensors.Add(Of(model[twin], name, name == scaled ? factor : 1f));
        }

        SafetensorsWriter.Write(Path.Combine(folder, "model.safetensors"), tensors);
    }

    private static SafetensorsTensor Of(Parameter parameter, string name, float factor)
    {
        float[] values = [.. parameter.Value.ToArray().Select(value => value * factor)];
        return SafetensorsTensor.OfFloats(name, [.. parameter.Value.Shape.ToArray()], () => values, TensorType.F32);
    }
}
