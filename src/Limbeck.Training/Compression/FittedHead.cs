using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;
using Limbeck.Training.Data;
using MathNet.Numerics.LinearAlgebra;

namespace Limbeck.Training.Compression;

/// <summary>
/// Fits a student's pooler and classifier to its teacher's by least squares, on some of the task's texts. After the intermediate stage the student's last hidden states hold
/// what the teacher's do, but its head is still random; at the rate of the prediction stage, 3e-5, a few hundred updates hardly move it.
/// </summary>
/// <remarks>
/// The student's pooler learns what the teacher's gives before its tanh, for the units that count most in the teacher's logits (by |classifier column|^2 times the unit's
/// variance) where the student is narrower; then its classifier learns the teacher's logits from what its pooler gives. Two ridge regressions, no gradient;
/// it costs one pass of the sample through both models, and done again it gives the same.
/// </remarks>
public static class FittedHead
{
    /// <summary>Rows of texts that are enough: many times the width of a small student.</summary>
    public const int SampleRows = 4096;

    private const int RowsAtOnce = 32;

    // As a share of the features' mean square.
    private const double Ridge = 0.01;

    /// <summary>Overwrites the student's pooler and classifier.</summary>
    /// <param name="teacher">With a classifier of C outputs.</param>
    /// <param name="student">With as many.</param>
    /// <param name="teacherRows">The task's texts as the teacher's tokenizer sees them.</param>
    /// <param name="studentRows">The same rows as the student's does.</param>
    /// <param name="seed">Which of the rows are taken where there are more than <see cref="SampleRows"/>.</param>
    /// <param name="team">The threads to compute on.</param>
    /// <param name="precision">What both encoders' dense layers multiply in.</param>
    /// <param name="cancellation">Checked before each batch; nothing has changed then.</param>
    /// <exception cref="ArgumentException">The two have other numbers of outputs, a head is missing, or the rows are none or not the same.</exception>
    public static void Start(
        BertModel teacher, BertModel student, EncodedDataset teacherRows, EncodedDataset studentRows, ulong seed, WorkerTeam? team = null, Precision precision = Precision.Float32,
        CancellationToken cancellation = default)
    {
        if (teacher.Classifier is null || student.Classifier is null || teacher.Config.Labels.Count != student.Config.Labels.Count)
        {
            throw new ArgumentException($"a student's head can be fitted to its teacher's where both are classifiers with as many outputs; the teacher has {Outputs(teacher)}, the student {Outputs(student)}");
        }

        if (teacherRows.Count != studentRows.Count || studentRows.Count == 0)
        {
            throw new ArgumentException($"a head is fitted on the same rows for both; the teacher has {teacherRows.Count}, the student {studentRows.Count}");
        }

        int[] rows = [.. Enumerable.Range(0, studentRows.Count)];
        new SeededRandom(seed).Shuffle(rows);
        rows = rows[..Math.Min(rows.Length, SampleRows)];
        using Tensor first = new(rows.Length, student.Config.HiddenSize);
        using Tensor pooling = new(rows.Length, teacher.Config.HiddenSize);
        using Tensor logits = new(rows.Length, teacher.Config.Labels.Count);
        using Tape tape = new(recording: false, team) { Precision = precision };
        for (int start = 0; start < rows.Length; start += RowsAtOnce)
        {
            cancellation.ThrowIfCancellationRequested();
            int[] some = rows[start..Math.Min(rows.Length, start + RowsAtOnce)];
            PackedBatch own = studentRows.Pack(some);
            Copy(tape.FirstTokens(student.Encoder.Forward(tape, own).LastHidden, own), first, start);
            PackedBatch theirs = teacherRows.Pack(some);
            BertOutput output = teacher.Encoder.Forward(tape, theirs);
            Copy(tape.Linear(tape.FirstTokens(output.LastHidden, theirs), teacher["bert.pooler.dense.weight"], teacher["bert.pooler.dense.bias"]), pooling, start);
            Copy(teacher.Logits(tape, output, theirs), logits, start);
            tape.Reset();
        }

        int[] units = Units(teacher, pooling, student.Config.HiddenSize);
        using Tensor aims = new(rows.Length, units.Length);
        for (int t = 0; t < rows.Length; t++)
        {
            for (int i = 0; i < units.Length; i++)
            {
                aims.Row(t)[i] = pooling.Row(t)[units[i]];
            }
        }

        Write(student["bert.pooler.dense.weight"], student["bert.pooler.dense.bias"], LeastSquares.Fit(first, aims, Ridge, tape));
        Tensor pooled = tape.Linear(first, student["bert.pooler.dense.weight"], student["bert.pooler.dense.bias"], Activation.Tanh);
        Tensor features = student.Config.HeadActivation == "relu" ? tape.Activate(pooled, Activation.Relu) : pooled;
        Write(student["classifier.weight"], student["classifier.bias"], LeastSquares.Fit(features, logits, Ridge, tape));
    }

    /// <summary>The units of the teacher's pooler that move its logits most, in its order.</summary>
    private static int[] Units(BertModel teacher, Tensor pooling, int most)
    {
        double Weight(int unit) => Enumerable.Range(0, teacher.Config.Labels.Count).Sum(label => Math.Pow(teacher["classifier.weight"].Value.Row(label)[unit], 2));
        double Variance(int unit)
        {
            double sum = 0;
            double squares = 0;
            for (int t = 0; t < pooling.Rows; t++)
            {
                double value = Math.Tanh(pooling.Row(t)[unit]);
                value = teacher.Config.HeadActivation == "relu" ? Math.Max(0, value) : value;
                sum += value;
                squares += value * value;
            }

            return (squares / pooling.Rows) - Math.Pow(sum / pooling.Rows, 2);
        }

        return [.. Enumerable.Range(0, teacher.Config.HiddenSize).OrderByDescending(unit => Weight(unit) * Variance(unit)).ThenBy(unit => unit).Take(most).Order()];
    }

    /// <summary>Rows of a wider student that have no counterpart stay as they are.</summary>
    private static void Write(Parameter weight, Parameter bias, (Matrix<double> Weights, Vector<double> Shift) fit)
    {
        for (int i = 0; i < fit.Shift.Count; i++)
        {
            weight.Value.Row(i).Clear();
            bias.Value.Span[i] = 0;
        }

        LeastSquares.Add(weight, fit.Weights.Transpose());
        LeastSquares.Add(bias, fit.Shift);
    }

    private static void Copy(Tensor from, Tensor to, int row)
    {
        for (int i = 0; i < from.Rows; i++)
        {
            from.Row(i).CopyTo(to.Row(row + i));
        }
    }

    private static string Outputs(BertModel model) => model.Classifier is null ? "no classifier" : $"{model.Config.Labels.Count}";
}
