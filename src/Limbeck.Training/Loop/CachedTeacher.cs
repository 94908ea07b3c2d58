using System.Text.Json;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;
using Limbeck.Training.Data;

namespace Limbeck.Training.Loop;

/// <summary>A teacher whose outputs were computed once and are read from disk: logits in single precision, hidden states and attention scores in half.</summary>
public sealed unsafe class CachedTeacher : ITeacher
{
    private const int TokensAtOnce = 2048;

    private readonly TeacherCacheFile file;
    private readonly EncodedDataset data;
    private readonly TeacherNeeds needs;
    private readonly Tape tape;

    private CachedTeacher(TeacherCacheFile file, EncodedDataset data, TeacherNeeds needs, WorkerTeam team)
    {
        this.file = file;
        this.data = data;
        this.needs = needs;
        tape = new Tape(recording: false, team);
    }

    /// <summary>A teacher for a stage: from the cache where that is allowed and fits, otherwise live. What is decided is said.</summary>
    /// <param name="model">The fine-tuned model.</param>
    /// <param name="identity">A hash of its weights, its configuration and its tokenizer.</param>
    /// <param name="data">The stage's rows as the teacher's tokenizer sees them.</param>
    /// <param name="needs">What the stage reads.</param>
    /// <param name="options">Whether, where, how much.</param>
    /// <param name="progress">Shows the filling and says what was decided.</param>
    /// <param name="team">The threads to compute on.</param>
    /// <param name="precision">What its dense layers multiply in; outputs of another precision are kept apart.</param>
    /// <param name="cancellation">Checked between batches; what has been written is taken up by the next run.</param>
    public static ITeacher Open(
        BertModel model, string identity, EncodedDataset data, TeacherNeeds needs, CacheOptions options, ProgressDisplay progress, WorkerTeam team,
        Precision precision = Precision.Float32, CancellationToken cancellation = default)
    {
        TeacherNeeds distinct = needs with { Hidden = [.. needs.Hidden.Distinct().Order()], Scores = [.. needs.Scores.Distinct().Order()] };
        TeacherCacheShape shape = ShapeOf(model, distinct);
        long bytes = TeacherCacheFile.EstimateBytes(data.Lengths, shape);
        if (!options.Enabled || bytes > options.LimitBytes)
        {
            if (options.Enabled)
            {
                progress.Message($"the teacher's outputs would take {bytes / 1e9:F1} GB, more than --cache-limit {options.LimitBytes / 1e9:F1} GB: the teacher runs live");
            }

            return new LiveTeacher(model, data, distinct, team: team, precision: precision);
        }

        HashBuilder named = new HashBuilder().Add("teacher", identity).Add("data", data.Source.Sha256).Add("length", data.MaxSequenceLength).Add("logits", distinct.Logits)
            .Add("hidden", string.Join(",", distinct.Hidden)).Add("scores", string.Join(",", distinct.Scores));
        string key = (precision == Precision.Float32 ? named : named.Add("precision", precision.ToString())).ToKey();
        CacheDirectory directory = new(options.Directory);
        Directory.CreateDirectory(directory.DirectoryPath);
        string path = directory.PathOf(key);
        TeacherCacheFile? file = TeacherCacheFile.TryOpen(path, key, progress.Message);
        if (file is null)
        {
            progress.Message($"writing the teacher's outputs for {data.Count} rows, {bytes / 1e6:F1} MB, to {path}");
            file = Fill(model, data, distinct, shape, path, key, progress, team, precision, cancellation);
        }
        else
        {
            progress.Message($"reading the teacher's outputs for {data.Count} rows from {path}");
        }

        if (file is null)
        {
            progress.Message($"another process is writing {path}: this one runs its teacher live");
            return new LiveTeacher(model, data, distinct, team: team, precision: precision);
        }

        return new CachedTeacher(file, data, distinct, team);
    }

    /// <summary>Bytes that the cache of a stage takes.</summary>
    /// <param name="model">The teacher.</param>
    /// <param name="data">The stage's rows.</param>
    /// <param name="needs">What the stage reads, nothing twice.</param>
    internal static long EstimateBytes(BertModel model, EncodedDataset data, TeacherNeeds needs) => TeacherCacheFile.EstimateBytes(data.Lengths, ShapeOf(model, needs));

    /// <inheritdoc/>
    public TeacherBatch Get(TrainingBatch batch)
    {
        tape.Reset();
        PackedBatch packed = data.Pack(batch.Rows);
        int classes = file.Shape.Classes;
        float[] logits = new float[batch.Rows.Length * classes];
        Dictionary<int, Tensor> hidden = [];
        Dictionary<int, Tensor> scores = [];
        for (int i = 0; i < batch.Rows.Length && classes > 0; i++)
        {
            file.Get(batch.Rows[i]).Logits.CopyTo(logits.AsSpan(i * classes, classes));
        }

        for (int k = 0; k < needs.Hidden.Length; k++)
        {
            Tensor states = tape.NewTensor(packed.Tokens, file.Shape.HiddenSize);
            float* to = states.Pointer;
            foreach (int row in batch.Rows)
            {
                to = Widen(file.Get(row).Hidden(k), to);
            }

            hidden.Add(needs.Hidden[k], states);
        }

        for (int k = 0; k < needs.Scores.Length; k++)
        {
            Tensor packedScores;
            fixed (int* offsets = packed.Offsets)
            {
                packedScores = tape.NewTensor(checked((int)Attention.ScoreCount(packed.Sequences, offsets, file.Shape.Heads)));
            }

            float* to = packedScores.Pointer;
            foreach (int row in batch.Rows)
            {
                to = Widen(file.Get(row).Attention(k), to);
            }

            scores.Add(needs.Scores[k], packedScores);
        }

        return new TeacherBatch(logits, hidden, scores);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        tape.Dispose();
        file.Dispose();
    }

    private static TeacherCacheShape ShapeOf(BertModel model, TeacherNeeds needs) =>
        new(needs.Logits ? model.Config.Labels.Count : 0, needs.Hidden.Length, model.Config.HiddenSize, needs.Scores.Length, model.Config.HeadCount);

    private static TeacherCacheFile? Fill(
        BertModel model, EncodedDataset data, TeacherNeeds needs, TeacherCacheShape shape, string path, string key, ProgressDisplay progress, WorkerTeam team,
        Precision precision, CancellationToken cancellation)
    {
        using TeacherCacheWriter? writer = TeacherCacheWriter.TryBegin(path, key, Describe(data, needs, model), shape, data.Lengths);
        if (writer is null)
        {
            return TeacherCacheFile.TryOpen(path, key, progress.Message);
        }

        using LiveTeacher teacher = new(model, data, needs, team: team, precision: precision);
        progress.Begin("teacher", data.Count, writer.Count);
        float*[] hidden = new float*[needs.Hidden.Length];
        float*[] scores = new float*[needs.Scores.Length];
        while (writer.Count < writer.Total)
        {
            cancellation.ThrowIfCancellationRequested();
            int start = writer.Count;
            int end = start;
            int tokens = 0;
            while (end < data.Count && (end == start || tokens + data.Lengths[end] <= TokensAtOnce))
            {
                tokens += data.Lengths[end++];
            }

            int[] rows = [.. Enumerable.Range(start, end - start)];
            TeacherBatch outputs = teacher.Get(new TrainingBatch(data.Pack(rows), rows));
            for (int k = 0; k < hidden.Length; k++)
            {
                hidden[k] = outputs.Hidden(needs.Hidden[k]).Pointer;
            }

            for (int k = 0; k < scores.Length; k++)
            {
                scores[k] = outputs.Scores(needs.Scores[k]).Pointer;
            }

            fixed (float* logits = outputs.Logits)
            {
                for (int i = 0; i < rows.Length; i++)
                {
                    long length = data.Lengths[rows[i]];
                    fixed (float** states = hidden, attention = scores)
                    {
                        writer.Append(rows[i], logits + ((long)i * shape.Classes), states, attention);
                    }

                    for (int k = 0; k < hidden.Length; k++)
                    {
                        hidden[k] += length * shape.HiddenSize;
                    }

                    for (int k = 0; k < scores.Length; k++)
                    {
                        scores[k] += shape.Heads * length * length;
                    }
                }
            }

            progress.Report(end, null, tokens);
        }

        progress.Finish();
        return writer.Complete();
    }

    private static string Describe(EncodedDataset data, TeacherNeeds needs, BertModel model) => JsonSerializer.Serialize(new
    {
        data = data.Source.Name,
        rows = data.Count,
        max_seq_length = data.MaxSequenceLength,
        teacher = $"{model.Config.LayerCount}/{model.Config.HiddenSize}/{model.Config.HeadCount}/{model.Config.IntermediateSize}",
        logits = needs.Logits,
        hidden = needs.Hidden,
        scores = needs.Scores,
    });

    private static float* Widen(ReadOnlySpan<Half> from, float* to)
    {
        HalfConversion.Widen(from, new Span<float>(to, from.Length));
        return to + from.Length;
    }
}
