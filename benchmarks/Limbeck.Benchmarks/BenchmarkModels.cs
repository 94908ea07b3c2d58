using Limbeck.Models;
using Limbeck.Tensors;

namespace Limbeck.Benchmarks;

/// <summary>The sizes that are raced, with random weights.</summary>
internal sealed record BenchmarkModel(string Name, int Layers, int Hidden, int Heads, int Intermediate)
{
    public static IReadOnlyList<BenchmarkModel> All { get; } =
    [
        new("tiny2", 2, 192, 12, 768),
        new("tiny3", 3, 312, 12, 1200),
        new("tiny4", 4, 312, 12, 1200),
        new("minilm6", 6, 384, 12, 1536),
        new("base", 12, 768, 12, 3072),
    ];

    /// <summary>Those of --models, or by default those of the first table of docs/speed.md.</summary>
    public static IReadOnlyList<BenchmarkModel> Chosen(string[] args, string missing = "tiny3,tiny4,minilm6,base") =>
        [.. (BenchmarkOptions.Text(args, "--models") ?? missing).Split(',').Select(Named)];

    public static BenchmarkModel Named(string name) =>
        All.FirstOrDefault(model => model.Name == name) ?? throw new ArgumentException($"'{name}' is no model of the benchmarks; they are {string.Join(", ", All.Select(model => model.Name))}");

    public BertModel Create()
    {
        BertModel model = new(new BertConfig { LayerCount = Layers, HiddenSize = Hidden, HeadCount = Heads, IntermediateSize = Intermediate }, HeadKind.Classifier);
        model.Initialize(new SeededRandom(1));
        return model;
    }

    /// <summary>Sequences of given lengths, of random words.</summary>
    public static (int[] Ids, int[] TypeIds)[] Sequences(IEnumerable<int> lengths)
    {
        SeededRandom random = new(2);
        return [.. lengths.Select(length => (Enumerable.Range(0, length).Select(_ => 1000 + random.NextInt(20000)).ToArray(), new int[length]))];
    }

    /// <summary>Useful flops of the encoder's forward pass: 2mnk for each product, attention's two included.</summary>
    public double Flops(IEnumerable<int> lengths) =>
        lengths.Sum(length => Layers * (double)length * ((2.0 * ((4.0 * Hidden * Hidden) + (2.0 * Hidden * Intermediate))) + (4.0 * length * Hidden)));
}
