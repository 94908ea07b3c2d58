using System.Globalization;
using Limbeck.Checkpoints;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using Limbeck.Tokenization;
using Limbeck.Training.Compression;
using Limbeck.Training.Data;
using Limbeck.Training.Evaluation;
using Limbeck.Training.Evaluation.Reporting;
using Limbeck.Training.Loop;
using Limbeck.Training.Metrics;

namespace Limbeck.Training.Jobs;

/// <summary>Compresses a fine-tuned model into a student, or trains the same student without it: <c>limbeck compress</c>.</summary>
public static class CompressJob
{
    private const ulong ProjectionStream = 1;

    /// <summary>Runs the job and leaves a complete Hugging Face directory.</summary>
    /// <param name="settings">Checked settings.</param>
    /// <param name="context">What to run with.</param>
    /// <exception cref="UsageException">The settings do not fit the models or the folder; nothing has been written.</exception>
    /// <exception cref="OperationCanceledException">The run was interrupted; a checkpoint has been written.</exception>
    public static TrainingReport Run(CompressSettings settings, JobContext context) => Run(settings, context, JobPhase.Whole).Report!;

    /// <summary>Opens and checks all that a run would, and tells what it would do, without writing anything.</summary>
    /// <param name="settings">Checked settings.</param>
    /// <param name="context">What to run with.</param>
    /// <exception cref="UsageException">The settings do not fit the models or the folder.</exception>
    public static JobPlan Plan(CompressSettings settings, JobContext context) => Run(settings, context, JobPhase.PlanOnly).Plan!;

    private static (JobPlan? Plan, TrainingReport? Report) Run(CompressSettings settings, JobContext context, JobPhase phase)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(context);
        return settings.Stage == "general" ? GeneralStage.Run(settings, context, phase)
            : settings.IsSeveral ? SeveralStages.Run(settings, context, phase)
            : RunTask(settings, context, phase);
    }

    /// <summary>The task's stages.</summary>
    /// <param name="settings">Checked settings.</param>
    /// <param name="context">What to run with.</param>
    /// <param name="phase">How far to go.</param>
    /// <param name="expected">For a plan: the augmented rows that are not made yet, or null.</param>
    /// <returns>The plan, unless it has been said before, and the report, unless only the plan is wanted.</returns>
    internal static (JobPlan? Plan, TrainingReport? Report) RunTask(CompressSettings settings, JobContext context, JobPhase phase, AugmentPlan? expected = null)
    {
        OutputFolder.Check(settings);
        Precision precision = PrecisionChoice.Announce(settings.Precision, context.Messages);
        string folder = settings.TeacherModel!;
        string weights = ModelFolder.Weights(folder);
        BertTokenizer teacherTokenizer = BertTokenizer.FromDirectory(weights);
        using BertModel teacher = BertModel.Load(weights, HeadKind.Classifier, out _);
        TaskData task = TaskData.Read(settings, teacher.Config, context.Messages);
        TrainedModel.CheckBest(settings, task);
        IReadOnlyList<BaselineRun> baselines = TaskReport.ReadBaselines(settings, task);
        int[] outputs = settings.Task is null && !teacher.Config.IsRegression
            ? [.. Enumerable.Range(0, teacher.Config.Labels.Count)]
            : TaskLabels.Match(teacher.Config, task.Task, folder);
        int length = ModelFolder.CheckLength(settings.MaxSeqLength ?? Math.Min(task.PaperLength, teacher.Config.MaxPositions), teacher.Config, folder);

        Dataset labelled = TaskLabels.InOrderOf(task.Train, outputs, teacher.Config.Labels);
        Dataset all = WithUnlabelled(labelled, settings, context.Messages);
        EncodedDataset teacherRows = TrainedModel.Encode(all, teacherTokenizer, length, context);
        EncodedDataset? teacherAugmented = AugmentedRows.Read(settings, task, outputs, teacher.Config.Labels, context.Messages) is Dataset augmented
            ? TrainedModel.Encode(WithUnlabelled(augmented, settings, TextWriter.Null), teacherTokenizer, length, context)
            : null;
        EncodedDataset used = teacherAugmented is null || !settings.TrimVocabulary ? teacherRows : AugmentedRows.Together(teacherRows, teacherAugmented, teacherTokenizer, context.Team.Threads);
        bool planOnly = phase is JobPhase.PlanOnly or JobPhase.CheckedPlan;
        (BertModel made, BertTokenizer tokenizer, LayerMap map, PrincipalComponents? components) = Student.Make(
            settings, teacher, teacherTokenizer, new StudentTexts(() => Counts(teacher, used), tokens => Sample(used, tokens, settings.Seed), planOnly), context);
        using BertModel student = made;
        ModelFolder.CheckLength(length, student.Config, settings.StudentModel!);
        EncodedDataset rows = ReferenceEquals(tokenizer, teacherTokenizer) ? teacherRows : EncodedDataset.Encode(all, tokenizer, length, context.Team.Threads);
        EncodedDataset? studentAugmented = teacherAugmented is null || ReferenceEquals(tokenizer, teacherTokenizer) ? teacherAugmented
            : EncodedDataset.Encode(teacherAugmented.Source, tokenizer, length, context.Team.Threads);
        StageRows original = new(teacherRows, rows);
        StageRows intermediate = teacherAugmented is null ? original : new(teacherAugmented, studentAugmented!);
        EncodedDataset own = ReferenceEquals(all, labelled) ? rows : EncodedDataset.Encode(labelled, tokenizer, length, context.Team.Threads);
        EncodedDataset? validation = task.Validation is null ? null : TrainedModel.Encode(task.Validation, tokenizer, length, context);
        float[]? teacherAnswers = task.Validation is null || phase == JobPhase.PlanOnly ? null : Evaluator.InTaskOrder(
            Evaluator.Logits(teacher, EncodedDataset.Encode(task.Validation, teacherTokenizer, length, context.Team.Threads), context.Team, context.Cancellation), outputs);
        MetricSet? teacherScore = teacherAnswers is null ? null : MetricSet.Compute(task.Validation!, teacherAnswers);
        Describe(settings, teacher, student, map, teacherScore, context.Messages);
        JobPlan? plan = phase == JobPhase.AfterPlan ? null : PlanOf(settings, teacher, student, map, task, original, intermediate, own, expected, length, context);
        if (teacherScore is not null && teacherScore.Primary <= MetricSet.MajorityBaseline(task.Train, task.Validation!).Primary)
        {
            context.Messages.WriteLine("warning: the teacher is not better than always giving the commonest answer: was it fine-tuned on this task, and are its labels in the right order?");
        }

        using TinyBert method = Method(
            settings, teacher, student, map, settings.AttentionLoss == "scores" && !settings.NoTeacher && settings.Intermediate.NumTrainEpochs != 0);
        if (planOnly)
        {
            if (!settings.NoTeacher && settings.Intermediate.NumTrainEpochs != 0)
            {
                CheckSameTokens(intermediate.Teacher, intermediate.Student, settings);
            }

            return (plan, null);
        }

        plan?.Write(context.Messages);
        bool continued = !settings.NoTeacher && StartProjection(settings, method, components, context.Messages);
        string identity = new HashBuilder().Add("weights", ModelFolder.Hash(teacher)).Add("config", $"{teacher.Config}").Add("tokenizer", teacherTokenizer.Fingerprint).ToKey();
        HashBuilder hash = TrainedModel.Fingerprint(settings).Add("teacher", identity).Add("student", ModelFolder.Hash(student)).Add("tokenizer", tokenizer.Fingerprint);
        string fingerprint = (continued ? hash.Add("projection weights", method.ProjectionHash()) : hash).ToKey();
        List<IDisposable> teachers = [];
        try
        {
            Func<CancellationToken, MetricSet>? evaluate = TrainedModel.Evaluation(student, validation, outputs, context.Team);
            Stage[] stages = settings.NoTeacher
                ? [Alone(settings, student, rows, own, task, evaluate)]
                : Distillation(settings, method, teacher, student, identity, original, intermediate, task, evaluate, teachers, precision, context);
            foreach (Stage stage in stages)
            {
                context.Messages.WriteLine(TrainedModel.Describe(stage));
            }

            IReadOnlyList<Parameter> state = settings.NoTeacher ? student.Parameters : method.Parameters;
            TrainingLoop loop = new(
                settings.LoopOptions, stages, state, fingerprint,
                target => OutputFolder.SaveModel(target, student, tokenizer, length, settings.Dtype), context.Team, context.Progress);
            OutputFolder.Clear(settings);
            TrainingResult result = loop.Run(context.Cancellation);
            TaskReportTeacher learned = new(folder, teacher, teacherTokenizer, map, teacherAnswers);
            return (plan, Finish(settings, task, learned, teacherScore, student, validation, rows.Count, length, result, baselines, context));
        }
        finally
        {
            teachers.ForEach(live => live.Dispose());
        }
    }

    private static TrainingReport Finish(
        CompressSettings settings, TaskData task, TaskReportTeacher teacher, MetricSet? teacherScore, BertModel student, EncodedDataset? validation, int rows, int length,
        TrainingResult result, IReadOnlyList<BaselineRun> baselines, JobContext context)
    {
        (MetricSet? metrics, MetricSet? mismatched) = TrainedModel.Score(settings.OutputDir!, task, validation, length, context, out float[]? answers);
        MetricSet? majority = task.Validation is null ? null : MetricSet.MajorityBaseline(task.Train, task.Validation);
        TrainedModel.WarnBelowMajority(metrics, majority, context.Messages);
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(settings.TeacherModel!));
        BertConfig shape = student.Config;
        CompressSettings asked = settings.Whole ?? settings;
        string method = settings.Whole is { RunsGeneral: true } ? "TinyBERT's general and task distillation" : "TinyBERT's task distillation";
        string rowsUsed = settings.Augmented ? " on augmented rows" : string.Empty;
        string story = settings.NoTeacher
            ? $"A student of {shape.LayerCount} layers of width {shape.HiddenSize}, trained with Limbeck on the labels alone: {result.Steps} steps, seed {settings.Seed}."
            : $"A student of {shape.LayerCount} layers of width {shape.HiddenSize}, distilled with Limbeck by {method}{rowsUsed} (arXiv:1909.10351): {result.Steps} steps{(settings.Whole is { RunsGeneral: true } ? " of the task's stages" : string.Empty)}, at most {length} tokens, seed {settings.Seed}.";
        new ModelCard
        {
            Title = settings.NoTeacher ? $"{asked.StudentModel}, trained on {task.Train.Name}" : $"{name}, distilled for {task.Train.Name}",
            BaseModel = settings.TeacherModel!,
            Story = story,
            Task = task.Task.IsGlue ? task.Task.Name : null,
            Data = task.Validation?.Name ?? string.Empty,
            Metrics = metrics,
            Rows = validation?.Count ?? 0,
            Labels = shape.Labels,
        }.Write(settings.OutputDir!);
        TrainingReport report = new()
        {
            Method = settings.NoTeacher ? "none" : settings.Method,
            OutputDir = settings.OutputDir!,
            Task = task.Task.Name,
            TrainRows = rows,
            EvalData = task.Validation?.Name,
            EvalRows = validation?.Count ?? 0,
            Metrics = metrics,
            Mismatched = mismatched,
            Teacher = teacherScore,
            Majority = majority,
            Size = ModelSize.Of(student),
            TeacherSize = ModelSize.Of(teacher.Model),
            Steps = result.Steps,
            Tokens = result.Tokens,
            Seconds = result.Seconds,
            PeakActivationBytes = result.PeakActivationBytes,
            MaxSeqLength = length,
            Precision = PrecisionChoice.Of(settings.Precision),
            Parts = settings.PartsBefore is { } before ? [.. before, new ReportPart("task", result.Steps, result.Tokens, result.Seconds)] : [],
            Settings = asked,
        };
        report.Write();
        new TaskReport
        {
            Verb = "compress",
            Settings = asked,
            LastStages = settings,
            Results = report,
            Task = task,
            Title = $"{task.Title}: {(Directory.Exists(asked.StudentModel) ? Path.GetFileName(Path.TrimEndingDirectorySeparator(asked.StudentModel)) : asked.StudentModel)} {(settings.NoTeacher ? "without a teacher" : $"distilled from {name}")}",
            Story = story,
            StartModel = asked.StudentModel!,
            Answers = answers,
            Teacher = teacher,
            Baselines = baselines,
        }.Write(context);
        return report;
    }

    private static Dataset WithUnlabelled(Dataset labelled, CompressSettings settings, TextWriter messages)
    {
        if (settings.Unlabelled is null)
        {
            return labelled;
        }

        if (settings.GoldRegression && labelled.Task.Kind == TaskKind.Regression)
        {
            throw new UsageException("--gold-regression learns gold scores, which the rows of --unlabelled do not have; leave one of them out");
        }

        Dataset more = TextLines.Read(settings.Unlabelled, labelled.Task, settings.Table with { LabelColumn = null });
        foreach (string warning in more.Warnings)
        {
            messages.WriteLine($"warning: {warning}");
        }

        messages.WriteLine($"      {more.Name}, {more.Examples.Count:N0} rows without labels to learn the teacher's answers on");
        return new Dataset($"{labelled.Name} and {more.Name}", labelled.Task, [.. labelled.Examples, .. more.Examples]);
    }

    /// <summary>Starts the projection at the components the student started from, or where the general stage left it when the student is its.</summary>
    /// <returns>Whether it goes on from a general stage.</returns>
    internal static bool StartProjection(CompressSettings settings, TinyBert method, PrincipalComponents? components, TextWriter messages)
    {
        if (components is not null)
        {
            method.StartProjection(components);
            return false;
        }

        string? from = settings.StudentInit is "random" or "teacher" ? null : settings.StudentInit ?? settings.StudentModel;
        if (!Directory.Exists(from) || !method.TryLoadProjection(ModelFolder.Weights(from)))
        {
            return false;
        }

        messages.WriteLine($"the projection goes on from {from} too");
        return true;
    }

    /// <summary>The method with the settings' switches.</summary>
    internal static TinyBert Method(CompressSettings settings, BertModel teacher, BertModel student, LayerMap map, bool attentionLoss, PoolingMode pooling = PoolingMode.Mean)
    {
        try
        {
            TinyBertOptions options = new()
            {
                LayerMap = map,
                Temperature = (float)settings.Temperature,
                ProjectionPerLayer = settings.Projection == "per_layer",
                AttentionLoss = attentionLoss,
                HiddenLoss = settings.HiddenLoss,
                SentenceLoss = settings.SentenceLoss switch
                {
                    "cosine" => SentenceLoss.Cosine,
                    "mse" => SentenceLoss.MeanSquaredError,
                    _ => SentenceLoss.None,
                },
                SentenceWeight = (float)settings.SentenceWeight,
                Pooling = pooling,
                EmbeddingLoss = settings.EmbeddingLoss,
                MeanOverClasses = settings.MeanOverClasses,
                GoldRegression = settings.GoldRegression,
            };
            return new TinyBert(teacher.Config, student, options, new SeededRandom(settings.Seed, ProjectionStream));
        }
        catch (ArgumentException e)
        {
            throw new UsageException(e.Message, e);
        }
    }

    private static Stage[] Distillation(
        CompressSettings settings, TinyBert method, BertModel teacher, BertModel student, string identity, StageRows original, StageRows intermediate, TaskData task,
        Func<CancellationToken, MetricSet>? evaluate, List<IDisposable> teachers, Precision precision, JobContext context)
    {
        CacheOptions cache = new(settings.TeacherCache, settings.CacheDir, (long)(settings.CacheLimit * 1e9));

        // What would be read only once is not worth keeping.
        ITeacher Answers(TeacherNeeds needs, EncodedDataset rows, bool once)
        {
            ITeacher answers = settings.TeacherDropout || once
                ? new LiveTeacher(teacher, rows, needs, settings.TeacherDropout, settings.Seed, context.Team, precision)
                : CachedTeacher.Open(teacher, identity, rows, needs, cache, context.Progress, context.Team, precision, context.Cancellation);
            teachers.Add(answers);
            return answers;
        }

        List<Stage> stages = [];
        int epochs = Epochs(settings.Intermediate, task);
        if (epochs > 0)
        {
            CheckSameTokens(intermediate.Teacher, intermediate.Student, settings);
            (int passes, long? most) = AugmentedRows.Length(settings, epochs, original.Student, intermediate.Student, context.Messages);
            IObjective objective = method.Intermediate(Answers(new TeacherNeeds(false, method.TeacherHidden, method.TeacherScores), intermediate.Teacher, once: most is not null && passes == 1));
            Stage stage = StageOf("intermediate", settings.Intermediate, passes, intermediate.Student, objective, method.Parameters, settings, null);
            stages.Add(most is null ? stage : stage with { MaxSteps = Math.Min(stage.MaxSteps ?? long.MaxValue, most.Value) });
        }

        epochs = Epochs(settings.Prediction, task);
        if (epochs > 0)
        {
            StageRows rows = settings.AugPrediction ? intermediate : original;
            IObjective objective = method.Prediction(Answers(new TeacherNeeds(true, [], []), rows.Teacher, once: false), rows.Student);
            Stage stage = StageOf("prediction", settings.Prediction, epochs, rows.Student, objective, method.Parameters, settings, evaluate);
            stages.Add(settings.HeadInit == "fitted" ? stage with { Begin = stop => FitHead(settings, teacher, student, rows, precision, context, stop) } : stage);
        }

        return [.. stages];
    }

    private static void FitHead(CompressSettings settings, BertModel teacher, BertModel student, StageRows rows, Precision precision, JobContext context, CancellationToken cancellation)
    {
        FittedHead.Start(teacher, student, rows.Teacher, rows.Student, settings.Seed, context.Team, precision, cancellation);
        context.Progress.Message($"the student's pooler and classifier are fitted to the teacher's on {Math.Min(rows.Student.Count, FittedHead.SampleRows):N0} rows");
    }

    /// <summary>One stage on the labels, with as many updates as the two stages of the distillation would make.</summary>
    private static Stage Alone(
        CompressSettings settings, BertModel student, EncodedDataset rows, EncodedDataset own, TaskData task, Func<CancellationToken, MetricSet>? evaluate)
    {
        IObjective objective = new TaskObjective(student, own);
        StageSettings how = settings.Alone;
        if (how.NumTrainEpochs is int epochs)
        {
            return StageOf("alone", how, epochs, own, objective, student.Parameters, settings, evaluate);
        }

        long steps = new[] { settings.Intermediate, settings.Prediction }
            .Sum(stage => Epochs(stage, task) is int passes and > 0 ? StageOf("count", stage, passes, rows, objective, [], settings, null).TotalSteps : 0);
        Stage one = StageOf("alone", how, 1, own, objective, student.Parameters, settings, evaluate);
        return one with { Epochs = (int)((steps + one.StepsOf(0) - 1) / one.StepsOf(0)), MaxSteps = how.MaxSteps > 0 ? Math.Min(how.MaxSteps, steps) : steps };
    }

    /// <summary>The plan of the task's stages.</summary>
    private static JobPlan PlanOf(
        CompressSettings settings, BertModel teacher, BertModel student, LayerMap map, TaskData task, StageRows original, StageRows intermediate, EncodedDataset own,
        AugmentPlan? expected, int length, JobContext context)
    {
        WorkTime time = WorkTime.On(context.Team, settings.Precision);
        ModelSize big = ModelSize.Of(teacher);
        ModelSize small = ModelSize.Of(student);
        List<PlannedStage> stages = [];
        long cacheBytes = 0;

        // Augmented rows that are not made yet are taken for so many copies of the original ones.
        void Add(string name, StageSettings how, EncodedDataset rows, double copies, TeacherNeeds? needs, double more, long? steps = null, bool budget = false)
        {
            long Ceiling(double a, double b) => (long)Math.Ceiling(a / b);
            long count = (long)(copies * rows.Count);
            int epochs = Epochs(how, task);
            long batches = settings.DropLast ? count / how.PerDeviceTrainBatchSize : Ceiling(count, how.PerDeviceTrainBatchSize);
            long perEpoch = Math.Max(1, Ceiling(batches, how.GradientAccumulationSteps));
            double tokensOfPass = Math.Max(1, copies * rows.Tokens);
            long updates = steps ?? (budget ? Ceiling(epochs * (double)original.Student.Tokens * perEpoch, tokensOfPass) : epochs * perEpoch);
            updates = how.MaxSteps > 0 ? Math.Min(how.MaxSteps, updates) : updates;
            epochs = PlannedStage.PassesOf(updates, perEpoch, int.MaxValue);
            double tokens = tokensOfPass * updates / perEpoch;
            double mean = WorkTime.MeanLength(rows.Lengths);
            double seconds = time.Train(small, tokens, mean, more);
            if (needs is not null)
            {
                long bytes = (long)(copies * CachedTeacher.EstimateBytes(teacher, rows, needs));
                bool live = settings.TeacherDropout || !settings.TeacherCache || bytes > settings.CacheLimit * 1e9 || (budget && epochs == 1);
                cacheBytes += live ? 0 : bytes;
                seconds += time.Forward(big, live ? tokens : tokensOfPass, mean);
            }

            stages.Add(new PlannedStage(name, count, epochs, (long)tokens, updates, seconds, length, copies != 1 || budget));
        }

        double growth = expected is null ? 1 : (double)expected.AugmentedRows / Math.Max(1, expected.Rows);
        bool budgeted = settings.AugBudget == "tokens" && (expected is not null || !ReferenceEquals(original, intermediate));
        if (Epochs(settings.Intermediate, task) > 0)
        {
            int[] layers = [.. map.Pairs.Select(pair => pair.Value).Distinct()];
            TeacherNeeds needs = new(false, settings.HiddenLoss ? layers : [], settings.AttentionLoss == "scores" ? [.. layers.Where(layer => layer > 0)] : []);
            Add("intermediate", settings.Intermediate, intermediate.Student, growth, needs, ProjectionFlops(student, teacher), budget: budgeted);
        }

        if (Epochs(settings.Prediction, task) > 0)
        {
            EncodedDataset fitted = settings.AugPrediction ? intermediate.Student : original.Student;
            double mean = WorkTime.MeanLength(fitted.Lengths);
            double sample = settings.HeadInit == "fitted" ? Math.Min(1, (double)FittedHead.SampleRows / Math.Max(1, fitted.Count)) * fitted.Tokens : 0;
            double fitting = time.Forward(big, sample, mean) + time.Forward(small, sample, mean);
            Add("prediction", settings.Prediction, settings.AugPrediction ? intermediate.Student : original.Student, settings.AugPrediction ? growth : 1, new TeacherNeeds(true, [], []), 0);
            stages[^1] = stages[^1] with { Seconds = stages[^1].Seconds + fitting };
        }

        if (settings.NoTeacher)
        {
            long updates = stages.Sum(stage => stage.Steps);
            (stages, cacheBytes) = ([], 0);
            Add("alone", settings.Alone with { NumTrainEpochs = settings.Alone.NumTrainEpochs ?? 1 }, own, 1, null, 0, settings.Alone.NumTrainEpochs is null ? updates : null);
        }

        return new JobPlan
        {
            Stages = PlannedStage.Reached(settings, stages),
            CacheBytes = cacheBytes,
            Size = small,
            TeacherSize = big,
            LayerMap = settings.NoTeacher ? null : $"{map}",
            How = time.How,
        };
    }

    /// <summary>Operations of the projections for one token.</summary>
    internal static double ProjectionFlops(BertModel student, BertModel teacher) =>
        2.0 * student.Config.HiddenSize * teacher.Config.HiddenSize * (student.Config.LayerCount + 1);

    private static int Epochs(StageSettings stage, TaskData task) => stage.NumTrainEpochs ?? CompressSettings.PaperEpochs(task.Task.IsGlue ? task.Task.Name : null);

    /// <summary>A stage's batches.</summary>
    internal static DatasetBatches Batches(EncodedDataset rows, StageSettings how, CompressSettings settings) =>
        new(rows, how.PerDeviceTrainBatchSize, settings.Seed, settings.DropLast, settings.GroupByLength);

    private static Stage StageOf(
        string name, StageSettings how, int epochs, EncodedDataset rows, IObjective objective, IReadOnlyList<Parameter> parameters, CompressSettings settings,
        Func<CancellationToken, MetricSet>? evaluate) => new()
        {
            Name = name,
            Batches = Batches(rows, how, settings),
            Objective = objective,
            Parameters = parameters,
            Optimizer = how.Rule,
            Schedule = how.Schedule,
            Epochs = epochs,
            Accumulation = how.GradientAccumulationSteps,
            MaxSteps = how.MaxSteps > 0 ? how.MaxSteps : null,
            Evaluate = evaluate,
        };

    private static long[] Counts(BertModel teacher, EncodedDataset rows)
    {
        long[] counts = new long[teacher.Config.VocabularySize];
        foreach (int id in rows.Encodings.SelectMany(encoding => encoding.Ids))
        {
            counts[id]++;
        }

        return counts;
    }

    private static PackedBatch Sample(EncodedDataset rows, int tokens, ulong seed)
    {
        int[] order = [.. Enumerable.Range(0, rows.Count)];
        new SeededRandom(seed).Shuffle(order);
        int count = 0;
        for (int sum = 0; count < order.Length && sum < tokens; count++)
        {
            sum += rows.Lengths[order[count]];
        }

        return rows.Pack(order[..count]);
    }

    private static void CheckSameTokens(EncodedDataset teacher, EncodedDataset student, CompressSettings settings)
    {
        for (int row = 0; row < teacher.Count; row++)
        {
            if (teacher.Lengths[row] != student.Lengths[row])
            {
                throw new UsageException(
                    $"the tokenizer of {settings.StudentModel} cuts '{student.Source.Examples[row].Text}' into {student.Lengths[row]} tokens, the teacher's into {teacher.Lengths[row]}: hidden states cannot be compared token by token. Use a student with the teacher's vocabulary, or leave the intermediate stage out (--intermediate-num-train-epochs 0).");
            }
        }
    }

    /// <summary>Says what is going to be distilled into what.</summary>
    internal static void Describe(CompressSettings settings, BertModel teacher, BertModel student, LayerMap map, MetricSet? score, TextWriter messages)
    {
        ModelSize big = ModelSize.Of(teacher);
        ModelSize small = ModelSize.Of(student);
        string Shape(BertConfig config) => $"{config.LayerCount}/{config.HiddenSize}/{config.HeadCount}/{config.IntermediateSize}";
        messages.WriteLine($"teacher: {settings.TeacherModel}, {Shape(teacher.Config)}, {big}{(score is null ? string.Empty : $"; {score}")}");
        messages.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"student: {(settings.StudentModel == Shape(student.Config) ? string.Empty : settings.StudentModel + ", ")}{Shape(student.Config)}, {small}; {(double)big.Total / small.Total:0.0} times smaller, {(double)big.FlopsPerToken / small.FlopsPerToken:0.0} times fewer operations in the encoder"));
        messages.WriteLine(settings.NoTeacher ? "no teacher: the student learns from the labels alone" : $"layer map (student:teacher): {map}");
    }
}
