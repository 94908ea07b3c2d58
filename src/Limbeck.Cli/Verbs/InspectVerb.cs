using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Limbeck.Checkpoints;
using Limbeck.Models;
using Limbeck.Training.Evaluation;
using Limbeck.Training.Jobs;
using Spectre.Console;

namespace Limbeck.Cli.Verbs;

/// <summary><c>limbeck inspect</c>.</summary>
internal static partial class InspectVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="context">Where to read and write.</param>
    public static Command Make(ToolContext context)
    {
        Verb verb = new(
            "inspect",
            "Shows what is in a model: shapes, weights of embeddings, encoder and head, operations a token, size on disk and in memory.",
            "limbeck inspect student",
            "limbeck inspect student --length 64 --json");
        Argument<string> model = new("model") { Description = "A Hugging Face directory." };
        Option<int> length = new("--length") { Description = "Tokens of the sequence that attention's operations are given for.", DefaultValueFactory = _ => 128, HelpName = "n" };
        Option<bool> tensors = new("--tensors") { Description = "List every tensor; otherwise layers that are alike are one line." };
        Option<bool> json = new("--json") { Description = "Print one JSON object, with every tensor." };
        verb.Arguments.Add(model);
        verb.Options.Add(length);
        verb.Options.Add(tensors);
        verb.Options.Add(json);
        verb.SetAction(result =>
        {
            int tokens = result.GetValue(length);
            if (tokens < 1)
            {
                throw new UsageException($"--length is {tokens}; needed 1 or more");
            }

            Facts facts = Facts.Of(result.GetRequiredValue(model), tokens);
            if (result.GetValue(json))
            {
                context.Out.WriteLine(facts.ToJson());
            }
            else
            {
                Print(facts, result.GetValue(tensors), context);
            }

            return ExitCode.Done;
        });
        return verb;
    }

    private static void Print(Facts facts, bool all, ToolContext context)
    {
        BertConfig config = facts.Config;
        CultureInfo invariant = CultureInfo.InvariantCulture;
        string Million(long count) => (count / 1e6).ToString("0.000", invariant) + " M";
        string Megabytes(long bytes) => (bytes / 1e6).ToString("0.0", invariant) + " MB";
        Table table = ToolContext.NewTable(facts.Folder, string.Empty);
        table.AddRow("architecture", string.Join(", ", facts.Architectures).EscapeMarkup());
        table.AddRow("layers/hidden/heads/intermediate", $"{config.LayerCount}/{config.HiddenSize}/{config.HeadCount}/{config.IntermediateSize}");
        table.AddRow("vocabulary, positions", $"{config.VocabularySize:N0}, {config.MaxPositions:N0}");
        if (facts.HasClassifier)
        {
            table.AddRow(config.IsRegression ? "predicts" : "labels", config.IsRegression ? "a number" : string.Join(", ", config.Labels).EscapeMarkup());
        }

        table.AddRow("embeddings", Million(facts.Embeddings));
        table.AddRow("encoder", Million(facts.Encoder));
        table.AddRow("pooler and head", Million(facts.Head));
        table.AddRow("weights in all", Million(facts.Total));
        table.AddRow("operations a token", string.Create(invariant, $"{facts.LinearFlops / 1e6:0.00} M in matrix products, {facts.AttentionFlops / 1e6:0.00} M in attention at length {facts.Length}"));
        table.AddRow("on disk", $"{Megabytes(facts.DiskBytes)} of weights ({facts.Types})");
        table.AddRow("in memory", $"{Megabytes(4 * facts.Total)} of weights in float32");
        context.Write(table);

        Table shapes = ToolContext.NewTable("tensor", "shape", "type", ":weights");
        foreach ((string name, TensorEntry entry, int count) in all ? facts.Tensors.Select(t => (t.Name, t.Entry, 1)) : Alike(facts.Tensors))
        {
            shapes.AddRow((name + (count > 1 ? $"  x {count}" : string.Empty)).EscapeMarkup(), $"[{string.Join(", ", entry.Shape)}]".EscapeMarkup(), $"{entry.Type}", (entry.Count * count).ToString("N0", invariant));
        }

        context.Write(shapes);
    }

    /// <summary>Tensors of layers that have the same shape as one line.</summary>
    private static IEnumerable<(string Name, TensorEntry Entry, int Count)> Alike(IReadOnlyList<(string Name, TensorEntry Entry)> tensors) => tensors
        .GroupBy(tensor => (LayerNumber().Replace(tensor.Name, ".layer.N."), Shape: string.Join(",", tensor.Entry.Shape), tensor.Entry.Type))
        .Select(group => (group.Count() > 1 ? group.Key.Item1 : group.First().Name, group.First().Entry, group.Count()));

    [GeneratedRegex(@"\.layer\.\d+\.")]
    private static partial Regex LayerNumber();

    /// <summary>What there is to know of a model without running it.</summary>
    internal sealed record Facts(
        string Folder, BertConfig Config, IReadOnlyList<string> Architectures, bool HasClassifier, IReadOnlyList<(string Name, TensorEntry Entry)> Tensors,
        long Embeddings, long Encoder, long Head, int Length, long DiskBytes)
    {
        /// <summary>All weights.</summary>
        public long Total => Embeddings + Encoder + Head;

        /// <summary>Operations of the layers' matrix products for one token: two for each weight of a matrix.</summary>
        public long LinearFlops => 2 * Tensors.Where(tensor => tensor.Name.StartsWith("bert.encoder.", StringComparison.Ordinal) && tensor.Entry.Shape.Count == 2).Sum(tensor => tensor.Entry.Count);

        /// <summary>Operations of attention for one token of a sequence of <see cref="Length"/>: scores and context.</summary>
        public long AttentionFlops => 4L * Config.HiddenSize * Config.LayerCount * Length;

        /// <summary>The weights' types.</summary>
        public string Types => string.Join(", ", Tensors.Select(tensor => tensor.Entry.Type).Distinct());

        /// <summary>Looks at a folder.</summary>
        /// <param name="folder">A Hugging Face directory.</param>
        /// <param name="length">Tokens of a sequence.</param>
        /// <exception cref="CheckpointException">It is damaged.</exception>
        public static Facts Of(string folder, int length)
        {
            if (!Directory.Exists(folder))
            {
                throw new UsageException($"{folder}: there is no such folder; needed a Hugging Face model's directory");
            }

            string weights = SentenceTransformerFiles.Read(folder) is { WeightsDirectory.Length: > 0 } settings ? Path.Combine(folder, settings.WeightsDirectory) : folder;
            BertConfig config = BertConfig.Read(weights);
            using ITensorSource source = Checkpoint.Open(weights);
            NamedWeights named = new(source);
            (string Name, TensorEntry Entry)[] tensors = [.. named.Entries.Where(pair => TensorTypesKnown(pair.Value)).Select(pair => (pair.Key, pair.Value))];
            long Sum(Func<string, bool> mine) => tensors.Where(tensor => mine(tensor.Name)).Sum(tensor => tensor.Entry.Count);
            long embeddings = Sum(name => name.StartsWith("bert.embeddings.", StringComparison.Ordinal));
            long encoder = Sum(name => name.StartsWith("bert.encoder.", StringComparison.Ordinal));
            long disk = tensors.Select(tensor => tensor.Entry.File).Distinct().Sum(file => new FileInfo(File.Exists(file) ? file : Path.Combine(weights, file)) is { Exists: true } info ? info.Length : 0);
            return new Facts(
                folder, config, config.Architectures, named.Contains("classifier.weight"), tensors, embeddings, encoder, Sum(_ => true) - embeddings - encoder, length, disk);
        }

        /// <summary>As one JSON object.</summary>
        public string ToJson()
        {
            return JsonText.OfObject(
                json =>
                {
                    json.WriteString("model", Folder);
                    json.WriteStartArray("architectures");
                    foreach (string architecture in Architectures)
                    {
                        json.WriteStringValue(architecture);
                    }

                    json.WriteEndArray();
                    json.WriteNumber("layers", Config.LayerCount);
                    json.WriteNumber("hidden_size", Config.HiddenSize);
                    json.WriteNumber("heads", Config.HeadCount);
                    json.WriteNumber("intermediate_size", Config.IntermediateSize);
                    json.WriteNumber("vocab_size", Config.VocabularySize);
                    json.WriteNumber("max_positions", Config.MaxPositions);
                    if (HasClassifier)
                    {
                        json.WriteStartArray("labels");
                        foreach (string label in Config.Labels)
                        {
                            json.WriteStringValue(label);
                        }

                        json.WriteEndArray();
                    }

                    json.WriteStartObject("parameters");
                    json.WriteNumber("embeddings", Embeddings);
                    json.WriteNumber("encoder", Encoder);
                    json.WriteNumber("head", Head);
                    json.WriteNumber("total", Total);
                    json.WriteEndObject();
                    json.WriteStartObject("flops_per_token");
                    json.WriteNumber("linear", LinearFlops);
                    json.WriteNumber("attention", AttentionFlops);
                    json.WriteNumber("length", Length);
                    json.WriteEndObject();
                    json.WriteNumber("disk_bytes", DiskBytes);
                    json.WriteNumber("memory_bytes", 4 * Total);
                    json.WriteStartArray("tensors");
                    foreach ((string name, TensorEntry entry) in Tensors)
                    {
                        json.WriteStartObject();
                        json.WriteString("name", name);
                        json.WriteStartArray("shape");
                        foreach (long dimension in entry.Shape)
                        {
                            json.WriteNumberValue(dimension);
                        }

                        json.WriteEndArray();
                        json.WriteString("type", $"{entry.Type}");
                        json.WriteEndObject();
                    }

                    json.WriteEndArray();
                });
        }

        private static bool TensorTypesKnown(TensorEntry entry) => entry.Type is TensorType.F16 or TensorType.BF16 or TensorType.F32 or TensorType.F64;
    }
}
