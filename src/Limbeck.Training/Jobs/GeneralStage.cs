using System.Globalization;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using Limbeck.Tokenization;
using Limbeck.Training.Compression;
using Limbeck.Training.Data;
using Limbeck.Training.Data.Corpus;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Jobs;

/// <summary>
/// TinyBERT's general distillation, <c>limbeck compress --stage general</c>: a student learns a pretrained teacher's embeddings, hidden states and attention from raw
/// text. What comes out is an encoder that task distillation starts from.
/// </summary>
internal static class GeneralStage
{
    /// <summary>The longest sequence that the authors use.</summary>
    public const int DefaultLength = 128;

    /// <summary>Runs the stage and leaves a Hugging Face directory of an encoder, with its projection beside it.</summary>
    /// <param name="settings">Checked settings.</param>
    /// <param name="context">What to run with.</param>
    /// <exception cref="UsageException">The settings do not fit the models or the folder; nothing has been written.</exception>
    /// <exception cref="OperationCanceledException">The run was interrupted; a checkpoint has been written.</exception>
    public static TrainingReport Run(CompressSettings settings, JobContext context)
    {
        OutputFolder.Check(settings);
        Precision precision = PrecisionChoice.Announce(settings, context.Messages);
        string folder = settings.TeacherModel!;
        string weights = ModelFolder.Weights(folder);
        BertTokenizer tokenizer = BertTokenizer.FromDirectory(weights);
        using BertModel teacher = BertModel.Load(weights, HeadKind.None, out _);
        int length = ModelFolder.CheckLength(settings.MaxSeqLength ?? Math.Min(DefaultLength, teacher.Config.MaxPositions), teacher.Config, folder);

        // Opened when it is first needed, which is after the settings have been checked against the models.
        TokenStore? opened = null;
        TokenStore Open() => opened ??= TokenStore.OpenOrBuild(
            TextCorpus.Resolve(settings.TrainCorpus!), tokenizer, settings.CacheDir, context.Progress, context.Team.Threads, context.Cancellation);
        (BertModel student, LayerMap map, PrincipalComponents? components) = MakeStudent(
            settings, teacher, tokenizer, () => Open().Counts(teacher.Config.VocabularySize), context.Messages);
        using BertModel owned = student;
        ModelFolder.CheckLength(length, student.Config, settings.StudentModel!);
        CompressJob.Describe(settings, teacher, student, map, null, context.Messages);
        using TinyBert method = CompressJob.Method(settings, teacher, student, map, settings.AttentionLoss == "scores");
        bool continued = CompressJob.StartProjection(settings, method, components, context.Messages);

        using TokenStore store = Open();
        CorpusBatches batches = Batches(settings, store, tokenizer, length, context);
        Say(settings, method, teacher, store, batches, context.Messages);
        string identity = new HashBuilder().Add("weights", ModelFolder.Hash(teacher)).Add("config", $"{teacher.Config}").Add("tokenizer", tokenizer.Fingerprint).ToKey();
        HashBuilder hash = TrainedModel.Fingerprint(settings).Add("teacher", identity).Add("student", ModelFolder.Hash(student));
        string fingerprint = (continued ? hash.Add("projection weights", method.ProjectionHash()) : hash).ToKey();
        using LiveTeacher live = new(
            teacher, null, new TeacherNeeds(false, [.. method.TeacherHidden.Distinct()], [.. method.TeacherScores.Distinct()]), settings.TeacherDropout, settings.Seed, context.Team,
            precision);
        Stage stage = StageOf(settings, batches, method.Intermediate(live), method);
        context.Messages.WriteLine(TrainedModel.Describe(stage));
        TrainingLoop loop = new(
            settings.LoopOptions, [stage], method.Parameters, fingerprint,
            target =>
            {
                OutputFolder.SaveModel(target, student, tokenizer, length, settings.Dtype);
                method.SaveProjection(target);
            },
            context.Team, context.Progress);
        OutputFolder.Clear(settings);
        TrainingResult result = loop.Run(context.Cancellation);
        context.Messages.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{result.Tokens:N0} tokens in {result.Seconds:N1} s: {result.Tokens / Math.Max(result.Seconds, 1e-9):N0} tokens/s"));
        return Finish(settings, teacher, student, batches, length, result);
    }

    /// <summary>The student without a classifier: what has no labels has no use for one.</summary>
    private static (BertModel Student, LayerMap Map, PrincipalComponents? Components) MakeStudent(
        CompressSettings settings, BertModel teacher, BertTokenizer tokenizer, Func<long[]> counts, TextWriter messages)
    {
        (BertModel made, BertTokenizer own, LayerMap map, PrincipalComponents? components) = Student.Make(settings, teacher, tokenizer, counts, messages);
        using BertModel withHead = made;
        if (own.Fingerprint != tokenizer.Fingerprint)
        {
            throw new UsageException(
                $"the tokenizer of {settings.StudentModel} is not that of {settings.TeacherModel}: hidden states cannot be compared token by token. Use a student with the teacher's vocabulary.");
        }

        BertModel student = new(made.Config, HeadKind.None);
        foreach (Parameter parameter in student.Parameters)
        {
            made[parameter.Name].Value.Span.CopyTo(parameter.Value.Span);
            parameter.Changed();
        }

        return (student, map, components);
    }

    private static CorpusBatches Batches(CompressSettings settings, TokenStore store, BertTokenizer tokenizer, int length, JobContext context)
    {
        SegmentKind kind = settings.Segments switch
        {
            "single" => SegmentKind.Single,
            "lines" => SegmentKind.Lines,
            _ => SegmentKind.Pairs,
        };
        CorpusSegments segments = new(store, new SegmentOptions(kind, length, settings.ShortSeqProb), settings.Seed, context.Team.Threads);
        return new CorpusBatches(segments, tokenizer, settings.General.PerDeviceTrainBatchSize, settings.Seed, settings.DropLast, settings.GroupByLength);
    }

    private static Stage StageOf(CompressSettings settings, CorpusBatches batches, IObjective objective, TinyBert method)
    {
        StageSettings how = settings.General;
        int epochs = how.NumTrainEpochs ?? 1;
        long? most = how.MaxSteps > 0 ? how.MaxSteps : null;
        if (settings.MaxTokens > 0)
        {
            long steps = batches.StepsFor(settings.MaxTokens, how.GradientAccumulationSteps, epochs);
            most = Math.Min(most ?? steps, steps);
        }

        return new Stage
        {
            Name = "general",
            Batches = batches,
            Objective = objective,
            Parameters = method.Parameters,
            Optimizer = how.Rule,
            Schedule = how.Schedule,
            Epochs = epochs,
            Accumulation = how.GradientAccumulationSteps,
            MaxSteps = most,
        };
    }

    private static void Say(CompressSettings settings, TinyBert method, BertModel teacher, TokenStore store, CorpusBatches batches, TextWriter messages)
    {
        (long sequences, long tokens) = batches.Size(0);
        messages.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"corpus: {store.DocumentCount:N0} documents, {store.SentenceCount:N0} sentences, {store.TokenCount:N0} tokens; an epoch has {sequences:N0} sequences of {(double)tokens / sequences:0.0} tokens ({settings.Segments})"));
        double perToken = 2.0 * ((method.TeacherHidden.Distinct().Count() * teacher.Config.HiddenSize)
            + (method.TeacherScores.Distinct().Count() * teacher.Config.HeadCount * ((double)tokens / sequences)));
        messages.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"the teacher runs live: its outputs would take about {perToken / 1000:0.0} kB a token, {perToken * tokens / 1e9:N1} GB an epoch, and every epoch has other sequences"));
    }

    private static TrainingReport Finish(
        CompressSettings settings, BertModel teacher, BertModel student, CorpusBatches batches, int length, TrainingResult result)
    {
        using (BertModel saved = BertModel.Load(settings.OutputDir!, HeadKind.None, out _))
        {
            // Opened again as the proof that the folder is whole.
        }

        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(settings.TeacherModel!));
        BertConfig shape = student.Config;
        new ModelCard
        {
            Title = $"{name}, distilled on raw text",
            BaseModel = settings.TeacherModel!,
            Story = $"A student of {shape.LayerCount} layers of width {shape.HiddenSize}, distilled with Limbeck by TinyBERT's general distillation (arXiv:1909.10351): {result.Steps} steps, {result.Tokens} tokens, at most {length} in a sequence, seed {settings.Seed}. It is a starting point for task distillation, not a model for a task.",
            Data = string.Empty,
            Labels = [],
            Usage = "limbeck compress --teacher-model TEACHER --student-model . --train-file FILE --output-dir student",
        }.Write(settings.OutputDir!);
        TrainingReport report = new()
        {
            Method = settings.Method,
            OutputDir = settings.OutputDir!,
            Task = "general",
            TrainRows = (int)Math.Min(int.MaxValue, batches.Size(0).Sequences),
            Size = ModelSize.Of(student),
            TeacherSize = ModelSize.Of(teacher),
            Steps = result.Steps,
            Tokens = result.Tokens,
            Seconds = result.Seconds,
            PeakActivationBytes = result.PeakActivationBytes,
            MaxSeqLength = length,
            Settings = settings,
        };
        report.Write();
        return report;
    }
}
