using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;
using Limbeck.Training.Data;
using Limbeck.Training.Jobs;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Tests.Jobs;

/// <summary>A folder with a random start model and files of the tiny task, and the settings of runs that take a moment.</summary>
internal sealed class TinyJob : IDisposable
{
    private readonly string folder = TinyWorld.NewDirectory();

    public TinyJob(string[]? labels = null)
    {
        Write("train.tsv", TinyWorld.Data(120, 1), labels);
        Write("dev.tsv", TinyWorld.Data(40, 2), labels);
        BertConfig config = TinyWorld.Config(dropout: 0.05f);
        using BertModel model = new(config, HeadKind.None);
        model.Initialize(new SeededRandom(5));
        model.Save(this["start"]);
        TinyWorld.Tokenizer.SaveTo(this["start"]);
    }

    public StringWriter Messages { get; } = new();

    public JobContext Context => new(Messages, new ProgressDisplay(Messages, terminal: false), WorkerTeam.Default, CancellationToken.None);

    public string this[string name] => Path.Combine(folder, name);

    public FineTuneSettings FineTune(string output) => new()
    {
        ModelNameOrPath = this["start"],
        TrainFile = this["train.tsv"],
        ValidationFile = this["dev.tsv"],
        MaxSeqLength = 16,
        OutputDir = this[output],
        NoReportTiming = true,
        Training = new StageSettings { NumTrainEpochs = 2, LearningRate = 2e-3 },
    };

    public CompressSettings Compress(string output) => new()
    {
        TeacherModel = this["teacher"],
        StudentModel = "1/16/4/32",
        TrainFile = this["train.tsv"],
        ValidationFile = this["dev.tsv"],
        MaxSeqLength = 16,
        OutputDir = this[output],
        NoReportTiming = true,
        CacheDir = this["cache"],
        Intermediate = new StageSettings { NumTrainEpochs = 2, LearningRate = 1e-3, LrSchedulerType = "constant", Optimizer = "bertadam" },
        Prediction = new StageSettings { NumTrainEpochs = 1, LearningRate = 1e-3, LrSchedulerType = "warmup_linear", Optimizer = "bertadam" },
    };

    public string Weights(string output) => RunHash.OfFile(Path.Combine(this[output], "model.safetensors"));

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private void Write(string name, Dataset data, string[]? labels) => File.WriteAllLines(
        this[name],
        data.Examples.Select(example => $"{example.Text}\t{(labels ?? [.. data.Task.Labels])[example.Label]}").Prepend("sentence\tlabel"));
}
