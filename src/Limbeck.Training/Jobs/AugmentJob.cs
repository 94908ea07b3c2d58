using System.Diagnostics;
using System.Globalization;
using Limbeck.Checkpoints;
using Limbeck.Inference;
using Limbeck.Models;
using Limbeck.Tensors.Kernels;
using Limbeck.Tokenization;
using Limbeck.Training.Data;
using Limbeck.Training.Data.Augmentation;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Jobs;

/// <summary>Makes many variants of labelled rows with a masked language model and word vectors: <c>limbeck augment</c>.</summary>
/// <remarks>
/// Rows are taken in their order, some thousands of tokens' worth at a time; what they give is written and committed before the next are taken. What a row gives depends on
/// the seed, its number and the model alone, so a run that was killed goes on behind the last commit and ends with the same file.
/// </remarks>
public static class AugmentJob
{
    // Tokens of masked sentences that are computed and committed together: a few seconds' work.
    private const int TokensAtOnce = 32_768;

    // Rows that are, where they have few words to mask.
    private const int RowsAtOnce = 4_096;

    // Rows that a plan looks at.
    private const int SampledRows = 1_000;

    private const string HeadTensor = "cls.predictions.transform.dense.weight";

    /// <summary>Runs the job.</summary>
    /// <param name="settings">Checked settings.</param>
    /// <param name="context">What to run with.</param>
    /// <exception cref="UsageException">The settings do not fit the model, the data or what is there; nothing has been written.</exception>
    /// <exception cref="DataException">The rows or word vectors cannot be used.</exception>
    /// <exception cref="OperationCanceledException">The run was interrupted; it can be resumed.</exception>
    public static AugmentReport Run(AugmentSettings settings, JobContext context) => Run(settings, context, JobPhase.Whole, out _).Report!;

    /// <summary>Opens and checks all that a run would, and tells what it would do, without writing anything.</summary>
    /// <param name="settings">Checked settings.</param>
    /// <param name="context">What to run with.</param>
    /// <exception cref="UsageException">The settings do not fit the model, the data or what is there.</exception>
    /// <exception cref="DataException">The rows cannot be used.</exception>
    public static JobPlan Plan(AugmentSettings settings, JobContext context) => Run(settings, context, JobPhase.PlanOnly, out _).Plan!;

    /// <summary>The file that is written.</summary>
    /// <param name="settings">Checked settings.</param>
    internal static string Target(AugmentSettings settings)
    {
        string source = Source(settings, settings.Task is null ? null : TaskDefinition.Find(settings.Task));
        return settings.OutputFile ?? (settings.OutputDir is null ? AugmentSettings.Beside(source) : Path.Combine(settings.OutputDir, Path.GetFileName(AugmentSettings.Beside(source))));
    }

    /// <summary>Runs the job, or makes its plan.</summary>
    /// <param name="settings">Checked settings.</param>
    /// <param name="context">What to run with.</param>
    /// <param name="phase">How far to go.</param>
    /// <param name="expected">About what it gives; null when the plan has been said before.</param>
    /// <returns>The plan, unless it has been said before, and the report, unless only the plan is wanted.</returns>
    internal static (JobPlan? Plan, AugmentReport? Report) Run(AugmentSettings settings, JobContext context, JobPhase phase, out AugmentPlan? expected)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(context);
        Stopwatch watch = Stopwatch.StartNew();
        TaskDefinition? glue = settings.Task is null ? null : TaskDefinition.Find(settings.Task);
        string source = Source(settings, glue);
        string target = Target(settings);
        if (OutputFolder.IsSame(target, source))
        {
            throw new UsageException($"{target} is the file to augment itself: name another with --output-file");
        }

        if (settings.OutputDir is null || Directory.Exists(settings.OutputDir))
        {
            GrowingFile.Check(target, settings.Resume, settings.Overwrite);
        }

        if (settings.WordVectors is string file && !File.Exists(file))
        {
            throw new DataException($"{file}: there is no such file of word vectors");
        }

        Dataset data = TableReader.Load(source, settings.Table, glue, null, null);
        IReadOnlyList<TextExample> rows = settings.MaxTrainSamples == 0 ? data.Examples : [.. data.Examples.Take(settings.MaxTrainSamples)];
        TableCopy table = new(source, settings.Table, glue);

        string weights = ModelFolder.Weights(settings.Model!);
        BertTokenizer tokenizer = BertTokenizer.FromDirectory(weights);
        if (!settings.ByVectorsAlone)
        {
            CheckHead(weights, settings.Model!);
            CheckMask(tokenizer, settings.Model!);
        }

        using BertModel model = BertModel.Load(weights, settings.ByVectorsAlone ? HeadKind.None : HeadKind.MaskedLanguageModel, out _);
        int length = ModelFolder.CheckLength(settings.MaxSeqLength ?? ModelFolder.MaxLength(model.Config, tokenizer), model.Config, settings.Model!);
        AugmentationOptions options = settings.Options(data.Task, settings.Seed);
        foreach (string warning in data.Warnings)
        {
            context.Messages.WriteLine($"warning: {warning}");
        }

        Precision precision = settings.ByVectorsAlone ? Precision.Float32 : PrecisionChoice.Announce(settings.Precision, context.Messages);
        context.Messages.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"data: {source}, {rows.Count:N0} rows; {options.Variants} draws a text, each word replaced with probability {options.Probability} by one of {options.Candidates}"));
        expected = null;
        JobPlan? plan = phase == JobPhase.AfterPlan ? null : PlanOf(settings, rows, tokenizer, options, model, target, length, context, out expected);
        if (phase is JobPhase.PlanOnly or JobPhase.CheckedPlan)
        {
            return (plan, null);
        }

        plan?.Write(context.Messages);
        if (settings.OutputDir is not null)
        {
            Directory.CreateDirectory(settings.OutputDir);
        }

        IReadOnlyList<string> wanted = Neighbours.WordsToLookUp(rows, tokenizer, settings.ByVectorsAlone);
        using WordVectors vectors = Vectors(settings, model, tokenizer, wanted, context.Messages);
        IReadOnlyDictionary<string, IReadOnlyList<string>> nearest = Neighbours.Of(wanted, vectors, tokenizer, options.Candidates, context.Team, context.Cancellation);
        context.Messages.WriteLine($"{wanted.Count:N0} different words {(settings.ByVectorsAlone ? "may be replaced" : "are of several pieces")}; {nearest.Count:N0} of them have word vectors");

        string fingerprint = Fingerprint(settings, options, source, rows.Count, length, model, tokenizer, vectors, precision);
        using GrowingFile? growing = GrowingFile.Open(target, fingerprint, settings.Resume, json =>
        {
            json.WriteStartObject("settings");
            SettingsSchema.Write(settings, json);
            json.WriteEndObject();
        }, out long lines);
        int headers = table.Header is null ? 0 : 1;
        if (growing is null)
        {
            context.Messages.WriteLine($"{target} is whole already");
            return (plan, new AugmentReport(target, data.Task.Name, rows.Count, lines - headers, 0, 0, 0, 0, watch.Elapsed.TotalSeconds));
        }

        using MaskFiller? filler = settings.ByVectorsAlone ? null : new(model, new ModelOptions { Team = context.Team, Precision = precision });
        WordCandidates candidates = new(filler, tokenizer, nearest, options, length);
        long tokens = Write(growing, table, rows, candidates, new TinyBertAugmentation(options), context);
        growing.Finish();
        return (plan, new AugmentReport(
            target, data.Task.Name, rows.Count, growing.Lines - headers, candidates.MaskedWords, candidates.LookedUpWords, candidates.WordsWithoutCandidates, tokens, watch.Elapsed.TotalSeconds));
    }

    /// <summary>The plan, from a sample of the rows.</summary>
    private static JobPlan PlanOf(
        AugmentSettings settings, IReadOnlyList<TextExample> rows, BertTokenizer tokenizer, AugmentationOptions options, BertModel model, string target, int length, JobContext context,
        out AugmentPlan expected)
    {
        int sampled = Math.Min(rows.Count, SampledRows);
        double variants = 0;
        double masked = 0;
        double tokens = 0;
        double squares = 0;
        for (int i = 0; i < sampled; i++)
        {
            TextExample row = rows[(int)((long)i * rows.Count / sampled)];
            foreach (string text in row.Pair is null ? [row.Text] : (string[])[row.Text, row.Pair])
            {
                string[] words = [.. tokenizer.Words(text)];
                int[] pieces = [.. words.Select(word => tokenizer.Tokenize(word).Length)];
                bool[] replaceable = [.. words.Select(TinyBertAugmentation.IsReplaceable)];
                int inputs = settings.ByVectorsAlone ? 0 : words.Where((_, word) => replaceable[word] && pieces[word] == 1).Count();
                double input = Math.Min(length, (options.SeeOriginal ? 2 : 1) * (pieces.Sum() + 2));
                variants += ExpectedVariants(replaceable.Count(good => good), options);
                masked += inputs;
                tokens += inputs * input;
                squares += inputs * input * input;
            }
        }

        double scale = sampled == 0 ? 0 : (double)rows.Count / sampled;
        expected = new AugmentPlan(rows.Count, rows.Count + (long)(scale * variants));
        WorkTime time = WorkTime.On(context.Team, settings.ByVectorsAlone ? "fp32" : settings.Precision);
        double seconds = time.Forward(ModelSize.Of(model), scale * tokens, tokens == 0 ? 0 : squares / tokens, scale * masked * WorkTime.MaskedHead(model.Config));
        (int done, bool complete) = settings.Resume ? GrowingFile.Reached(target) : (0, false);
        PlannedStage stage = new(
            "augment", rows.Count, 1, (long)(scale * tokens), 0, seconds * (1 - ((double)done / Math.Max(1, rows.Count))), length, About: true,
            complete ? PlannedStage.Finished : done > 0 ? PlannedStage.Begun : string.Empty);
        context.Messages.WriteLine(string.Create(CultureInfo.InvariantCulture, $"about {expected.AugmentedRows:N0} rows are going to be in {target}"));
        return new JobPlan { Stages = [stage], Size = ModelSize.Of(model), How = time.How };
    }

    /// <summary>How many different variants the draws give of a sentence, on average, when each word has K candidates other than itself.</summary>
    private static double ExpectedVariants(int words, AugmentationOptions options)
    {
        // Of that many words hardly two draws are the same.
        const int Many = 50;
        if (words > Many)
        {
            return options.Probability > 0 ? options.Variants : 0;
        }

        // There are (words over s) K^s variants with s words replaced; each is drawn with probability q, so at least once with 1 - (1-q)^N.
        const double Tiny = 1e-9;
        double expected = 0;
        double ways = 1;
        for (int s = 1; s <= words; s++)
        {
            ways *= options.Candidates * (words - s + 1.0) / s;
            double q = Math.Pow(options.Probability, s) * Math.Pow(1 - options.Probability, words - s) / Math.Pow(options.Candidates, s);
            expected += ways * (q < Tiny ? options.Variants * q : 1 - Math.Pow(1 - q, options.Variants));
        }

        return Math.Min(expected, options.Variants);
    }

    private static long Write(GrowingFile file, TableCopy table, IReadOnlyList<TextExample> rows, WordCandidates candidates, TinyBertAugmentation augmentation, JobContext context)
    {
        if (file.Done == 0 && table.Header is not null)
        {
            file.Write(table.Header);
        }

        long tokens = 0;
        int pending = 0;
        List<MaskedWord> work = [];
        List<(TableRow Record, AugmentedSentence Text, AugmentedSentence? Pair)> taken = [];
        context.Progress.Begin("augment", rows.Count, file.Done);
        int row = file.Done;
        foreach (TableRow record in table.Records(rows, file.Done))
        {
            TextExample example = rows[row++];
            int before = work.Count;
            taken.Add((record, candidates.Begin(example.Text, work), example.Pair is null ? null : candidates.Begin(example.Pair, work)));
            for (int i = before; i < work.Count; i++)
            {
                pending += work[i].Input.Ids.Length;
            }

            if (pending >= TokensAtOnce || taken.Count == RowsAtOnce || row == rows.Count)
            {
                candidates.Complete(work, context.Cancellation);
                int first = row - taken.Count;
                for (int i = 0; i < taken.Count; i++)
                {
                    foreach ((string text, string? pair) in augmentation.Rows(taken[i].Text, taken[i].Pair, first + i))
                    {
                        file.Write(table.Write(taken[i].Record, text, pair));
                    }
                }

                file.Commit(row);
                context.Progress.Report(row, null, pending);
                tokens += pending;
                pending = 0;
                taken.Clear();
            }
        }

        context.Progress.Finish();
        return tokens;
    }

    private static string Source(AugmentSettings settings, TaskDefinition? glue)
    {
        if (glue == TaskDefinition.Ax)
        {
            throw new UsageException("AX has no rows to train on, so there is nothing to augment");
        }

        return settings.TrainFile ?? GlueReader.Locate(glue!, settings.DataDir!, "train");
    }

    private static WordVectors Vectors(AugmentSettings settings, BertModel model, BertTokenizer tokenizer, IReadOnlyList<string> words, TextWriter messages) =>
        settings.WordVectors is null
            ? WordVectors.OfEmbeddings(model.Encoder, tokenizer, words)
            : WordVectorFile.Read(
                settings.WordVectors,
                settings.MaxWordVectors,
                word => tokenizer.Words(word) is [string same] && same == word && (!settings.ContentWords || TinyBertAugmentation.IsReplaceable(word)),
                messages);

    private static string Fingerprint(
        AugmentSettings settings, AugmentationOptions options, string source, int rows, int length, BertModel model, BertTokenizer tokenizer, WordVectors vectors, Precision precision) =>
        PrecisionChoice.AddTo(new HashBuilder().Add("data", RunHash.OfFile(source)).Add("columns", $"{settings.Table}").Add("task", settings.Task is null ? string.Empty : TaskDefinition.Find(settings.Task).Name)
            .Add("rows", rows).Add("options", $"{options}").Add("candidates", settings.Candidates).Add("length", length).Add("weights", ModelFolder.Hash(model)).Add("config", $"{model.Config}")
            .Add("tokenizer", tokenizer.Fingerprint).Add("vectors", vectors.Fingerprint), precision).ToKey();

    private static void CheckHead(string weights, string folder)
    {
        using ITensorSource source = Checkpoint.Open(weights);
        if (!new NamedWeights(source).Contains(HeadTensor))
        {
            string made = Path.TrimEndingDirectorySeparator(folder) + "-mlm";
            throw new UsageException(
                $"{folder} has no masked-language-model head (no tensor {HeadTensor}), so it cannot say which words fit into a gap. Make a head for it from any text, without changing the model:\n"
                + $"  limbeck pretrain --model {folder} --freeze-encoder --train-file corpus.txt --output-dir {made}\nthen augment with {made}. Or let word vectors find all words, without asking the model: --candidates vectors (in a run of several stages --augment-candidates vectors)");
        }
    }

    private static void CheckMask(BertTokenizer tokenizer, string folder)
    {
        if (tokenizer.MaskId < 0)
        {
            throw new UsageException($"{folder}: the vocabulary has no {tokenizer.Options.MaskToken}, which stands for a gap; use the vocabulary saved with the model");
        }
    }
}
