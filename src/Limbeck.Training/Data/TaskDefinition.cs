namespace Limbeck.Training.Data;

/// <summary>What a task is: its kind, its labels in their order, its metrics. The nine tasks of GLUE, its diagnostic set, and tasks of the user's own.</summary>
/// <remarks>GLUE: Wang et al., arXiv:1804.07461. Label orders are those of the reference code's processors; a model's own order is matched by name.</remarks>
public sealed record TaskDefinition
{
    private static readonly string[] ZeroOne = ["0", "1"];
    private static readonly string[] Entailment = ["entailment", "not_entailment"];
    private static readonly string[] ThreeWay = ["contradiction", "entailment", "neutral"];

    /// <summary>Longest input of a single text and of a pair, in tokens with [CLS] and [SEP]. Jiao et al., arXiv:1909.10351v5, section 4.2.</summary>
    private const int SingleLength = 64, PairLength = 128;

    /// <summary>Corpus of Linguistic Acceptability: is the sentence English?</summary>
    public static readonly TaskDefinition Cola = Glue("CoLA", ZeroOne, ["matthews_correlation"], new("sentence", null, "label", 4, 3, -1, 1));

    /// <summary>Stanford Sentiment Treebank: is the phrase positive?</summary>
    public static readonly TaskDefinition Sst2 = Glue("SST-2", ZeroOne, ["accuracy"], new("sentence", null, "label", 2, 0, -1, 1));

    /// <summary>Microsoft Research Paraphrase Corpus: do the two say the same?</summary>
    public static readonly TaskDefinition Mrpc = Glue("MRPC", ZeroOne, ["accuracy", "f1"], new("#1 String", "#2 String", "Quality", 5, 3, 4, 0));

    /// <summary>Quora Question Pairs: is it the same question?</summary>
    public static readonly TaskDefinition Qqp = Glue("QQP", ZeroOne, ["accuracy", "f1"], new("question1", "question2", "is_duplicate", 6, 3, 4, 5));

    /// <summary>Semantic Textual Similarity Benchmark: how alike, from 0 to 5?</summary>
    public static readonly TaskDefinition Stsb = Glue("STS-B", [], ["pearson", "spearmanr"], new("sentence1", "sentence2", "score", 10, 7, 8, 9));

    /// <summary>Multi-Genre Natural Language Inference; its development set is in two parts, matched and mismatched.</summary>
    public static readonly TaskDefinition Mnli = Glue("MNLI", ThreeWay, ["accuracy"], new("sentence1", "sentence2", "gold_label", 12, 8, 9, 11));

    /// <summary>Question NLI: does the sentence answer the question?</summary>
    public static readonly TaskDefinition Qnli = Glue("QNLI", Entailment, ["accuracy"], new("question", "sentence", "label", 4, 1, 2, 3));

    /// <summary>Recognizing Textual Entailment.</summary>
    public static readonly TaskDefinition Rte = Glue("RTE", Entailment, ["accuracy"], new("sentence1", "sentence2", "label", 4, 1, 2, 3));

    /// <summary>Winograd NLI; its development set contradicts its training set, so the majority answer is hard to beat.</summary>
    public static readonly TaskDefinition Wnli = Glue("WNLI", ZeroOne, ["accuracy"], new("sentence1", "sentence2", "label", 4, 1, 2, 3));

    /// <summary>GLUE's diagnostic set: no labels, predicted with a model of MNLI.</summary>
    public static readonly TaskDefinition Ax = Glue("AX", ThreeWay, ["matthews_correlation"], new("sentence1", "sentence2", "label", 4, 1, 2, 3));

    /// <summary>The nine tasks and AX, in the order of GLUE's table.</summary>
    public static readonly IReadOnlyList<TaskDefinition> All = [Cola, Sst2, Mrpc, Stsb, Qqp, Mnli, Qnli, Rte, Wnli, Ax];

    private TaskDefinition()
    {
    }

    /// <summary>The task's name as GLUE writes it, such as SST-2, which is also its folder; "custom" for a task of the user's own.</summary>
    public required string Name { get; init; }

    /// <summary>Classification or regression.</summary>
    public required TaskKind Kind { get; init; }

    /// <summary>Whether a row is two texts.</summary>
    public required bool IsPair { get; init; }

    /// <summary>[C] the labels by name; a row's label is an index into this list. Empty for regression.</summary>
    public required IReadOnlyList<string> Labels { get; init; }

    /// <summary>The metrics that are reported, in order, under the names of Hugging Face's GLUE metric (and f1_macro).</summary>
    public required IReadOnlyList<string> MetricNames { get; init; }

    /// <summary>The metrics whose mean is the task's one figure.</summary>
    public required IReadOnlyList<string> PrimaryMetrics { get; init; }

    /// <summary>The default for the longest input, in tokens with [CLS] and [SEP].</summary>
    public required int MaxSequenceLength { get; init; }

    /// <summary>The width of the model's output: C, or 1 for regression.</summary>
    public int OutputSize => Kind == TaskKind.Regression ? 1 : Labels.Count;

    /// <summary>Whether the task is one of GLUE's.</summary>
    public bool IsGlue => Layout is not null;

    /// <summary>GLUE's columns; null for a task of the user's own.</summary>
    internal GlueLayout? Layout { get; init; }

    /// <summary>A task of the user's own.</summary>
    /// <param name="kind">Classification or regression.</param>
    /// <param name="isPair">Whether a row is two texts.</param>
    /// <param name="labels">[C] the labels by name, in the order of the model's outputs; not used for regression.</param>
    /// <exception cref="DataException">Fewer than one label, or one twice.</exception>
    public static TaskDefinition Custom(TaskKind kind, bool isPair, IReadOnlyList<string> labels)
    {
        ArgumentNullException.ThrowIfNull(labels);
        bool regression = kind == TaskKind.Regression;
        if (!regression && labels.Count == 0)
        {
            throw new DataException("a classification needs labels; got none");
        }

        if (!regression && labels.GroupBy(l => l, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw new DataException($"the label '{twice.Key}' is in the list twice");
        }

        string[] metrics = regression ? ["pearson", "spearmanr"]
            : labels.Count == 2 ? ["accuracy", "f1", "f1_macro", "matthews_correlation"]
            : ["accuracy", "f1_macro", "matthews_correlation"];
        return new()
        {
            Name = "custom",
            Kind = kind,
            IsPair = isPair,
            Labels = regression ? [] : labels.ToArray(),
            MetricNames = metrics,
            PrimaryMetrics = regression ? metrics : ["accuracy"],
            MaxSequenceLength = PairLength,
        };
    }

    /// <summary>Finds a task of GLUE under any spelling: sst2, SST-2, stsb, STS-B, mnli.</summary>
    /// <param name="name">Case, hyphens and underscores do not matter.</param>
    /// <exception cref="DataException">No such task; the message suggests the nearest and lists all.</exception>
    public static TaskDefinition Find(string name) =>
        TryFind(name) ?? throw new DataException(
            $"there is no task '{name}'.{Nearest.Suggest(name, All.Select(t => t.Name))} The tasks are {string.Join(", ", All.Select(t => t.Name))}; for data of your own name no task.");

    /// <summary>Finds a task of GLUE as <see cref="Find"/> does.</summary>
    /// <param name="name">Case, hyphens and underscores do not matter.</param>
    /// <returns>The task, or null when there is none of the name.</returns>
    public static TaskDefinition? TryFind(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        string key = Key(name);
        return key is "diagnostic" or "diagnostics" ? Ax : All.FirstOrDefault(t => Key(t.Name) == key);
    }

    /// <summary>A name without case, hyphens, underscores and spaces.</summary>
    internal static string Key(string name) =>
        string.Concat(name.Where(c => c is not ('-' or '_' or ' '))).ToLowerInvariant();

    private static TaskDefinition Glue(string name, string[] labels, string[] metrics, GlueLayout layout) => new()
    {
        Name = name,
        Kind = labels.Length == 0 ? TaskKind.Regression : TaskKind.Classification,
        IsPair = layout.PairHeader is not null,
        Labels = labels,
        MetricNames = metrics,
        PrimaryMetrics = metrics,
        MaxSequenceLength = layout.PairHeader is null ? SingleLength : PairLength,
        Layout = layout,
    };
}
