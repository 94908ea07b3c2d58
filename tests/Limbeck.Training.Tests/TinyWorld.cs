using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tokenization;
using Limbeck.Training.Data;

namespace Limbeck.Training.Tests;

/// <summary>A task, a vocabulary and models so small that a test trains them in a moment.</summary>
internal static class TinyWorld
{
    private static readonly string[] Words = ["good", "bad", "fine", "poor", "film", "food", "the", "was", "very", "not", "and", "is"];

    public static BertTokenizer Tokenizer { get; } = BertTokenizer.FromVocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", .. Words]);

    public static TaskDefinition Task { get; } = TaskDefinition.Custom(TaskKind.Classification, isPair: false, ["negative", "positive"]);

    /// <summary>Sentences that are positive when more good words than bad ones stand in them.</summary>
    public static Dataset Data(int rows, ulong seed)
    {
        SeededRandom random = new(seed);
        List<TextExample> examples = [];
        while (examples.Count < rows)
        {
            string[] words = [.. Enumerable.Range(0, 3 + random.NextInt(8)).Select(_ => Words[random.NextInt(Words.Length)])];
            int balance = words.Sum(word => word is "good" or "fine" ? 1 : word is "bad" or "poor" ? -1 : 0);
            if (balance != 0)
            {
                examples.Add(new TextExample(string.Join(' ', words), null, balance > 0 ? 1 : 0, double.NaN, examples.Count + 1));
            }
        }

        return new Dataset("tiny", Task, examples);
    }

    public static EncodedDataset Encoded(int rows, ulong seed) => EncodedDataset.Encode(Data(rows, seed), Tokenizer, 32);

    public static BertConfig Config(int layers = 2, int hidden = 24, int heads = 4, int intermediate = 48, float dropout = 0.1f) => new()
    {
        LayerCount = layers,
        HiddenSize = hidden,
        HeadCount = heads,
        IntermediateSize = intermediate,
        VocabularySize = Tokenizer.VocabularySize,
        MaxPositions = 32,
        HiddenDropout = dropout,
        AttentionDropout = dropout,
        Labels = ["negative", "positive"],
    };

    public static BertModel Model(BertConfig config, ulong seed)
    {
        BertModel model = new(config, HeadKind.Classifier);
        model.Initialize(new SeededRandom(seed));
        return model;
    }

    public static string NewDirectory() => Directory.CreateTempSubdirectory("limbeck-test-").FullName;
}
