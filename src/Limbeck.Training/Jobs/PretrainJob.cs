using Limbeck.Checkpoints;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using Limbeck.Tokenization;
using Limbeck.Training.Data.Corpus;
using Limbeck.Training.Loop;
using Limbeck.Training.Metrics;
using Limbeck.Training.Pretraining;

namespace Limbeck.Training.Jobs;

/// <summary>Goes on with a model's masked language modelling, or gives it a head for that: <c>limbeck pretrain</c>.</summary>
public static class PretrainJob
{
    private const ulong HeadStream = 0x6D6C6D;
    private const string DecoderBias = "cls.predictions.bias";

    // Sequences whose tokens are counted: enough for the frequencies that matter.
    private const int CountedSequences = 200_000;

    /// <summary>Runs the job and leaves a complete Hugging Face directory of a BertForMaskedLM.</summary>
    /// <param name="settings">Checked settings.</param>
    /// <param name="context">What to run with.</param>
    /// <exception cref="UsageException">The settings do not fit the model, the corpus or the folder; nothing has been written.</exception>
    /// <exception cref="OperationCanceledException">The run was interrupted; a checkpoint has been written.</exception>
    public static TrainingReport Run(PretrainSettings settings, JobContext context) => Run(settings, context, JobPhase.Whole).Report!;

    /// <summary>Opens and checks all that a run would, and tells what it would do, without writing anything.</summary>
    /// <param name="settings">Checked settings.</param>
    /// <param name="context">What to run with.</param>
    /// <exception cref="UsageException">The settings do not fit the model, the data or the folder.</exception>
    public static JobPlan Plan(PretrainSettings settings, JobContext context) => Run(settings, context, JobPhase.PlanOnly).Plan!;

    private static (JobPlan? Plan, TrainingReport? Report) Run(PretrainSettings settings, JobContext context, JobPhase phase)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(context);
        OutputFolder.Check(settings);
        Precision precision = PrecisionChoice.Announce(settings.Precision, context.Messages);
        TextCorpus.Check(settings.TrainFile!);
        if (settings.ValidationFile is not null)
        {
            TextCorpus.Check(settings.ValidationFile);
        }

        string folder = settings.ModelNameOrPath!;
        string weights = ModelFolder.Weights(folder);
        BertConfig start = BertConfig.Read(weights);
        BertTokenizer tokenizer = BertTokenizer.FromDirectory(weights);
        int length = ModelFolder.CheckLength(settings.MaxSeqLength ?? Math.Min(PretrainSettings.DefaultLength, start.MaxPositions), start, folder);
        if (tokenizer.MaskId < 0 || tokenizer.VocabularySize > start.VocabularySize)
        {
            throw new UsageException(tokenizer.MaskId < 0
                ? $"{folder}: its vocabulary has no {tokenizer.Options.MaskToken}, so no token can be masked: use a model that was pretrained with one"
                : $"{folder}: its tokenizer has {tokenizer.VocabularySize:N0} wordpieces, but vocab_size of config.json is {start.VocabularySize:N0}: the files are from different models");
        }

        using BertModel model = Load(settings, weights, start, context.Messages, out bool newBias);
        if (phase == JobPhase.PlanOnly)
        {
            return (PlanOf(settings, model, tokenizer, length, context), null);
        }

        using TokenStore store = TokenStore.OpenOrBuild(TextCorpus.Resolve(settings.TrainFile!), tokenizer, settings.CacheDir, context.Progress, context.Team.Threads, context.Cancellation);
        using TokenStore? other = settings.ValidationFile is null ? null
            : TokenStore.OpenOrBuild(TextCorpus.Resolve(settings.ValidationFile), tokenizer, settings.CacheDir, context.Progress, context.Team.Threads, context.Cancellation);
        (CorpusSequences train, CorpusSequences? validation) = Split(settings, store, other, length, context.Messages);
        float[] frequencies = LogFrequencies(train.Sample(CountedSequences).CountTokens(start.VocabularySize));
        if (newBias)
        {
            frequencies.CopyTo(model[DecoderBias].Value.Span);
            model[DecoderBias].Changed();
        }

        foreach (Parameter parameter in settings.FreezeEncoder ? model.Encoder.Parameters : [])
        {
            parameter.Trainable = false;
        }

        MaskedLanguageModelling masking = new(tokenizer, settings.MlmProbability, settings.WholeWordMask, settings.Seed);
        MaskedScorer? scorer = validation is null ? null
            : new MaskedScorer(validation, new MaskedLanguageModelling(tokenizer, settings.MlmProbability, settings.WholeWordMask, settings.ValidationSeed), tokenizer);
        StageSettings how = settings.Training;
        using MaskedObjective objective = new(model, settings.FreezeEncoder ? new Tape(recording: false, context.Team) { Precision = precision } : null);
        IReadOnlyList<Parameter> learning = settings.FreezeEncoder ? model.LanguageModel!.Parameters : model.Parameters;
        Stage stage = new()
        {
            Name = "pretrain",
            Batches = new MaskedBatches(train, masking, tokenizer, how.PerDeviceTrainBatchSize, settings.Seed),
            Objective = objective,
            Parameters = learning,
            Optimizer = how.Rule,
            Schedule = how.Schedule,
            Epochs = how.NumTrainEpochs ?? PretrainSettings.DefaultEpochs,
            Accumulation = how.GradientAccumulationSteps,
            MaxSteps = how.MaxSteps > 0 ? how.MaxSteps : null,
            Evaluate = scorer is null ? null : cancellation => scorer.Score(model, context.Team, cancellation),
        };
        context.Messages.WriteLine(TrainedModel.Describe(stage));
        JobPlan plan = PlanOf(settings, model, (train.Count, train.Tokens), stage, length, context);
        plan.Write(context.Messages);
        string fingerprint = TrainedModel.Fingerprint(settings).Add("model", ModelFolder.Hash(model)).Add("tokenizer", tokenizer.Fingerprint).ToKey();
        MetricSet? guess = scorer?.ScoreFrequencies(frequencies);
        MetricSet? before = scorer?.Score(model, context.Team, context.Cancellation);
        if (before is not null)
        {
            context.Messages.WriteLine($"by frequency alone: {guess}");
            context.Messages.WriteLine($"before training:    {before}");
        }

        TrainingLoop loop = new(
            settings.LoopOptions, [stage], learning, fingerprint,
            target => OutputFolder.SaveModel(target, model, tokenizer, length, settings.Dtype), context.Team, context.Progress);
        OutputFolder.Clear(settings);
        TrainingResult result = loop.Run(context.Cancellation);
        MetricSet? metrics = Score(settings.OutputDir!, scorer, context);
        TrainingReport report = new()
        {
            Method = "pretrain",
            OutputDir = settings.OutputDir!,
            Task = "masked-lm",
            TrainRows = train.Count,
            EvalData = scorer is null ? null : settings.ValidationFile ?? $"held-out part of {settings.TrainFile}",
            EvalRows = scorer?.Count ?? 0,
            Metrics = metrics,
            Before = before,
            Majority = guess,
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
        string story = WriteCard(settings, report, stage);
        new CorpusReport
        {
            Verb = "pretrain",
            Settings = settings,
            Results = report,
            Corpus = settings.TrainFile!,
            Title = $"Masked language modelling: {Path.GetFileName(Path.TrimEndingDirectorySeparator(folder))}",
            Story = story,
            StartModel = folder,
        }.Write(context);
        return (plan, report);
    }

    /// <summary>A plan without the corpus's tokens: counted if they are in the cache, about if not.</summary>
    private static JobPlan PlanOf(PretrainSettings settings, BertModel model, BertTokenizer tokenizer, int length, JobContext context)
    {
        IReadOnlyList<string> files = TextCorpus.Resolve(settings.TrainFile!);
        using TokenStore? store = TokenStore.OpenIfThere(files, tokenizer, settings.CacheDir, context.Progress.Message);
        CorpusEstimate corpus = store is null ? CorpusEstimate.Of(files, tokenizer)
            : new CorpusEstimate(store.TokenCount, (double)store.TokenCount / store.DocumentCount, (double)store.TokenCount / store.SentenceCount);
        (long rows, long tokens) = corpus.Epoch(new SegmentOptions(settings.LineByLine ? SegmentKind.Lines : SegmentKind.Single, length, 0));
        double share = 1 - (settings.ValidationFile is null ? settings.ValidationSplit ?? PretrainSettings.DefaultSplit : 0);
        share = settings.MaxTrainSamples > 0 ? Math.Min(share, (double)settings.MaxTrainSamples / Math.Max(1, rows)) : share;
        return PlanOf(settings, model, ((long)(share * rows), (long)(share * tokens)), null, length, context);
    }

    private static JobPlan PlanOf(PretrainSettings settings, BertModel model, (long Count, long Tokens) train, Stage? counted, int length, JobContext context)
    {
        StageSettings how = settings.Training;
        int epochs = how.NumTrainEpochs ?? PretrainSettings.DefaultEpochs;
        long batches = (train.Count + how.PerDeviceTrainBatchSize - 1) / how.PerDeviceTrainBatchSize;
        long perEpoch = Math.Max(1, (batches + how.GradientAccumulationSteps - 1) / how.GradientAccumulationSteps);
        long steps = counted?.TotalSteps ?? (how.MaxSteps > 0 ? Math.Min(how.MaxSteps, epochs * perEpoch) : epochs * perEpoch);
        long tokens = (long)((double)train.Tokens * steps / perEpoch);
        double mean = (double)train.Tokens / Math.Max(1, train.Count);
        WorkTime time = WorkTime.On(context.Team, settings.Precision);
        ModelSize size = ModelSize.Of(model);
        double head = settings.MlmProbability * WorkTime.MaskedHead(model.Config);
        double seconds = settings.FreezeEncoder
            ? time.Forward(size, tokens, mean) + time.Train(ModelSize.Nothing, tokens, mean, head)
            : time.Train(size, tokens, mean, head);
        PlannedStage stage = new("pretrain", train.Count, PlannedStage.PassesOf(steps, perEpoch, epochs), tokens, steps, seconds, length, counted is null);
        return new JobPlan { Stages = PlannedStage.Reached(settings, [stage]), Size = size, How = time.How };
    }

    /// <summary>Opens the model; a checkpoint without a masked-language-model head gets a new one.</summary>
    private static BertModel Load(PretrainSettings settings, string weights, BertConfig start, TextWriter messages, out bool newBias)
    {
        BertConfig config = start with
        {
            HiddenDropout = (float?)settings.Dropout ?? start.HiddenDropout,
            AttentionDropout = (float?)settings.Dropout ?? start.AttentionDropout,
        };
        BertModel model = BertModel.Load(weights, HeadKind.MaskedLanguageModel, out LoadReport report, settings.Seed ^ HeadStream, config);
        newBias = report.New.Contains(DecoderBias);
        messages.WriteLine($"model: {settings.ModelNameOrPath}, {config.LayerCount}/{config.HiddenSize}/{config.HeadCount}/{config.IntermediateSize}, {ModelSize.Of(model)}");
        messages.WriteLine(report.New.Count == 0 ? "the checkpoint's own masked-language-model head goes on learning"
            : newBias ? "the checkpoint has no masked-language-model head: it gets a new one, whose decoder is the word table and whose bias starts at the tokens' frequencies"
            : $"new at random, since the checkpoint lacks them: {string.Join(", ", report.New)}");
        if (report.Unused.Count > 0)
        {
            messages.WriteLine($"left out, since a BertForMaskedLM has no place for them: {string.Join(", ", report.Unused)}");
        }

        return model;
    }

    private static (CorpusSequences Train, CorpusSequences? Validation) Split(PretrainSettings settings, TokenStore store, TokenStore? other, int length, TextWriter messages)
    {
        double share = other is null ? settings.ValidationSplit ?? PretrainSettings.DefaultSplit : 0;
        HeldOut held = new(store, share, settings.ValidationSeed);
        CorpusSequences Cut(TokenStore from, Func<long, long, bool> part, string description) =>
            CorpusSequences.Cut(from, length, settings.LineByLine, part, description);

        CorpusSequences train = Cut(store, (document, sentence) => !held.Contains(document, sentence), $"but {held.Description}").Sample(settings.MaxTrainSamples);
        CorpusSequences? validation = other is not null ? Cut(other, (_, _) => true, "all")
            : share > 0 ? Cut(store, held.Contains, $"only {held.Description}")
            : null;
        string size = $"{store.SentenceCount:N0} sentences in {store.DocumentCount:N0} documents";
        if (train.Count == 0 || validation?.Count == 0)
        {
            throw new UsageException($"{settings.TrainFile} has {size}, of which --validation-split {share} leaves none to {(train.Count == 0 ? "learn from" : "score on")}: give more text, another share, or --validation-file");
        }

        validation = validation?.Sample(settings.MaxEvalSamples);
        messages.WriteLine($"data: {settings.TrainFile}, {size}; {train.Count:N0} sequences of at most {length} tokens to train on, {train.Tokens:N0} tokens");
        messages.WriteLine(validation is null
            ? "warning: there is nothing to score the model on: give --validation-file or --validation-split 0.01"
            : $"      {settings.ValidationFile ?? (held.ByDocuments ? "held-out documents" : "held-out sentences")}, {validation.Count:N0} sequences to score, {validation.Tokens:N0} tokens");
        return (train, validation);
    }

    /// <summary>log((n + 1) / (N + V)) of each token.</summary>
    private static float[] LogFrequencies(long[] counts)
    {
        double total = counts.Sum() + (double)counts.Length;
        return [.. counts.Select(count => (float)Math.Log((count + 1) / total))];
    }

    /// <summary>Opens what was saved and scores it: the proof that the folder is whole.</summary>
    private static MetricSet? Score(string folder, MaskedScorer? scorer, JobContext context)
    {
        using BertModel saved = BertModel.Load(folder, HeadKind.MaskedLanguageModel, out _);
        return scorer?.Score(saved, context.Team, context.Cancellation);
    }

    /// <summary>Writes the model card.</summary>
    /// <returns>What was done, in a sentence.</returns>
    private static string WriteCard(PretrainSettings settings, TrainingReport report, Stage stage)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(settings.ModelNameOrPath!));
        StageSettings how = settings.Training;
        string story = $"Masked language modelling with Limbeck{(settings.FreezeEncoder ? ", the encoder frozen" : string.Empty)}: {report.Steps} steps of {how.PerDeviceTrainBatchSize * how.GradientAccumulationSteps} sequences, {report.Tokens} tokens, {100 * settings.MlmProbability:0.#} % of them masked, learning rate {stage.Optimizer.LearningRate}, at most {report.MaxSeqLength} tokens a sequence, seed {settings.Seed}.";
        new ModelCard
        {
            Title = settings.FreezeEncoder ? $"{name} with a masked-language-model head" : $"{name}, pretrained further",
            BaseModel = settings.ModelNameOrPath!,
            Story = story,
            Pipeline = "fill-mask",
            Usage = "limbeck doctor .",
            Data = report.EvalData is null ? string.Empty : Path.GetFileName(report.EvalData),
            Metrics = report.Metrics,
            Rows = report.EvalRows,
            Labels = [],
        }.Write(settings.OutputDir!);
        return story;
    }
}
