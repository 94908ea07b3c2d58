using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;
using Limbeck.Training.Data;

namespace Limbeck.Training.Loop;

/// <summary>A teacher that computes its outputs whenever they are asked for.</summary>
public sealed class LiveTeacher : ITeacher
{
    private readonly BertModel model;
    private readonly EncodedDataset? data;
    private readonly TeacherNeeds needs;
    private readonly Tape tape;

    /// <summary>A teacher over the rows of a stage.</summary>
    /// <param name="model">The fine-tuned model; with a classifier when logits are needed. It is frozen for good.</param>
    /// <param name="data">The stage's rows as the teacher's tokenizer sees them; null when it has the student's tokenizer and reads the student's batches.</param>
    /// <param name="needs">What to compute.</param>
    /// <param name="dropout">Leave dropout on, as the authors of TinyBERT did by oversight.</param>
    /// <param name="seed">Of the dropout masks.</param>
    /// <param name="team">The threads to compute on.</param>
    /// <param name="precision">What its dense layers multiply in.</param>
    public LiveTeacher(
        BertModel model, EncodedDataset? data, TeacherNeeds needs, bool dropout = false, ulong seed = 0, WorkerTeam? team = null, Precision precision = Precision.Float32)
    {
        this.model = model;
        this.data = data;
        this.needs = needs;
        tape = new Tape(recording: dropout, team) { Seed = seed ^ 0x7465616368657221UL, Precision = precision };
        foreach (Parameter parameter in model.Parameters)
        {
            parameter.Trainable = false;
        }
    }

    /// <inheritdoc/>
    public TeacherBatch Get(TrainingBatch batch)
    {
        tape.Reset();
        PackedBatch packed = data?.Pack(batch.Rows) ?? batch.Packed;
        tape.Step = StepOf(packed);
        BertOutput output = model.Encoder.Forward(tape, packed, withHidden: needs.Hidden.Length > 0, layer => needs.Scores.Contains(layer + 1));
        float[] logits = needs.Logits ? model.Logits(tape, output, packed).ToArray() : [];
        return new TeacherBatch(
            logits,
            needs.Hidden.Distinct().ToDictionary(layer => layer, layer => output.Hidden[layer]),
            needs.Scores.Distinct().ToDictionary(layer => layer, layer => output.Scores[layer - 1]!));
    }

    /// <summary>A number for the dropout masks that depends on the batch alone, so that a resumed run draws the same ones.</summary>
    private static ulong StepOf(PackedBatch packed)
    {
        // FNV-1a over the ids and lengths.
        ulong hash = 0xCBF29CE484222325UL;
        foreach (int id in packed.Ids)
        {
            hash = (hash ^ (uint)id) * 0x100000001B3UL;
        }

        foreach (int offset in packed.Offsets)
        {
            hash = (hash ^ (uint)offset) * 0x100000001B3UL;
        }

        return hash;
    }

    /// <inheritdoc/>
    public void Dispose() => tape.Dispose();
}
