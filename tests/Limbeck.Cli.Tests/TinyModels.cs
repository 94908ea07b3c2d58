using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tokenization;

namespace Limbeck.Cli.Tests;

/// <summary>A folder with a random model and small files, and the tool run in this process.</summary>
internal sealed class TinyModels : IDisposable
{
    private static readonly string[] Words = ["good", "bad", "fine", "poor", "film", "food", "the", "was", "very", "not", "and", "is"];

    public TinyModels()
    {
        BertTokenizer tokenizer = BertTokenizer.FromVocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", .. Words]);
        BertConfig config = new()
        {
            LayerCount = 2,
            HiddenSize = 16,
            HeadCount = 2,
            IntermediateSize = 32,
            VocabularySize = tokenizer.VocabularySize,
            MaxPositions = 32,
            InitializerRange = 0.5f,
            Labels = ["negative", "positive"],
        };
        Save("encoder", config, HeadKind.None, tokenizer);
        Save("classifier", config, HeadKind.Classifier, tokenizer);
        Save("mlm", config, HeadKind.MaskedLanguageModel, tokenizer);
        Save("regression", config with { Labels = ["LABEL_0"], ProblemType = "regression" }, HeadKind.Classifier, tokenizer);
        File.WriteAllText(this["train.csv"], Rows(60, 1));
        File.WriteAllText(this["dev.csv"], Rows(24, 2));
        File.WriteAllText(this["corpus.txt"], string.Concat(Enumerable.Range(0, 40).Select(i => $"the {Words[i % 6]} was {Words[i % 4]}\nnot very {Words[i % 3]}\n{(i % 3 == 0 ? "\n" : "")}")));
    }

    public string Folder { get; } = Directory.CreateTempSubdirectory("limbeck-cli-").FullName;

    public string this[string name] => Path.Combine(Folder, name);

    public static (int Status, string Out, string Error) Run(params string[] args) => RunWith(string.Empty, CancellationToken.None, args);

    public static (int Status, string Out, string Error) RunWith(string input, CancellationToken cancellation, params string[] args)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        using StringReader reader = new(input);
        int status = Tool.RunAsync(args, output, error, reader, cancellation).GetAwaiter().GetResult();
        return (status, output.ToString(), error.ToString());
    }

    public string[] FineTune(string output, params string[] more) =>
        ["finetune", "--model", this["encoder"], "--train-file", this["train.csv"], "--validation-file", this["dev.csv"], "--num-train-epochs", "1", "--max-seq-length", "16", "--output-dir", this[output], .. more];

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    /// <summary>Labelled sentences that are hardly ever the same, of 4 to 20 words.</summary>
    public static string RandomRows(int rows, ulong seed)
    {
        SeededRandom random = new(seed);
        return "text,label\n" + string.Concat(Enumerable.Range(0, rows).Select(i => $"{string.Join(' ', Enumerable.Range(0, 4 + random.NextInt(17)).Select(_ => Words[random.NextInt(Words.Length)]))},{i % 2}\n"));
    }

    private static string Rows(int rows, ulong seed)
    {
        SeededRandom random = new(seed);
        IEnumerable<string> lines = Enumerable.Range(0, rows).Select(_ =>
        {
            bool good = random.NextInt(2) == 1;
            return $"\"the {Words[4 + random.NextInt(2)]} was {(good ? "good" : "bad")} and {(good ? "fine" : "poor")}\",{(good ? "positive" : "negative")}";
        });
        return "text,label\n" + string.Join('\n', lines) + "\n";
    }

    private void Save(string name, BertConfig config, HeadKind head, BertTokenizer tokenizer)
    {
        using BertModel model = new(config, head);
        model.Initialize(new SeededRandom(3));
        model.Save(this[name]);
        tokenizer.SaveTo(this[name]);
    }
}
