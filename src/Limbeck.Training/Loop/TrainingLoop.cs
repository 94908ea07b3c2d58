using System.Diagnostics;
using System.Text.Json;
using Limbeck.Checkpoints;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;
using Limbeck.Training.Metrics;
using Limbeck.Training.Optimization;

namespace Limbeck.Training.Loop;

/// <summary>
/// The one training loop: runs stages one after the other, evaluates, logs, and keeps checkpoints from which a run that was killed at any moment goes on and
/// ends with the same bits. It knows no method.
/// </summary>
/// <remarks>
/// A checkpoint holds the parameters, the optimizer's moments, and a position (stage, epoch, update). Everything else that is random is a pure function of seed
/// and position: batches of (seed, epoch), dropout masks of (seed, stage and batch).
/// </remarks>
public sealed unsafe class TrainingLoop
{
    private const int StepBitsOfStage = 48;

    private readonly TrainingOptions options;
    private readonly IReadOnlyList<Stage> stages;
    private readonly IReadOnlyList<Parameter> state;
    private readonly string fingerprint;
    private readonly Action<string> saveModel;
    private readonly WorkerTeam team;
    private readonly ProgressDisplay progress;
    private readonly CheckpointStore store;
    private Position at = new();

    /// <summary>Prepares a run; nothing is written yet.</summary>
    /// <param name="options">How to run.</param>
    /// <param name="stages">What to do, in order.</param>
    /// <param name="state">All weights that a checkpoint must hold: the union of what the stages train.</param>
    /// <param name="fingerprint">A hash of the settings that decide the result; a resumed run must have the same.</param>
    /// <param name="saveModel">Writes the model, as it is now, into a directory.</param>
    /// <param name="team">The threads to compute on.</param>
    /// <param name="progress">Shows how far the run is.</param>
    public TrainingLoop(
        TrainingOptions options, IReadOnlyList<Stage> stages, IReadOnlyList<Parameter> state, string fingerprint, Action<string> saveModel, WorkerTeam team, ProgressDisplay progress)
    {
        this.options = options;
        this.stages = stages;
        this.state = state;
        this.saveModel = saveModel;
        this.team = team;
        this.progress = progress;
        HashBuilder hash = new HashBuilder().Add("settings", fingerprint).Add("seed", $"{options.Seed}");
        foreach (Stage stage in stages)
        {
            HashBuilder own = new HashBuilder().Add("batches", stage.Batches.Fingerprint).Add("steps", stage.TotalSteps).Add("optimizer", stage.Optimizer.ToString())
                .Add("schedule", stage.Schedule.ToString()).Add("accumulation", stage.Accumulation);
            hash.Add($"stage {stage.Name}", own.ToKey());
        }

        this.fingerprint = hash.ToKey();
        store = new CheckpointStore(options.OutputDirectory, options.SaveTotalLimit, progress.Message);
    }

    /// <summary>Runs, or goes on with, the whole run.</summary>
    /// <param name="cancellation">When it is signalled the loop writes a checkpoint and stops.</param>
    /// <exception cref="OperationCanceledException">It was signalled; a checkpoint has been written.</exception>
    /// <exception cref="TrainingException">A loss is not finite, or the run to resume was another one.</exception>
    public TrainingResult Run(CancellationToken cancellation = default)
    {
        Directory.CreateDirectory(options.OutputDirectory);
        Optimizer? restored = options.Resume || options.ResumeFromCheckpoint is not null ? Restore() : null;
        string metrics = Path.Combine(options.OutputDirectory, "metrics.jsonl");
        bool resumed = at.GlobalStep > 0;
        using MetricsLog log = resumed ? MetricsLog.Resume(metrics, at.GlobalStep) : MetricsLog.Create(metrics);
        using TensorBoardWriter? board = !options.TensorBoard ? null
            : resumed ? TensorBoardWriter.Resume(options.OutputDirectory, at.GlobalStep) : TensorBoardWriter.Create(options.OutputDirectory);
        using Tape tape = new(recording: true, team) { Seed = options.Seed, Precision = options.Precision };
        while (at.Stage < stages.Count)
        {
            Stage stage = stages[at.Stage];
            using Optimizer optimizer = restored ?? new Optimizer(stage.Optimizer, stage.Parameters, team);
            restored = null;
            Begin(stage, optimizer, cancellation);
            progress.Begin(stage.Name, stage.TotalSteps, at.StageStep);
            RunStage(stage, optimizer, tape, new Reporter(log, board), cancellation);
            progress.Finish();
            at = at with { Stage = at.Stage + 1, Epoch = 0, Update = 0, StageStep = 0, SinceBest = 0 };
            Save(null);
        }

        string best = Path.Combine(options.OutputDirectory, "best");
        if (options.LoadBestModelAtEnd && Directory.Exists(best))
        {
            foreach (string file in Directory.GetFiles(best))
            {
                AtomicFile.Write(Path.Combine(options.OutputDirectory, Path.GetFileName(file)), stream =>
                {
                    using FileStream source = File.OpenRead(file);
                    source.CopyTo(stream);
                });
            }
        }
        else
        {
            saveModel(options.OutputDirectory);
        }

        return new TrainingResult(at.GlobalStep, at.Last, at.Best, at.BestStep, at.Tokens, at.Seconds, tape.PeakBytes);
    }

    /// <summary>How far the run in a folder has come, by its last checkpoint; whether it is the run that shall be resumed is not checked.</summary>
    /// <param name="directory">The run's folder.</param>
    /// <returns>Stages done and updates of the next one, or null where there is no checkpoint.</returns>
    internal static (int Stages, long Step)? Reached(string directory)
    {
        if (!Directory.Exists(directory))
        {
            return null;
        }

        using CheckpointReader? reader = new CheckpointStore(directory).PeekLatest();
        if (reader is null)
        {
            return null;
        }

        using JsonDocument document = reader.ReadJson("state");
        Position position = Position.Read(document.RootElement);
        return (position.Stage, position.StageStep);
    }

    private void Begin(Stage stage, Optimizer optimizer, CancellationToken cancellation)
    {
        if (at.StageStep > 0 || stage.Begin is null)
        {
            return;
        }

        long start = Stopwatch.GetTimestamp();
        try
        {
            stage.Begin(cancellation);
        }
        catch (OperationCanceledException)
        {
            Save(optimizer);
            throw;
        }

        at = at with { Seconds = at.Seconds + Stopwatch.GetElapsedTime(start).TotalSeconds };
    }

    private void RunStage(Stage stage, Optimizer optimizer, Tape tape, Reporter reporter, CancellationToken cancellation)
    {
        long stageSteps = stage.TotalSteps;
        double[] losses = new double[stage.Objective.LossNames.Count];
        double[] window = new double[losses.Length];
        int windowBatches = 0;
        Stopwatch watch = Stopwatch.StartNew();
        for (; at.Epoch < stage.Epochs && at.StageStep < stageSteps; at = at with { Epoch = at.Epoch + 1, Update = 0 })
        {
            int updates = stage.StepsOf(at.Epoch);
            int batches = stage.Batches.BatchCount(at.Epoch);
            while (at.Update < updates && at.StageStep < stageSteps)
            {
                int first = at.Update * stage.Accumulation;
                int count = Math.Min(stage.Accumulation, batches - first);
                long tokens = 0;
                for (int i = first; i < first + count; i++)
                {
                    if (cancellation.IsCancellationRequested)
                    {
                        at = at with { Seconds = at.Seconds + watch.Elapsed.TotalSeconds };
                        Save(optimizer);
                        cancellation.ThrowIfCancellationRequested();
                    }

                    TrainingBatch batch = stage.Batches.Batch(at.Epoch, i);
                    tape.Step = ((ulong)at.Stage << StepBitsOfStage) + (((ulong)at.Epoch << (StepBitsOfStage / 2)) + (ulong)i);
                    stage.Objective.Compute(tape, batch, 1f / count, losses);
                    Check(stage, losses, i, batch);
                    tape.Backward();
                    tokens += batch.Packed.Tokens;
                    windowBatches++;
                    for (int k = 0; k < losses.Length; k++)
                    {
                        window[k] += losses[k];
                    }
                }

                double multiplier = stage.Schedule.Multiplier(at.StageStep, stageSteps);
                optimizer.Step(multiplier);
                at = at with
                {
                    Update = at.Update + 1,
                    StageStep = at.StageStep + 1,
                    GlobalStep = at.GlobalStep + 1,
                    Tokens = at.Tokens + tokens,
                };
                bool endOfEpoch = at.Update == updates || at.StageStep == stageSteps;
                progress.Report(at.StageStep, window[0] / windowBatches, tokens);
                if (at.GlobalStep % options.LoggingSteps == 0 || endOfEpoch)
                {
                    Log(reporter, stage, window, windowBatches, optimizer, multiplier);
                    Array.Clear(window);
                    windowBatches = 0;
                }

                if (stage.Evaluate is not null && (options.EvalSteps > 0 ? at.StageStep % options.EvalSteps == 0 || at.StageStep == stageSteps : endOfEpoch)
                    && Evaluate(stage, reporter, cancellation))
                {
                    at = at with { Seconds = at.Seconds + watch.Elapsed.TotalSeconds };
                    return;
                }

                if (options.SaveSteps > 0 && at.StageStep % options.SaveSteps == 0 && at.StageStep < stageSteps)
                {
                    at = at with { Seconds = at.Seconds + watch.Elapsed.TotalSeconds };
                    watch.Restart();
                    Save(optimizer);
                }
            }
        }

        at = at with { Seconds = at.Seconds + watch.Elapsed.TotalSeconds };
    }

    private void Check(Stage stage, double[] losses, int batchNumber, TrainingBatch batch)
    {
        for (int k = 0; k < losses.Length; k++)
        {
            if (!double.IsFinite(losses[k]))
            {
                string rows = string.Join(", ", batch.Rows.Take(8)) + (batch.Rows.Length > 8 ? ", ..." : string.Empty);
                string good = store.Steps() is [.., long last] ? $"the last good checkpoint is {store.PathOf(last)}" : "no checkpoint had been written yet";
                throw new TrainingException(
                    $"{stage.Name}: {stage.Objective.LossNames[k]} is {losses[k]} at step {at.GlobalStep + 1} (epoch {at.Epoch + 1}, batch {batchNumber + 1}, rows {rows}); {good}. Lower the learning rate, or lengthen the warm-up, and start again.");
            }
        }
    }

    private void Log(Reporter reporter, Stage stage, double[] window, int batches, Optimizer optimizer, double multiplier)
    {
        List<(string Name, double Value)> values = [("epoch", at.Epoch + ((double)at.Update / stage.StepsOf(at.Epoch)))];
        for (int k = 0; k < window.Length; k++)
        {
            values.Add((stage.Objective.LossNames[k], window[k] / Math.Max(1, batches)));
        }

        values.Add(("learning_rate", multiplier * stage.Optimizer.LearningRate));
        values.Add(("grad_norm", optimizer.GradientNorm));
        values.Add(("tokens", at.Tokens));
        reporter.Write(stage.Name, at.GlobalStep, values);
    }

    private bool Evaluate(Stage stage, Reporter reporter, CancellationToken cancellation)
    {
        MetricSet metrics = stage.Evaluate!(cancellation);
        double score = options.MetricForBestModel is string name ? metrics[name] : metrics.Primary;
        bool better = at.Best is null || score > (options.MetricForBestModel is string best ? at.Best[best] : at.Best.Primary);
        at = at with { Last = metrics, SinceBest = better ? 0 : at.SinceBest + 1 };
        progress.Message($"{stage.Name}, step {at.GlobalStep}: {string.Join(", ", metrics.Values.Select(pair => $"{pair.Key} {pair.Value:F4}"))}");
        reporter.Write(stage.Name, at.GlobalStep, [.. metrics.Values.Select(pair => ($"eval_{pair.Key}", pair.Value))]);
        if (better)
        {
            at = at with { Best = metrics, BestStep = at.GlobalStep };
            if (options.LoadBestModelAtEnd)
            {
                saveModel(Path.Combine(options.OutputDirectory, "best"));
            }
        }

        if (options.EarlyStoppingPatience > 0 && at.SinceBest >= options.EarlyStoppingPatience)
        {
            progress.Message($"{stage.Name}: no better score in {at.SinceBest} evaluations, so the stage ends here");
            return true;
        }

        return false;
    }

    private void Save(Optimizer? optimizer)
    {
        store.Save(at.GlobalStep, writer =>
        {
            foreach (Parameter parameter in state)
            {
                writer.WriteFloats(parameter.Name, parameter.Value.Pointer, parameter.Value.Length);
            }

            List<(string Name, long Updates)> moments = [];
            if (optimizer is not null)
            {
                foreach ((Parameter parameter, long updates, Tensor? first, Tensor? second) in optimizer.State)
                {
                    if (updates > 0)
                    {
                        moments.Add((parameter.Name, updates));
                        writer.WriteFloats("first." + parameter.Name, first!.Pointer, first.Length);
                        writer.WriteFloats("second." + parameter.Name, second!.Pointer, second.Length);
                    }
                }
            }

            writer.WriteJson("state", json =>
            {
                json.WriteString("fingerprint", fingerprint);
                at.Write(json);
                json.WriteStartObject("optimizer_updates");
                foreach ((string name, long updates) in moments)
                {
                    json.WriteNumber(name, updates);
                }

                json.WriteEndObject();
            });
        });
    }

    private Optimizer? Restore()
    {
        using CheckpointReader? reader = options.ResumeFromCheckpoint is string path ? CheckpointStore.Open(path) : store.OpenLatest();
        if (reader is null)
        {
            progress.Message($"{options.OutputDirectory} has no checkpoint yet: the run starts from the beginning");
            return null;
        }

        using JsonDocument document = reader.ReadJson("state");
        JsonElement root = document.RootElement;
        if (root.GetProperty("fingerprint").GetString() != fingerprint)
        {
            throw new TrainingException(
                $"the run in {options.OutputDirectory} was started with other settings or data, so it cannot be resumed with these: use the same ones, or another --output-dir");
        }

        foreach (Parameter parameter in state)
        {
            reader.ReadFloats(parameter.Name, parameter.Value.Pointer, parameter.Value.Length);
            parameter.Changed();
        }

        at = Position.Read(root);
        if (at.Stage >= stages.Count)
        {
            progress.Message($"the run in {options.OutputDirectory} is finished: its last checkpoint is of these settings, models and data; nothing is trained");
            return null;
        }

        progress.Message($"resuming at step {at.GlobalStep} from {reader.DirectoryPath}");

        Stage stage = stages[at.Stage];
        Optimizer optimizer = new(stage.Optimizer, stage.Parameters, team);
        foreach (JsonProperty entry in root.GetProperty("optimizer_updates").EnumerateObject())
        {
            optimizer.Restore(entry.Name, entry.Value.GetInt64(), (first, second) =>
            {
                reader.ReadFloats("first." + entry.Name, first.Pointer, first.Length);
                reader.ReadFloats("second." + entry.Name, second.Pointer, second.Length);
            });
        }

        return optimizer;
    }

    private sealed class Reporter(MetricsLog log, TensorBoardWriter? board)
    {
        public void Write(string stage, long step, IReadOnlyList<(string Name, double Value)> values)
        {
            log.Write(step, json =>
            {
                json.WriteString("stage", stage);
                foreach ((string name, double value) in values)
                {
                    MetricsLog.Number(json, name, value);
                }
            });
            board?.Write(step, [.. values.Select(value => ($"{stage}/{value.Name}", value.Value))]);
        }
    }

    /// <summary>Where the run is. Epoch, update and stage step count what has been done.</summary>
    private sealed record Position
    {
        public int Stage { get; init; }

        public int Epoch { get; init; }

        public int Update { get; init; }

        public long StageStep { get; init; }

        public long GlobalStep { get; init; }

        public long Tokens { get; init; }

        public double Seconds { get; init; }

        public MetricSet? Last { get; init; }

        public MetricSet? Best { get; init; }

        public long BestStep { get; init; }

        public int SinceBest { get; init; }

        public static Position Read(JsonElement json) => new()
        {
            Stage = json.GetProperty("stage").GetInt32(),
            Epoch = json.GetProperty("epoch").GetInt32(),
            Update = json.GetProperty("update").GetInt32(),
            StageStep = json.GetProperty("stage_step").GetInt64(),
            GlobalStep = json.GetProperty("global_step").GetInt64(),
            Tokens = json.GetProperty("tokens").GetInt64(),
            Seconds = json.GetProperty("seconds").GetDouble(),
            Last = ReadMetrics(json, "last"),
            Best = ReadMetrics(json, "best"),
            BestStep = json.GetProperty("best_step").GetInt64(),
            SinceBest = json.GetProperty("since_best").GetInt32(),
        };

        public void Write(Utf8JsonWriter json)
        {
            json.WriteNumber("stage", Stage);
            json.WriteNumber("epoch", Epoch);
            json.WriteNumber("update", Update);
            json.WriteNumber("stage_step", StageStep);
            json.WriteNumber("global_step", GlobalStep);
            json.WriteNumber("tokens", Tokens);
            json.WriteNumber("seconds", Seconds);
            WriteMetrics(json, "last", Last);
            WriteMetrics(json, "best", Best);
            json.WriteNumber("best_step", BestStep);
            json.WriteNumber("since_best", SinceBest);
        }

        private static MetricSet? ReadMetrics(JsonElement json, string name) =>
            json.TryGetProperty(name, out JsonElement metrics) ? MetricSet.Read(metrics) : null;

        private static void WriteMetrics(Utf8JsonWriter json, string name, MetricSet? metrics)
        {
            if (metrics is not null)
            {
                json.WritePropertyName(name);
                metrics.Write(json);
            }
        }
    }
}
