using Limbeck.Checkpoints;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Training.Data;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Compression;

/// <summary>
/// TinyBERT's general and task distillation. Jiao et al., "TinyBERT: Distilling BERT for Natural Language Understanding", arXiv:1909.10351v5, section 3.
/// The general stage, on raw text from a pretrained teacher, and the intermediate stage, on the task's from a fine-tuned one, learn the teacher's embeddings (Eq. 9), hidden states (Eq. 8) and attention scores (Eq. 7), the prediction stage its logits (Eq. 10).
/// </summary>
/// <remarks>
/// Departures from the authors' code (huawei-noah/Pretrained-Language-Model at 0598f02), each with a switch where it makes sense:
/// the teacher runs without dropout (theirs keeps it on); means run over real tokens only (theirs counts padding; equal on sequences of one length);
/// the soft cross entropy is summed over classes (theirs also divides by their number); a regression's prediction stage learns the teacher's logit (theirs the
/// gold score, which its author calls a mistake); an epoch's last incomplete batch is used (theirs skips it).
/// As in their code the projection W is one dense layer with bias, shared by all layers, and is used even when the widths are equal.
/// </remarks>
public sealed class TinyBert : IDisposable
{
    /// <summary>The name of the projection's file beside a general student.</summary>
    public const string ProjectionFile = "projection.safetensors";

    private readonly BertModel student;
    private readonly TinyBertOptions options;
    private readonly int teacherLayers;
    private readonly Parameter[] projectionWeights;
    private readonly Parameter[] projectionBiases;

    /// <summary>Prepares a distillation.</summary>
    /// <param name="teacher">The teacher's configuration.</param>
    /// <param name="student">The student, with its initial weights.</param>
    /// <param name="options">The method's constants.</param>
    /// <param name="random">Source of the projection's initial weights.</param>
    /// <exception cref="ArgumentException">The two do not fit; the message says in what and what to do.</exception>
    public TinyBert(BertConfig teacher, BertModel student, TinyBertOptions options, SeededRandom random)
    {
        this.student = student;
        this.options = options;
        teacherLayers = teacher.LayerCount;
        if (options.AttentionLoss && student.Config.HeadCount != teacher.HeadCount)
        {
            throw new ArgumentException(
                $"the student has {student.Config.HeadCount} attention heads and the teacher {teacher.HeadCount}, so their scores cannot be compared: give the student {teacher.HeadCount} heads, or leave the attention loss out (--attention-loss none)");
        }

        int count = options.ProjectionPerLayer ? student.Config.LayerCount + 1 : 1;
        projectionWeights = new Parameter[count];
        projectionBiases = new Parameter[count];
        for (int i = 0; i < count; i++)
        {
            string name = options.ProjectionPerLayer ? $"fit_denses.{i}" : "fit_dense";
            projectionWeights[i] = new Parameter($"{name}.weight", teacher.HiddenSize, student.Config.HiddenSize);
            projectionBiases[i] = new Parameter($"{name}.bias", teacher.HiddenSize);
            foreach (ref float value in projectionWeights[i].Value.Span)
            {
                value = (float)(random.Gaussian() * student.Config.InitializerRange);
            }
        }

        Parameters = [.. student.Parameters, .. Projection];
    }

    /// <summary>Starts the projection W at the transposed components, for a student whose embeddings start from them.</summary>
    /// <param name="components">The teacher's.</param>
    public void StartProjection(PrincipalComponents components)
    {
        for (int i = 0; i < projectionWeights.Length; i++)
        {
            components.StartProjection(projectionWeights[i], projectionBiases[i]);
        }
    }

    /// <summary>Writes the projection beside a general student, where task distillation finds it. Not into the student's own file: transformers warns of weights it does not know.</summary>
    /// <param name="folder">The student's directory.</param>
    public void SaveProjection(string folder) => SafetensorsWriter.Write(
        Path.Combine(folder, ProjectionFile),
        Projection.Select(parameter => SafetensorsTensor.OfFloats(parameter.Name, [.. parameter.Value.Shape.ToArray()], () => parameter.Value.Span)));

    /// <summary>Starts the projection where a general distillation left it.</summary>
    /// <param name="folder">The general student's directory.</param>
    /// <returns>False when it has none, or one for other widths or another number of layers; nothing has changed then.</returns>
    public bool TryLoadProjection(string folder)
    {
        string path = Path.Combine(folder, ProjectionFile);
        if (!File.Exists(path))
        {
            return false;
        }

        using SafetensorsFile file = SafetensorsFile.Open(path);
        if (!Projection.All(parameter => file.Entries.TryGetValue(parameter.Name, out TensorEntry? entry)
            && entry.Shape.Select(size => (int)size).SequenceEqual(parameter.Value.Shape.ToArray())))
        {
            return false;
        }

        foreach (Parameter parameter in Projection)
        {
            file.Read(parameter.Name, parameter.Value.Span);
            parameter.Changed();
        }

        return true;
    }

    /// <summary>A hash of the projection's weights as they are now.</summary>
    internal string ProjectionHash()
    {
        HashBuilder hash = new();
        foreach (Parameter parameter in Projection)
        {
            hash.Add(parameter.Name, RunHash.OfBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes(parameter.Value.Span)));
        }

        return hash.ToKey();
    }

    /// <summary>What both stages train: the student and the projection. What a stage's losses do not reach gets no gradient and does not change.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>The teacher's layers whose hidden states the intermediate stage needs; 0 is the embedding block.</summary>
    public int[] TeacherHidden =>
    [
        .. options.HiddenLoss ? options.LayerMap.Pairs.Where(Wanted).Select(pair => pair.Value) : [],
        .. (int[])(options.SentenceLoss == SentenceLoss.None ? [] : [teacherLayers]),
    ];

    /// <summary>The teacher's layers, from 1, whose attention scores the intermediate stage needs.</summary>
    public int[] TeacherScores => options.AttentionLoss ? [.. options.LayerMap.Pairs.Where(pair => pair.Key > 0).Select(pair => pair.Value)] : [];

    /// <summary>The general and the intermediate stage: L = sum over m of MSE(H_S W, H_T) (Eq. 8, and Eq. 9 for m = 0) + sum over m > 0 of MSE(A_S, A_T) (Eq. 7), and, where asked for, the distance of the sentence vectors.</summary>
    /// <param name="teacher">The teacher's outputs for the stage's rows.</param>
    public IObjective Intermediate(ITeacher teacher) => new IntermediateObjective(this, teacher);

    /// <summary>The prediction stage: CE(z_T / t, z_S / t) (Eq. 10); for a regression the mean squared error to the teacher's logit.</summary>
    /// <param name="teacher">The teacher's outputs for the stage's rows.</param>
    /// <param name="data">The rows, whose gold scores the switch <see cref="TinyBertOptions.GoldRegression"/> asks for.</param>
    public IObjective Prediction(ITeacher teacher, EncodedDataset data) => new PredictionObjective(this, teacher, data);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Parameter parameter in Projection)
        {
            parameter.Dispose();
        }
    }

    private IEnumerable<Parameter> Projection => projectionWeights.Zip(projectionBiases).SelectMany(pair => new[] { pair.First, pair.Second });

    private bool Wanted(KeyValuePair<int, int> pair) => pair.Key > 0 || options.EmbeddingLoss;

    private sealed class IntermediateObjective(TinyBert method, ITeacher teacher) : IObjective
    {
        public IReadOnlyList<string> LossNames { get; } = ["loss", "hidden_loss", "attention_loss", .. (string[])(method.options.SentenceLoss == SentenceLoss.None ? [] : ["sentence_loss"])];

        public void Compute(Tape tape, TrainingBatch batch, float weight, Span<double> losses)
        {
            TinyBertOptions options = method.options;
            TeacherBatch target = teacher.Get(batch);
            BertOutput output = method.student.Encoder.Forward(
                tape, batch.Packed, withHidden: true, layer => options.AttentionLoss && options.LayerMap.Pairs.ContainsKey(layer + 1));
            double hidden = 0;
            double attention = 0;
            foreach ((int m, int n) in options.LayerMap.Pairs)
            {
                if (options.HiddenLoss && method.Wanted(new(m, n)))
                {
                    int which = options.ProjectionPerLayer ? m : 0;
                    Tensor projected = tape.Linear(output.Hidden[m], method.projectionWeights[which], method.projectionBiases[which]);   // H_S W: [T, d]
                    hidden += tape.MeanSquaredError(projected, target.Hidden(n), weight);
                }

                if (options.AttentionLoss && m > 0)
                {
                    attention += tape.MeanSquaredError(output.Scores[m - 1]!, target.Scores(n), weight);   // mean over heads and real (query, key) pairs
                }
            }

            losses[0] = hidden + attention;
            losses[1] = hidden;
            losses[2] = attention;
            if (options.SentenceLoss != SentenceLoss.None)
            {
                losses[3] = Sentences(tape, batch.Packed, output.LastHidden, target.Hidden(method.teacherLayers), weight * options.SentenceWeight);
                losses[0] += options.SentenceWeight * losses[3];
            }
        }

        private double Sentences(Tape tape, PackedBatch batch, Tensor own, Tensor teachers, float weight)
        {
            Tensor Pool(Tensor hidden) => method.options.Pooling == PoolingMode.Cls ? tape.FirstTokens(hidden, batch) : tape.MeanPool(hidden, batch);
            Tensor projected = tape.Linear(Pool(own), method.projectionWeights[^1], method.projectionBiases[^1]);   // [S, d]
            return method.options.SentenceLoss == SentenceLoss.Cosine
                ? tape.CosineDistance(projected, Pool(teachers), weight)
                : tape.MeanSquaredError(projected, Pool(teachers), weight);
        }
    }

    private sealed class PredictionObjective(TinyBert method, ITeacher teacher, EncodedDataset data) : IObjective
    {
        public IReadOnlyList<string> LossNames { get; } = ["loss"];

        public void Compute(Tape tape, TrainingBatch batch, float weight, Span<double> losses)
        {
            TinyBertOptions options = method.options;
            Tensor logits = method.student.Logits(tape, batch.Packed);
            losses[0] = !method.student.Config.IsRegression
                ? tape.SoftCrossEntropy(logits, teacher.Get(batch).Logits, options.Temperature, options.MeanOverClasses, weight)
                : tape.MeanSquaredError(logits, options.GoldRegression ? data.Scores(batch.Rows) : teacher.Get(batch).Logits, weight);
        }
    }
}
