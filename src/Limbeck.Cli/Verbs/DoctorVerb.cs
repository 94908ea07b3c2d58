using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Limbeck.Checkpoints;
using Limbeck.Inference;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;
using Limbeck.Tokenization;
using Limbeck.Training.Evaluation;
using Limbeck.Training.Jobs;
using Spectre.Console;

namespace Limbeck.Cli.Verbs;

/// <summary><c>limbeck doctor</c>.</summary>
internal static class DoctorVerb
{
    private const double MeasureSeconds = 0.7;
    private static readonly string[] TokenizerFiles = ["tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json"];
    private const string Probe = "The quick brown fox jumps over the lazy dog.";

    /// <summary>Makes the verb.</summary>
    /// <param name="context">Where to read and write.</param>
    /// <param name="threads">The flag --threads.</param>
    public static Command Make(ToolContext context, Option<int?> threads)
    {
        Verb verb = new(
            "doctor",
            "Checks the machine (CPU, cores, measured peak and memory bandwidth) and, with a model, its labels, tokenizer, weights, configuration and pooling.",
            "limbeck doctor",
            "limbeck doctor student");
        Argument<string?> model = new("model") { Description = "A Hugging Face directory.", Arity = ArgumentArity.ZeroOrOne };
        Option<bool> json = new("--json") { Description = "Print one JSON object {checks: [{check, state, finding}]}." };
        verb.Arguments.Add(model);
        verb.Options.Add(json);
        verb.SetAction(result =>
        {
            List<Finding> findings = Machine(ToolContext.Team(result.GetValue(threads)));
            if (result.GetValue(model) is string folder)
            {
                findings.AddRange(Model(folder));
            }

            Print(findings, result.GetValue(json), context);
            return findings.Exists(finding => finding.State == State.Fail) ? ExitCode.Failed : ExitCode.Done;
        });
        return verb;
    }

    private static List<Finding> Machine(WorkerTeam team)
    {
        CultureInfo invariant = CultureInfo.InvariantCulture;
        double flops = MachinePeak.MeasureFlops(team, MeasureSeconds);
        double bandwidth = MachinePeak.MeasureBandwidth(team, MeasureSeconds);
        string tier = Cpu.Tier switch
        {
            CpuTier.Avx512 => "AVX-512 (512-bit vectors)",
            CpuTier.Avx2 => "AVX2 and FMA (256-bit vectors)",
            _ => "portable 128-bit vectors",
        };
        bool slow = Cpu.Tier == CpuTier.Portable && RuntimeInformation.ProcessArchitecture == Architecture.X64;
        return
        [
            new("cpu", slow ? State.Warn : State.Ok, tier + (slow ? ": this x86 CPU has no AVX2, or it is switched off (DOTNET_EnableAVX2, DOTNET_EnableHWIntrinsic)" : string.Empty)),
            new("cores", State.Ok, $"{Environment.ProcessorCount} logical; {team.Threads} thread(s) are used (--threads, LIMBECK_NUM_THREADS)"),
            new("peak", State.Ok, string.Create(invariant, $"{flops / 1e9:0} GFLOPS of float32 multiply-adds, {flops / 1e9 / team.Threads:0} a thread")),
            new("bf16", State.Ok, Bf16.IsAccelerated
                ? string.Create(invariant, $"{Bf16.Reason}; {MachinePeak.MeasureFlops(team, MeasureSeconds, Precision.Bf16) / 1e9:0} GFLOPS (--precision bf16 or auto)")
                : $"not accelerated: {Bf16.Reason} (--precision auto is float32 here)"),
            new("memory", State.Ok, string.Create(invariant, $"{bandwidth / 1e9:0.0} GB/s read")),
            new("runtime", State.Ok, $"{RuntimeInformation.FrameworkDescription} on {RuntimeInformation.OSDescription} ({RuntimeInformation.ProcessArchitecture})"),
        ];
    }

    private static List<Finding> Model(string folder)
    {
        List<Finding> findings = [];
        if (!Directory.Exists(folder))
        {
            return [new("model", State.Fail, $"{folder}: there is no such folder")];
        }

        SentenceTransformerConfig? pooling = Try(findings, "pooling", () => SentenceTransformerFiles.Read(folder));
        string weights = pooling is { WeightsDirectory.Length: > 0 } ? Path.Combine(folder, pooling.WeightsDirectory) : folder;
        BertConfig? config = Try(findings, "configuration", () => BertConfig.Read(weights));
        if (config is not null)
        {
            findings.Add(new("configuration", State.Ok, $"{config.LayerCount}/{config.HiddenSize}/{config.HeadCount}/{config.IntermediateSize}, vocabulary {config.VocabularySize:N0}"));
        }

        BertTokenizer? tokenizer = Try(findings, "tokenizer", () => BertTokenizer.FromDirectory(weights));
        if (tokenizer is not null)
        {
            findings.Add(Tokenizer(weights, tokenizer, config));
        }

        if (config is not null)
        {
            Weights(findings, folder, weights, config, tokenizer);
        }

        if (pooling is not null)
        {
            findings.Add(new("pooling", State.Ok, $"{pooling.Pooling}{(pooling.Normalize ? ", normalised" : string.Empty)}, at most {pooling.MaxSequenceLength ?? config?.MaxPositions} tokens (modules.json)"));
        }
        else if (!findings.Exists(finding => finding.Check == "pooling"))
        {
            findings.Add(new("pooling", State.Ok, "no modules.json: as an embedder it would give the mean over tokens, normalised"));
        }

        return findings;
    }

    private static Finding Tokenizer(string weights, BertTokenizer tokenizer, BertConfig? config)
    {
        string[] files = [.. TokenizerFiles.Where(file => File.Exists(Path.Combine(weights, file)))];
        string about = $"{tokenizer.VocabularySize:N0} wordpieces, {(tokenizer.Options.LowerCase ? "uncased" : "cased")} ({string.Join(", ", files)})";
        if (config is not null && tokenizer.VocabularySize > config.VocabularySize)
        {
            return new("tokenizer", State.Fail, $"it has {tokenizer.VocabularySize:N0} wordpieces, but vocab_size of config.json is {config.VocabularySize:N0}: the files are from different models");
        }

        if (config is not null && tokenizer.VocabularySize < config.VocabularySize)
        {
            return new("tokenizer", State.Warn, $"{about}; the word table has {config.VocabularySize - tokenizer.VocabularySize:N0} more rows than that");
        }

        if (config is not null && tokenizer.PadId >= 0 && tokenizer.PadId != config.PadTokenId)
        {
            return new("tokenizer", State.Warn, $"{about}; its padding token has id {tokenizer.PadId}, config.json says {config.PadTokenId}");
        }

        if (Same(weights, tokenizer) is string difference)
        {
            return new("tokenizer", State.Fail, difference);
        }

        return files.Contains("tokenizer_config.json") || files.Contains("tokenizer.json")
            ? new("tokenizer", State.Ok, about)
            : new("tokenizer", State.Warn, $"{about}; without tokenizer_config.json nothing says whether the model is uncased, which is assumed");
    }

    /// <summary>Whether vocab.txt and tokenizer.json, where both are there, agree; null when they do.</summary>
    private static string? Same(string weights, BertTokenizer tokenizer)
    {
        string vocabulary = Path.Combine(weights, "vocab.txt");
        if (!File.Exists(vocabulary) || !File.Exists(Path.Combine(weights, "tokenizer.json")))
        {
            return null;
        }

        string[] lines = File.ReadAllText(vocabulary).TrimEnd('\n').Split('\n');
        int differs = -1;
        for (int id = 0; id < Math.Min(lines.Length, tokenizer.VocabularySize) && differs < 0; id++)
        {
            differs = lines[id].TrimEnd('\r') == tokenizer.IdToToken(id) ? -1 : id;
        }

        return differs < 0 ? null : $"id {differs} is '{lines[differs]}' in vocab.txt and '{tokenizer.IdToToken(differs)}' in tokenizer.json: the two files are from different models";
    }

    private static void Weights(List<Finding> findings, string folder, string weights, BertConfig config, BertTokenizer? tokenizer)
    {
        HeadKind head = HeadKind.None;
        bool known = Try(findings, "weights", () =>
        {
            using ITensorSource source = Checkpoint.Open(weights);
            NamedWeights named = new(source);
            head = named.Contains("classifier.weight") ? HeadKind.Classifier
                : config.Architectures.Contains("BertForMaskedLM") ? HeadKind.MaskedLanguageModel
                : HeadKind.None;
            return named;
        }) is not null;
        LoadReport report = new([], []);
        using BertModel? model = known ? Try(findings, "weights", () => BertModel.Load(weights, head, out report)) : null;
        if (model is null)
        {
            return;
        }

        string[] broken = [.. model.Parameters.Where(parameter => !AllFinite(parameter)).Select(parameter => parameter.Name)];
        findings.Add(broken.Length > 0
            ? new("weights", State.Fail, $"not finite: {string.Join(", ", broken.Take(5))}{(broken.Length > 5 ? $" and {broken.Length - 5} more" : string.Empty)}")
            : new("weights", State.Ok, $"{model.Parameters.Count} tensors as config.json says, all finite; {ModelSize.Of(model)}"));
        if (report.Unused.Count > 0)
        {
            findings.Add(new("unused", State.Warn, $"tensors that the model has no place for: {string.Join(", ", report.Unused.Take(5))}{(report.Unused.Count > 5 ? $" and {report.Unused.Count - 5} more" : string.Empty)}"));
        }

        Labels(findings, config, head);
        if (broken.Length == 0 && tokenizer is not null)
        {
            Try(findings, "answer", () => head == HeadKind.MaskedLanguageModel ? Fill(findings, model, tokenizer) : Answer(findings, folder, weights, head));
        }
    }

    private static void Labels(List<Finding> findings, BertConfig config, HeadKind head)
    {
        if (head != HeadKind.Classifier)
        {
            findings.Add(new("labels", State.Ok, head == HeadKind.MaskedLanguageModel ? "none: a masked language model" : "no classifier: an encoder to embed with or to fine-tune"));
        }
        else if (config.IsRegression)
        {
            findings.Add(new("labels", State.Ok, "none: it predicts a number"));
        }
        else if (config.Labels.SequenceEqual(BertConfig.DefaultLabels(config.Labels.Count)))
        {
            findings.Add(new("labels", State.Warn, $"{config.Labels.Count} without names ({string.Join(", ", config.Labels)}): write id2label and label2id into config.json, or no one can check their order"));
        }
        else
        {
            findings.Add(new("labels", State.Ok, string.Join(", ", config.Labels)));
        }
    }

    private static bool Answer(List<Finding> findings, string folder, string weights, HeadKind head)
    {
        if (head == HeadKind.Classifier)
        {
            using TextClassifier classifier = TextClassifier.Load(weights);
            Prediction prediction = classifier.Classify(Probe);
            bool finite = prediction.Logits.All(float.IsFinite);
            findings.Add(new("answer", finite ? State.Ok : State.Fail, string.Create(CultureInfo.InvariantCulture, $"\"{Probe}\": {prediction.Label} {prediction.Score:0.0000}")));
        }
        else
        {
            using SentenceEmbedder embedder = SentenceEmbedder.Load(folder);
            float[] vector = embedder.Embed(Probe);
            findings.Add(new("answer", Array.TrueForAll(vector, float.IsFinite) ? State.Ok : State.Fail, $"\"{Probe}\": a vector of {vector.Length} numbers"));
        }

        return true;
    }

    private static bool Fill(List<Finding> findings, BertModel model, BertTokenizer tokenizer)
    {
        string text = Probe.Replace("dog", tokenizer.Options.MaskToken, StringComparison.Ordinal);
        Encoding encoding = tokenizer.Encode(text, null, model.Config.MaxPositions);
        int place = Array.IndexOf(encoding.Ids, tokenizer.MaskId);
        if (place < 0)
        {
            findings.Add(new("answer", State.Fail, $"the vocabulary has no {tokenizer.Options.MaskToken}, which a masked language model needs"));
            return true;
        }

        using Tape tape = new(recording: false);
        Tensor hidden = model.Encoder.Forward(tape, new PackedBatch(encoding.Ids, encoding.TypeIds, [0, encoding.Ids.Length])).LastHidden;
        float[] scores = model.LanguageModel!.Forward(tape, hidden, [place]).ToArray();
        string best = string.Join(", ", Enumerable.Range(0, tokenizer.VocabularySize).OrderByDescending(id => scores[id]).Take(3).Select(tokenizer.IdToToken));
        findings.Add(new("answer", Array.TrueForAll(scores, float.IsFinite) ? State.Ok : State.Fail, $"\"{text}\": {best}"));
        return true;
    }

    private static bool AllFinite(Parameter parameter)
    {
        foreach (float value in parameter.Value.Span)
        {
            if (!float.IsFinite(value))
            {
                return false;
            }
        }

        return true;
    }

    private static T? Try<T>(List<Finding> findings, string check, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception e) when (e is CheckpointException or TokenizerException or IOException or UnauthorizedAccessException or InvalidDataException or ArgumentException)
        {
            findings.Add(new(check, State.Fail, e.Message));
            return default;
        }
    }

    private static void Print(List<Finding> findings, bool json, ToolContext context)
    {
        if (json)
        {
            context.Out.WriteLine(JsonText.OfObject(
                writer =>
                {
                    writer.WriteStartArray("checks");
                    foreach (Finding finding in findings)
                    {
                        writer.WriteStartObject();
                        writer.WriteString("check", finding.Check);
                        writer.WriteString("state", Word(finding.State));
                        writer.WriteString("finding", finding.Text);
                        writer.WriteEndObject();
                    }

                    writer.WriteEndArray();
                }));
            return;
        }

        Table table = ToolContext.NewTable("check", string.Empty, "finding");
        foreach (Finding finding in findings)
        {
            string colour = finding.State switch
            {
                State.Ok => "green",
                State.Warn => "yellow",
                _ => "red",
            };
            table.AddRow(finding.Check, $"[{colour}]{Word(finding.State)}[/]", finding.Text.EscapeMarkup());
        }

        context.Write(table);
    }

    private static string Word(State state) => state switch
    {
        State.Ok => "ok",
        State.Warn => "warn",
        _ => "fail",
    };

    private enum State
    {
        Ok,
        Warn,
        Fail,
    }

    private sealed record Finding(string Check, State State, string Text);
}
