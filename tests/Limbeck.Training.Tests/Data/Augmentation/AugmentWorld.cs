using Limbeck.Checkpoints;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;
using Limbeck.Tokenization;
using Limbeck.Training.Jobs;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Tests.Data.Augmentation;

/// <summary>A folder with a tiny random masked language model that can spell any word of small letters, and what a job needs.</summary>
internal sealed class AugmentWorld : IDisposable
{
    private static readonly string[] Words =
        ["good", "bad", "fine", "poor", "film", "food", "story", "hero", "great", "table", "the", "was", "very", "not", "and", "is", "un", "##ing", "##good", "[unused0]"];

    public AugmentWorld(bool cased = false)
    {
        IEnumerable<string> letters = Enumerable.Range('a', 26).Select(c => ((char)c).ToString());
        IEnumerable<string> marks = ".,!?'\"-#0123456789".Select(c => c.ToString());
        IEnumerable<string> capitals = cased ? letters.Select(letter => letter.ToUpperInvariant()).Append("Good").Append("Table") : [];
        Tokenizer = BertTokenizer.FromVocabulary(
            ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", .. Words, .. letters, .. letters.Select(letter => "##" + letter), .. marks, .. capitals], new() { LowerCase = !cased });
        Model = new BertModel(
            new BertConfig
            {
                LayerCount = 2,
                HiddenSize = 16,
                HeadCount = 2,
                IntermediateSize = 32,
                VocabularySize = Tokenizer.VocabularySize,
                MaxPositions = 64,
                InitializerRange = 0.5f,
            },
            HeadKind.MaskedLanguageModel);
        Model.Initialize(new SeededRandom(9));
        Model.Save(this["mlm"]);
        Tokenizer.SaveTo(this["mlm"]);
    }

    public BertTokenizer Tokenizer { get; }

    public BertModel Model { get; }

    public StringWriter Messages { get; } = new();

    public string Folder { get; } = TinyWorld.NewDirectory();

    public string this[string name] => Path.Combine(Folder, name);

    public JobContext Context => Job(WorkerTeam.Default);

    public JobContext Job(WorkerTeam team, CancellationToken cancellation = default) => new(Messages, new ProgressDisplay(Messages, terminal: false), team, cancellation);

    public string Write(string name, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(this[name])!);
        File.WriteAllText(this[name], text);
        return this[name];
    }

    public AugmentSettings Settings(string file) => new() { Model = this["mlm"], TrainFile = this[file], N = 6 };

    /// <summary>Rows of a table with words of one and of several pieces, quotes and odd spaces.</summary>
    public static string Rows(int count, ulong seed, char separator = '\t')
    {
        string[] words = ["good", "bad", "film", "films", "the", "was", "very", "ungood", "story", "foods", "hero", "a \"great\" table", "2 heros ,", "is  not"];
        SeededRandom random = new(seed);
        return string.Concat(Enumerable.Range(0, count).Select(i => $"{string.Join(' ', Enumerable.Range(0, 2 + random.NextInt(7)).Select(_ => words[random.NextInt(words.Length)]))}{separator}{i % 2}\n"));
    }

    public void Dispose()
    {
        Model.Dispose();
        Directory.Delete(Folder, recursive: true);
    }
}
