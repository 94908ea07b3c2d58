using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;
using MathNet.Numerics.LinearAlgebra;
using MathNet.Numerics.LinearAlgebra.Factorization;

namespace Limbeck.Training.Compression;

/// <summary>
/// The directions P [d, d'] in which a teacher's wordpiece embeddings spread most: a student's embedding tables start as the teacher's times P, and the projection
/// from its hidden states to the teacher's as P transposed. So it starts with the words it would otherwise have to learn first.
/// </summary>
/// <remarks>
/// Leading eigenvectors of E^T E, where E [V, d] are the wordpiece embeddings. Their mean is not taken off, as it is part of what the student's table must hold:
/// among all P of this size this one loses least of E in E P P^T. Each component's sign makes its largest entry positive.
/// </remarks>
public sealed unsafe class PrincipalComponents
{
    private readonly float[] components; // [d, d']
    private readonly int width;

    private PrincipalComponents(float[] components, int width, double kept)
    {
        this.components = components;
        this.width = width;
        Kept = kept;
    }

    /// <summary>How much of the squared length of the teacher's wordpiece embeddings lies in these directions, 0..1.</summary>
    public double Kept { get; }

    /// <summary>Finds a teacher's components.</summary>
    /// <param name="teacher">The teacher.</param>
    /// <param name="width">How many: the student's hidden size d'.</param>
    /// <param name="team">The threads to compute on.</param>
    /// <exception cref="ArgumentException">The teacher has fewer.</exception>
    public static PrincipalComponents Of(BertModel teacher, int width, WorkerTeam? team = null)
    {
        int all = teacher.Config.HiddenSize;
        if (width > all)
        {
            throw new ArgumentException($"a student of {width} units cannot start from the principal components of a teacher that has {all}: use --student-init random, or a narrower student");
        }

        Tensor table = teacher.Parameters.Single(parameter => parameter.Name == "bert.embeddings.word_embeddings.weight").Value;
        float[] moments = new float[all * all];
        fixed (float* target = moments)
        {
            Gemm.Multiply(true, false, all, all, table.Rows, table.Pointer, all, table.Pointer, all, target, all, false, default, team ?? WorkerTeam.Default);
        }

        // The product's halves may differ in the last bit; the decomposition asks for one that is symmetric to the bit.
        Matrix<double> symmetric = Matrix<double>.Build.Dense(all, all, (i, j) => moments[(Math.Max(i, j) * all) + Math.Min(i, j)]);
        Evd<double> decomposition = symmetric.Evd(Symmetricity.Symmetric);
        int[] order = [.. Enumerable.Range(0, all).OrderByDescending(i => decomposition.EigenValues[i].Real).ThenBy(i => i)];
        float[] components = new float[all * width];
        for (int j = 0; j < width; j++)
        {
            Vector<double> vector = decomposition.EigenVectors.Column(order[j]);
            double sign = vector[vector.AbsoluteMaximumIndex()] < 0 ? -1 : 1;
            for (int i = 0; i < all; i++)
            {
                components[(i * width) + j] = (float)(sign * vector[i]);
            }
        }

        double total = decomposition.EigenValues.Sum(value => value.Real);
        return new PrincipalComponents(components, width, total > 0 ? order.Take(width).Sum(i => decomposition.EigenValues[i].Real) / total : 1);
    }

    /// <summary>Sets a student's embedding tables (words, positions, segments) to the teacher's times P.</summary>
    /// <param name="teacher">The teacher.</param>
    /// <param name="student">A student of d' units; other weights stay.</param>
    /// <param name="keptIds">The teacher's ids of the student's wordpieces, in the student's order; null when the vocabulary is the same.</param>
    /// <param name="team">The threads to compute on.</param>
    /// <exception cref="ArgumentException">The student has more rows in a table than the teacher.</exception>
    public void StartEmbeddings(BertModel teacher, BertModel student, IReadOnlyList<int>? keptIds = null, WorkerTeam? team = null)
    {
        foreach (string name in (string[])["word_embeddings", "position_embeddings", "token_type_embeddings"])
        {
            Tensor source = Table(teacher, name).Value;
            Parameter target = Table(student, name);
            int rows = target.Value.Rows;
            bool trimmed = name == "word_embeddings" && keptIds is not null;
            if (!trimmed && rows > source.Rows)
            {
                throw new ArgumentException($"the student has {rows} rows of {name}, the teacher {source.Rows}: it cannot start from the teacher's principal components");
            }

            if (trimmed)
            {
                for (int i = 0; i < rows; i++)
                {
                    Multiply(source.Pointer + ((nint)keptIds![i] * source.Columns), 1, source.Columns, target.Value.Pointer + ((nint)i * width), team);
                }
            }
            else
            {
                Multiply(source.Pointer, rows, source.Columns, target.Value.Pointer, team);
            }

            target.Changed();
        }
    }

    /// <summary>Sets a projection from the student's hidden states to the teacher's to P transposed, without bias.</summary>
    /// <param name="weight">[d, d'], as PyTorch stores a dense layer.</param>
    /// <param name="bias">[d].</param>
    public void StartProjection(Parameter weight, Parameter bias)
    {
        components.CopyTo(weight.Value.Span);
        weight.Changed();
        bias.Value.Span.Clear();
        bias.Changed();
    }

    private static Parameter Table(BertModel model, string name) => model.Parameters.Single(parameter => parameter.Name == $"bert.embeddings.{name}.weight");

    private void Multiply(float* rows, int count, int all, float* target, WorkerTeam? team)
    {
        fixed (float* p = components)
        {
            Gemm.Multiply(false, false, count, width, all, rows, all, p, width, target, width, false, default, team ?? WorkerTeam.Default);
        }
    }
}
