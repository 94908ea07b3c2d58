using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;
using Limbeck.Training.Data;

namespace Limbeck.Training.Loop;

/// <summary>A teacher that computes its outputs whenever they are asked for.</summary>
public sealed class LiveTeacher : ITeacher
{
    private readonly BertModel model;
    private readonly EncodedDataset data;
    private readonly TeacherNeeds needs;
    private readonly Tape tape;

    /// <summary>A teacher over the rows of a stage.</summary>
    /// <param name="model">The fine-tuned model; with a classifier when logits are needed. It is frozen for good.</param>
    /// <param name="data">The stage's rows as the teacher's tokenizer sees them.</param>
    /// <param name="needs">What to compute.</param>
    /// <param name="dropout">Leave dropout on, as the authors of TinyBERT did by oversight.</param>
    /// <param name="seed">Of the dropout masks.</param>
    /// <param name="team">The threads to compute on.</param>
    public LiveTeacher(BertModel model, EncodedDataset data, TeacherNeeds needs, bool dropout = false, ulong seed = 0, WorkerTeam? team = null)
    {
        this.model = model;
        this.data = data;
        this.needs = needs;
        tape = new Tape(recording: dropout, team) { Seed = seed ^ 0x7465616368657221UL };
        foreach (Parameter parameter in model.Parameters)
        {
            parameter.Trainable = false;
        }
    }

    /// <inheritdoc/>
    public TeacherBatch Get(TrainingBatch batch)
    {
        tape.Reset();
        tape.Step++;
        PackedBatch packed = data.Pack(batch.Rows);
        BertOutput output = model.Encoder.Forward(tape, packed, withHidden: needs.Hidden.Length > 0, layer => needs.Scores.Contains(layer + 1));
        float[] logits = needs.Logits ? model.Logits(tape, output, packed).ToArray() : [];
        return new TeacherBatch(
            logits,
            needs.Hidden.Distinct().ToDictionary(layer => layer, layer => output.Hidden[layer]),
            needs.Scores.Distinct().ToDictionary(layer => layer, layer => output.Scores[layer - 1]!));
    }

    /// <inheritdoc/>
    public void Dispose() => tape.Dispose();
}
