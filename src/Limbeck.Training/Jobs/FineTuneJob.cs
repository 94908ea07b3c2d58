using Limbeck.Models;
using Limbeck.Tokenization;
using Limbeck.Training.Compression;
using Limbeck.Training.Data;
using Limbeck.Training.Evaluation.Reporting;
using Limbeck.Training.Loop;
using Limbeck.Training.Metrics;

namespace Limbeck.Training.Jobs;

/// <summary>Fine-tunes a pretrained model on a task: <c>limbeck finetune</c>.</summary>
public static class FineTuneJob
{
    private const ulong HeadStream = 0x68656164;

    /// <summary>Runs the job and leaves a complete Hugging Face directory.</summary>
    /// <param name="settings">Checked settings.</param>
    /// <param name="context">What to run with.</param>
    /// <exception cref="UsageException">The settings do not fit the model or the folder; nothing has been written.</exception>
    /// <exception cref="OperationCanceledException">The run was interrupted; a checkpoint has been written.</exception>
    public static TrainingReport Run(FineTuneSettings settings, JobContext context) => Run(settings, context, JobPhase.Whole).Report!;

    /// <summary>Opens and checks all that a run would, and tells what it would do, without writing anything.</summary>
    /// <param name="settings">Checked settings.</param>
    /// <param name="context">What to run with.</param>
    /// <exception cref="UsageException">The settings do not fit the model, the data or the folder.</exception>
    public static JobPlan Plan(FineTuneSettings settings, JobContext context) => Run(settings, context, JobPhase.PlanOnly).Plan!;

    private static (JobPlan? Plan, TrainingReport? Report) Run(FineTuneSettings settings, JobContext context, JobPhase phase)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(context);
        OutputFolder.Check(settings);
        PrecisionChoice.Announce(settings.Precision, context.Messages);
        string folder = settings.ModelNameOrPath!;
        string weights = ModelFolder.Weights(folder);
        BertConfig start = BertConfig.Read(weights);
        BertTokenizer tokenizer = BertTokenizer.FromDirectory(weights);
        int length = ModelFolder.CheckLength(settings.MaxSeqLength ?? Math.Min(FineTuneSettings.DefaultLength, start.MaxPositions), start, folder);
        TaskData task = TaskData.Read(settings, null, context.Messages);
        TrainedModel.CheckBest(settings, task);
        IReadOnlyList<BaselineRun> baselines = TaskReport.ReadBaselines(settings, task);
        using BertModel model = Load(settings, weights, start, task.Task, context.Messages, out int[] outputs);
        context.Messages.WriteLine($"model: {folder}, {model.Config.LayerCount}/{model.Config.HiddenSize}/{model.Config.HeadCount}/{model.Config.IntermediateSize}, {ModelSize.Of(model)}");

        EncodedDataset train = TrainedModel.Encode(TaskLabels.InOrderOf(task.Train, outputs, model.Config.Labels), tokenizer, length, context);
        EncodedDataset? validation = task.Validation is null ? null : TrainedModel.Encode(task.Validation, tokenizer, length, context);
        StageSettings how = settings.Training;
        Stage stage = new()
        {
            Name = "finetune",
            Batches = new DatasetBatches(train, how.PerDeviceTrainBatchSize, settings.Seed, groupByLength: settings.GroupByLength),
            Objective = new TaskObjective(model, train),
            Parameters = model.Parameters,
            Optimizer = how.Rule,
            Schedule = how.Schedule,
            Epochs = how.NumTrainEpochs ?? FineTuneSettings.DefaultEpochs,
            Accumulation = how.GradientAccumulationSteps,
            MaxSteps = how.MaxSteps > 0 ? how.MaxSteps : null,
            Evaluate = TrainedModel.Evaluation(model, validation, outputs, context.Team),
        };
        WorkTime time = WorkTime.On(context.Team, settings.Precision);
        ModelSize size = ModelSize.Of(model);
        long tokens = (long)((double)train.Tokens * stage.TotalSteps / Math.Max(1, stage.StepsOf(0)));
        PlannedStage planned = new("finetune", train.Count, PlannedStage.PassesOf(stage.TotalSteps, stage.StepsOf(0), stage.Epochs), tokens, stage.TotalSteps, time.Train(size, tokens, WorkTime.MeanLength(train.Lengths)), length);
        JobPlan plan = new() { Stages = PlannedStage.Reached(settings, [planned]), Size = size, How = time.How };
        if (phase == JobPhase.PlanOnly)
        {
            return (plan, null);
        }

        context.Messages.WriteLine(TrainedModel.Describe(stage));
        plan.Write(context.Messages);
        string fingerprint = TrainedModel.Fingerprint(settings).Add("model", ModelFolder.Hash(model)).Add("tokenizer", tokenizer.Fingerprint).ToKey();
        TrainingLoop loop = new(
            settings.LoopOptions, [stage], model.Parameters, fingerprint,
            target => OutputFolder.SaveModel(target, model, tokenizer, length, settings.Dtype), context.Team, context.Progress);
        OutputFolder.Clear(settings);
        TrainingResult result = loop.Run(context.Cancellation);

        (MetricSet? metrics, MetricSet? mismatched) = TrainedModel.Score(settings.OutputDir!, task, validation, length, context, out float[]? answers);
        MetricSet? majority = task.Validation is null ? null : MetricSet.MajorityBaseline(task.Train, task.Validation);
        TrainedModel.WarnBelowMajority(metrics, majority, context.Messages);
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(folder));
        string story = $"Fine-tuned with Limbeck: {stage.TotalSteps} steps of {how.PerDeviceTrainBatchSize * how.GradientAccumulationSteps} rows, learning rate {how.LearningRate}, at most {length} tokens, seed {settings.Seed}.";
        new ModelCard
        {
            Title = $"{name}, fine-tuned on {task.Train.Name}",
            BaseModel = folder,
            Story = story,
            Task = task.Task.IsGlue ? task.Task.Name : null,
            Data = task.Validation?.Name ?? string.Empty,
            Metrics = metrics,
            Rows = validation?.Count ?? 0,
            Labels = model.Config.Labels,
        }.Write(settings.OutputDir!);
        TrainingReport report = new()
        {
            Method = "finetune",
            OutputDir = settings.OutputDir!,
            Task = task.Task.Name,
            TrainRows = train.Count,
            EvalData = task.Validation?.Name,
            EvalRows = validation?.Count ?? 0,
            Metrics = metrics,
            Mismatched = mismatched,
            Majority = majority,
            Size = ModelSize.Of(model),
            Steps = result.Steps,
            Tokens = result.Tokens,
            Seconds = result.Seconds,
            PeakActivationBytes = result.PeakActivationBytes,
            MaxSeqLength = length,
            Precision = PrecisionChoice.Of(settings.Precision),
            Settings = settings,
        };
        report.Write();
        new TaskReport
        {
            Verb = "finetune",
            Settings = settings,
            Results = report,
            Task = task,
            Title = $"{task.Title}: {name} fine-tuned",
            Story = story,
            StartModel = folder,
            Answers = answers,
            Baselines = baselines,
        }.Write(context);
        return (plan, report);
    }

    /// <summary>Opens the model with a classifier for the task: its own when its labels match by name, a new one otherwise.</summary>
    private static BertModel Load(FineTuneSettings settings, string weights, BertConfig start, TaskDefinition task, TextWriter messages, out int[] outputs)
    {
        BertConfig config = start with
        {
            HeadActivation = settings.Head ?? start.HeadActivation,
            HiddenDropout = (float?)settings.Dropout ?? start.HiddenDropout,
            AttentionDropout = (float?)settings.Dropout ?? start.AttentionDropout,
        };
        bool regression = task.Kind == TaskKind.Regression;
        bool trained = ModelFolder.HasClassifier(weights);
        int[]? kept = !trained || start.IsRegression != regression ? null : regression ? [0] : TaskLabels.TryMatch(start.Labels, task);
        if (kept is not null)
        {
            messages.WriteLine("the model's own classifier has the task's labels: training goes on from it");
            outputs = kept;
            return BertModel.Load(weights, HeadKind.Classifier, out _, settings.Seed ^ HeadStream, config);
        }

        config = config with
        {
            Labels = regression ? BertConfig.DefaultLabels(1) : task.Labels,
            ProblemType = regression ? "regression" : "single_label_classification",
        };
        outputs = [.. Enumerable.Range(0, config.Labels.Count)];
        if (!trained)
        {
            return BertModel.Load(weights, HeadKind.Classifier, out _, settings.Seed ^ HeadStream, config);
        }

        messages.WriteLine($"the model's classifier is for other labels ({string.Join(", ", start.Labels)}): it gets a new one");
        return ModelFolder.WithNewHead(weights, config, settings.Seed ^ HeadStream);
    }
}
