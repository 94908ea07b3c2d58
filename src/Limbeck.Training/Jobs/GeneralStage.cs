using System.Globalization;
using Limbeck.Checkpoints;
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
    /// <param name="phase">How far to go.</param>
    /// <returns>The plan, unless it has been said before, and the report, unless only the plan is wanted.</returns>
    /// <exception cref="UsageException">The settings do not fit the models or the folder; nothing has been written.</exception>
    /// <exception cref="OperationCanceledException">The run was interrupted; a checkpoint has been written.</exception>
    public static (JobPlan? Plan, TrainingReport? Report) Run(CompressSettings settings, JobContext context, JobPhase phase)
    {
        OutputFolder.Check(settings);
        Precision precision = PrecisionChoice.Announce(settings.Precision, context.Messages);
        TextCorpus.Check(settings.TrainCorpus!);
        string folder = settings.TeacherModel!;
        string weights = ModelFolder.Weights(folder);
        BertTokenizer tokenizer = BertTokenizer.FromDirectory(weights);
        using BertModel teacher = BertModel.Load(weights, HeadKind.None, out _);
        int length = ModelFolder.CheckLength(settings.MaxSeqLength ?? Math.Min(DefaultLength, teacher.Config.MaxPositions), teacher.Config, folder);

        // Opened when it is first needed, which is after the settings have been checked against the models. A plan makes none, and then cannot weigh words by it.
        bool planOnly = phase is JobPhase.PlanOnly or JobPhase.CheckedPlan;
        TokenStore? opened = planOnly ? TokenStore.OpenIfThere(TextCorpus.Resolve(settings.TrainCorpus!), tokenizer, settings.CacheDir, context.Progress.Message) : null;
        bool untold = planOnly && opened is null;
        TokenStore Open() => opened ??= TokenStore.OpenOrBuild(
            TextCorpus.Resolve(settings.TrainCorpus!), tokenizer, settings.CacheDir, context.Progress, context.Team.Threads, context.Cancellation);
        (BertModel student, LayerMap map, PrincipalComponents? components) = MakeStudent(
            settings,
            teacher,
            tokenizer,
            new StudentTexts(() => Open().Counts(teacher.Config.VocabularySize), tokens => Sample(Open(), tokenizer, length, tokens, settings.Seed), planOnly),
            context);
        using BertModel owned = student;
        ModelFolder.CheckLength(length, student.Config, settings.StudentModel!);
        CompressJob.Describe(settings, teacher, student, map, null, context.Messages);
        SentenceTransformerConfig? embedder = SentenceTransformerFiles.Read(folder);
        using TinyBert method = CompressJob.Method(settings, teacher, student, map, settings.AttentionLoss == "scores", embedder?.Pooling ?? PoolingMode.Mean);
        bool continued = CompressJob.StartProjection(settings, method, components, context.Messages);

        if (untold)
        {
            CorpusEstimate corpus = CorpusEstimate.Of(TextCorpus.Resolve(settings.TrainCorpus!), tokenizer);
            (long rows, long perEpoch) = corpus.Epoch(Segments(settings, length));
            return (PlanOf(settings, teacher, student, map, rows, perEpoch, null, length, context), null);
        }

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
        JobPlan? plan = null;
        if (phase != JobPhase.AfterPlan)
        {
            (long sequences, long tokens) = batches.Size(0);
            plan = PlanOf(settings, teacher, student, map, sequences, tokens, stage, length, context);
        }

        if (planOnly)
        {
            return (plan, null);
        }

        context.Messages.WriteLine(TrainedModel.Describe(stage));
        plan?.Write(context.Messages);
        TrainingLoop loop = new(
            settings.LoopOptions, [stage], method.Parameters, fingerprint,
            target =>
            {
                SaveStudent(target, student, tokenizer, length, settings, embedder);
                method.SaveProjection(target);
            },
            context.Team, context.Progress);
        OutputFolder.Clear(settings);
        TrainingResult result = loop.Run(context.Cancellation);
        context.Messages.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{result.Tokens:N0} tokens in {result.Seconds:N1} s: {result.Tokens / Math.Max(result.Seconds, 1e-9):N0} tokens/s"));
        return (plan, Finish(settings, teacher, student, map, batches, length, embedder is not null, result, context));
    }

    /// <summary>The stage's plan: counted from its batches, or about, where the corpus is not tokenized yet.</summary>
    private static JobPlan PlanOf(
        CompressSettings settings, BertModel teacher, BertModel student, LayerMap map, long sequences, long tokens, Stage? counted, int length, JobContext context)
    {
        StageSettings how = settings.General;
        int epochs = how.NumTrainEpochs ?? 1;
        long batches = (sequences + how.PerDeviceTrainBatchSize - 1) / how.PerDeviceTrainBatchSize;
        long perEpoch = (batches + how.GradientAccumulationSteps - 1) / how.GradientAccumulationSteps;
        long steps = counted?.TotalSteps ?? epochs * perEpoch;
        long all = epochs * tokens;
        if (counted is null)
        {
            steps = how.MaxSteps > 0 ? Math.Min(how.MaxSteps, steps) : steps;
            steps = settings.MaxTokens > 0 ? Math.Min(steps, (long)Math.Ceiling((double)settings.MaxTokens * perEpoch / Math.Max(1, tokens))) : steps;
        }

        all = (long)(all * Math.Min(1, (double)steps / Math.Max(1, epochs * perEpoch)));
        WorkTime time = WorkTime.On(context.Team, settings.Precision);
        double mean = (double)tokens / Math.Max(1, sequences);
        double seconds = time.Train(ModelSize.Of(student), all, mean, CompressJob.ProjectionFlops(student, teacher)) + time.Forward(ModelSize.Of(teacher), all, mean);
        return new JobPlan
        {
            Stages = PlannedStage.Reached(settings, [new PlannedStage("general", sequences, PlannedStage.PassesOf(steps, perEpoch, epochs), all, steps, seconds, length, counted is null)]),
            Size = ModelSize.Of(student),
            TeacherSize = ModelSize.Of(teacher),
            LayerMap = $"{map}",
            How = time.How,
        };
    }

    /// <summary>An embedder's student is saved as one: with the teacher's pooling and longest input.</summary>
    private static void SaveStudent(string folder, BertModel student, BertTokenizer tokenizer, int length, CompressSettings settings, SentenceTransformerConfig? embedder)
    {
        if (embedder is null)
        {
            OutputFolder.SaveModel(folder, student, tokenizer, length, settings.Dtype);
            return;
        }

        int longest = Math.Min(embedder.MaxSequenceLength ?? length, student.Config.MaxPositions);
        OutputFolder.SaveModel(folder, student, tokenizer, longest, settings.Dtype);
        SentenceTransformerFiles.Write(folder, embedder with { WeightsDirectory = string.Empty, MaxSequenceLength = longest }, student.Config.HiddenSize);
    }

    /// <summary>Sentences of the corpus, drawn at random.</summary>
    private static PackedBatch Sample(TokenStore store, BertTokenizer tokenizer, int length, int tokens, ulong seed)
    {
        SeededRandom random = new(seed);
        List<(int[] Ids, int[] TypeIds)> texts = [];
        for (int sum = 0; sum < tokens; sum += texts[^1].Ids.Length)
        {
            int[] sentence = store.Sentence((long)(random.NextUInt64() % (ulong)store.SentenceCount));
            int[] ids = [tokenizer.ClassId, .. sentence.Take(length - 2), tokenizer.SeparatorId];
            texts.Add((ids, new int[ids.Length]));
        }

        return PackedBatch.Pack(texts);
    }

    /// <summary>The student without a classifier: what has no labels has no use for one.</summary>
    private static (BertModel Student, LayerMap Map, PrincipalComponents? Components) MakeStudent(
        CompressSettings settings, BertModel teacher, BertTokenizer tokenizer, StudentTexts texts, JobContext context)
    {
        (BertModel made, BertTokenizer own, LayerMap map, PrincipalComponents? components) = Student.Make(settings, teacher, tokenizer, texts, context);
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
        CorpusSegments segments = new(store, Segments(settings, length), settings.Seed, context.Team.Threads);
        return new CorpusBatches(segments, tokenizer, settings.General.PerDeviceTrainBatchSize, settings.Seed, settings.DropLast, settings.GroupByLength);
    }

    private static SegmentOptions Segments(CompressSettings settings, int length)
    {
        SegmentKind kind = settings.Segments switch
        {
            "single" => SegmentKind.Single,
            "lines" => SegmentKind.Lines,
            _ => SegmentKind.Pairs,
        };
        return new SegmentOptions(kind, length, settings.ShortSeqProb);
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
        CompressSettings settings, BertModel teacher, BertModel student, LayerMap map, CorpusBatches batches, int length, bool embedder, TrainingResult result, JobContext context)
    {
        using (BertModel saved = BertModel.Load(settings.OutputDir!, HeadKind.None, out _))
        {
            // Opened again as the proof that the folder is whole.
        }

        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(settings.TeacherModel!));
        BertConfig shape = student.Config;
        string story = $"A student of {shape.LayerCount} layers of width {shape.HiddenSize}, distilled with Limbeck by TinyBERT's general distillation (arXiv:1909.10351): {result.Steps} steps, {result.Tokens} tokens, at most {length} in a sequence, seed {settings.Seed}. {(embedder ? "It is a sentence embedder as its teacher is, and a starting point for task distillation." : "It is a starting point for task distillation, not a model for a task.")}";
        new ModelCard
        {
            Title = $"{name}, distilled on raw text",
            BaseModel = settings.TeacherModel!,
            Story = story,
            Pipeline = embedder ? ModelCard.SentenceSimilarity : null,
            Data = string.Empty,
            Labels = [],
            Usage = embedder
                ? "limbeck evaluate . --zero-shot --data-file PAIRS.tsv --text-column sentence1 --pair-column sentence2 --label-column score"
                : "limbeck compress --teacher-model TEACHER --student-model . --train-file FILE --output-dir student",
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
            Precision = PrecisionChoice.Of(settings.Precision),
            Settings = settings,
        };
        report.Write();
        new CorpusReport
        {
            Verb = "compress",
            Settings = settings,
            Results = report,
            Corpus = settings.TrainCorpus!,
            Title = $"{settings.StudentModel} distilled from {name} on raw text",
            Story = story,
            StartModel = settings.StudentModel!,
            Teacher = teacher,
            TeacherFolder = settings.TeacherModel,
            Map = map,
        }.Write(context);
        return report;
    }
}
