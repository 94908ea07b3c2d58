using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;
using MathNet.Numerics.LinearAlgebra;
using MathNet.Numerics.LinearAlgebra.Factorization;

namespace Limbeck.Training.Compression;

/// <summary>
/// The directions P [d, d'] in which the outputs of a teacher's embedding block spread most. A student that starts from them has embedding tables that are the
/// teacher's times P, and a projection to the teacher's hidden states that starts as P transposed: it begins with the words it would otherwise learn first.
/// </summary>
/// <remarks>
/// The components are those of the words after the block's layer norm, x = g (e - mean e) / sd(e) for a word's embedding e, weighted by how often the training texts have it:
/// a plain decomposition of the table spends most components on words that never come, and on units that the norm's weights g shrink. The student's tables are
/// then the teacher's, centred and times g, times P, and its own layer norm has one weight for all units, fitted by least squares, and the teacher's bias times P.
/// So the student's embedding block starts near the teacher's; that students therefore end better than from plain components has not been shown.
/// </remarks>
public sealed unsafe class PrincipalComponents
{
    // Positions whose mean a word is taken with.
    private const int Positions = 64;

    private readonly float[] components;  // P: [d, d']
    private readonly float[] tables;      // what embedding tables are multiplied by, (I - 1/d) diag(g) P: [d, d']
    private readonly float[] bias;        // of the student's layer norm: [d']
    private readonly float scale;         // its weight
    private readonly int width;

    private PrincipalComponents(float[] components, float[] tables, float[] bias, float scale, double kept)
    {
        this.components = components;
        this.tables = tables;
        this.bias = bias;
        this.scale = scale;
        width = bias.Length;
        Kept = kept;
    }

    /// <summary>How much of the squared length of the words, after the layer norm, lies in these directions, 0..1; with hidden states, of words and states together.</summary>
    public double Kept { get; }

    /// <summary>P: [d, d'], row by row.</summary>
    internal ReadOnlySpan<float> Directions => components;

    /// <summary>Finds a teacher's components.</summary>
    /// <param name="teacher">The teacher.</param>
    /// <param name="width">How many: the student's hidden size d'.</param>
    /// <param name="counts">[V] how often the training texts have each wordpiece; one is added to each. Empty counts all alike.</param>
    /// <param name="states">Hidden states, [T, d] each, that the directions shall serve as well; each weighs as much as the words do.</param>
    /// <param name="team">The threads to compute on.</param>
    /// <exception cref="ArgumentException">The teacher has fewer units, or another vocabulary.</exception>
    public static PrincipalComponents Of(BertModel teacher, int width, ReadOnlySpan<long> counts = default, IReadOnlyList<Tensor>? states = null, WorkerTeam? team = null)
    {
        int all = teacher.Config.HiddenSize;
        CheckWidth(all, width);

        int words = teacher.Config.VocabularySize;
        if (!counts.IsEmpty && counts.Length != words)
        {
            throw new ArgumentException($"there are counts of {counts.Length} wordpieces, but the teacher has {words}", nameof(counts));
        }

        team ??= WorkerTeam.Default;
        float[] norm = teacher[Name("LayerNorm")].Value.ToArray();
        using Tensor normed = Words(teacher, norm);
        using Tensor weighted = new(words, all);
        double[] weights = [.. Enumerable.Repeat(1.0, words)];
        for (int v = 0; v < words; v++)
        {
            weights[v] += counts.IsEmpty ? 0 : counts[v];
            float factor = (float)Math.Sqrt(weights[v]);
            for (int i = 0; i < all; i++)
            {
                weighted.Row(v)[i] = factor * normed.Row(v)[i];
            }
        }

        Matrix<double> moments = Moments(weighted, team);
        foreach (Tensor state in states ?? [])
        {
            moments += Moments(state, team);
        }

        Evd<double> decomposition = moments.Evd(Symmetricity.Symmetric);
        int[] order = [.. Enumerable.Range(0, all).OrderByDescending(i => decomposition.EigenValues[i].Real).ThenBy(i => i).Take(width)];
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
        using Tensor projected = new Tensor(words, width);
        Multiply(normed.Pointer, words, all, components, projected.Pointer, width, team);
        return new PrincipalComponents(
            components,
            Tables(components, norm, width),
            Times(teacher[Bias()].Value.Span, components, width),
            Scale(projected, weights, teacher.Config.LayerNormEpsilon),
            total > 0 ? order.Sum(i => decomposition.EigenValues[i].Real) / total : 1);
    }

    /// <summary>Refuses a student that is wider than its teacher.</summary>
    internal static void Check(BertConfig teacher, BertConfig student) => CheckWidth(teacher.HiddenSize, student.HiddenSize);

    /// <summary>Starts a student's embedding block: tables of words, positions and segments, and the layer norm.</summary>
    /// <param name="teacher">The teacher.</param>
    /// <param name="student">A student of d' units; its other weights stay.</param>
    /// <param name="keptIds">The teacher's ids of the student's wordpieces, in the student's order; null when the vocabulary is the same.</param>
    /// <param name="team">The threads to compute on.</param>
    /// <exception cref="ArgumentException">The student has more rows in a table than the teacher.</exception>
    public void StartEmbeddings(BertModel teacher, BertModel student, IReadOnlyList<int>? keptIds = null, WorkerTeam? team = null)
    {
        foreach (string table in (string[])["word_embeddings", "position_embeddings", "token_type_embeddings"])
        {
            Tensor source = teacher[Name(table)].Value;
            Parameter target = student[Name(table)];
            int[] rows = table == "word_embeddings" && keptIds is not null ? [.. keptIds] : [.. Enumerable.Range(0, target.Value.Rows)];
            if (rows.Length != target.Value.Rows || rows.Any(row => row >= source.Rows))
            {
                throw new ArgumentException($"the student has {target.Value.Rows} rows of {table}, the teacher {source.Rows}: it cannot start from the teacher's principal components");
            }

            using Tensor chosen = new Tensor(rows.Length, source.Columns);
            for (int i = 0; i < rows.Length; i++)
            {
                source.Row(rows[i]).CopyTo(chosen.Row(i));
            }

            Multiply(chosen.Pointer, rows.Length, source.Columns, tables, target.Value.Pointer, width, team ?? WorkerTeam.Default);
            target.Changed();
        }

        student[Name("LayerNorm")].Value.Span.Fill(scale);
        student[Name("LayerNorm")].Changed();
        bias.CopyTo(student[Bias()].Value.Span);
        student[Bias()].Changed();
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

    private static void CheckWidth(int teacher, int student)
    {
        if (student > teacher)
        {
            throw new ArgumentException($"a student of {student} units cannot start from the principal components of a teacher that has {teacher}: use --student-init random, or a narrower student");
        }
    }

    /// <summary>X^T X of rows X, divided by its trace: symmetric to the bit, which the decomposition asks for.</summary>
    private static Matrix<double> Moments(Tensor rows, WorkerTeam team)
    {
        int all = rows.Columns;
        float[] moments = new float[all * all];
        fixed (float* target = moments)
        {
            Gemm.Multiply(true, false, all, all, rows.Rows, rows.Pointer, all, rows.Pointer, all, target, all, false, default, team);
        }

        double trace = Math.Max(Enumerable.Range(0, all).Sum(i => (double)moments[(i * all) + i]), double.Epsilon);
        return Matrix<double>.Build.Dense(all, all, (i, j) => moments[(Math.Max(i, j) * all) + Math.Min(i, j)] / trace);
    }

    private static string Name(string table) => $"bert.embeddings.{table}.weight";

    private static string Bias() => "bert.embeddings.LayerNorm.bias";

    /// <summary>Every word as the embedding block gives it at a middling position in the first segment, without the layer norm's bias: [V, d].</summary>
    private static Tensor Words(BertModel teacher, float[] norm)
    {
        Tensor table = teacher[Name("word_embeddings")].Value;
        Tensor places = teacher[Name("position_embeddings")].Value;
        int all = table.Columns;
        int count = Math.Min(Positions, places.Rows);
        double[] offset = [.. Enumerable.Range(0, all).Select(i => Enumerable.Range(0, count).Average(p => (double)places.Row(p)[i]) + teacher[Name("token_type_embeddings")].Value.Row(0)[i])];
        Tensor result = new Tensor(table.Rows, all);
        float[] word = new float[all];
        for (int v = 0; v < table.Rows; v++)
        {
            for (int i = 0; i < all; i++)
            {
                word[i] = (float)(table.Row(v)[i] + offset[i]);
            }

            (double mean, double deviation) = Moments(word, teacher.Config.LayerNormEpsilon);
            for (int i = 0; i < all; i++)
            {
                result.Row(v)[i] = (float)(norm[i] * (word[i] - mean) / deviation);
            }
        }

        return result;
    }

    /// <summary>(I - 1/d) diag(g) P, so that a table's row times it is g times the centred row, times P.</summary>
    private static float[] Tables(float[] components, float[] norm, int width)
    {
        int all = norm.Length;
        float[] tables = new float[components.Length];
        for (int j = 0; j < width; j++)
        {
            double mean = Enumerable.Range(0, all).Average(i => (double)norm[i] * components[(i * width) + j]);
            for (int i = 0; i < all; i++)
            {
                tables[(i * width) + j] = (float)(((double)norm[i] * components[(i * width) + j]) - mean);
            }
        }

        return tables;
    }

    private static float[] Times(ReadOnlySpan<float> row, float[] components, int width)
    {
        double[] sums = new double[width];
        for (int i = 0; i < row.Length; i++)
        {
            for (int j = 0; j < width; j++)
            {
                sums[j] += (double)row[i] * components[(i * width) + j];
            }
        }

        return [.. sums.Select(sum => (float)sum)];
    }

    /// <summary>The one weight with which the student's layer norm comes nearest to what it should give, in the sense of weighted least squares over the words.</summary>
    private static float Scale(Tensor projected, double[] weights, float epsilon)
    {
        double product = 0;
        double square = 0;
        for (int v = 0; v < projected.Rows; v++)
        {
            Span<float> row = projected.Row(v);
            (double mean, double deviation) = Moments(row, epsilon);
            foreach (float value in row)
            {
                double normed = (value - mean) / deviation;
                product += weights[v] * normed * value;
                square += weights[v] * normed * normed;
            }
        }

        return square > 0 ? (float)(product / square) : 1f;
    }

    /// <summary>What a layer norm takes away from a row and divides it by.</summary>
    internal static (double Mean, double Deviation) Moments(ReadOnlySpan<float> values, float epsilon)
    {
        double sum = 0;
        foreach (float value in values)
        {
            sum += value;
        }

        double mean = sum / values.Length;
        double squares = 0;
        foreach (float value in values)
        {
            squares += (value - mean) * (value - mean);
        }

        return (mean, Math.Sqrt((squares / values.Length) + epsilon));
    }

    private static void Multiply(float* rows, int count, int all, float[] matrix, float* target, int width, WorkerTeam team)
    {
        fixed (float* right = matrix)
        {
            Gemm.Multiply(false, false, count, width, all, rows, all, right, width, target, width, false, default, team);
        }
    }
}
