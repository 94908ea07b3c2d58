using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using MathNet.Numerics.LinearAlgebra;

namespace Limbeck.Training.Compression;

/// <summary>Ridge regression from one model's activations to another's, and what goes with it: sums in float32 on the engine, the solution in float64.</summary>
internal static unsafe class LeastSquares
{
    /// <summary>The affine map that brings features nearest to targets.</summary>
    /// <param name="features">[T, k].</param>
    /// <param name="targets">[T, m].</param>
    /// <param name="ridge">Weight of the map's squared size, as a share of the centred features' mean square.</param>
    /// <param name="tape">Where to compute.</param>
    /// <returns>W [k, m] and b [m] of features W + b.</returns>
    public static (Matrix<double> Weights, Vector<double> Shift) Fit(Tensor features, Tensor targets, double ridge, Tape tape)
    {
        float[] featureMeans = Center(features, out Tensor centred, tape);
        float[] targetMeans = Center(targets, out Tensor gaps, tape);
        int count = features.Columns;
        double[] gram = Gram(centred, tape);
        double mean = Enumerable.Range(0, count).Average(i => gram[((long)i * count) + i]);
        Matrix<double> moments = Matrix<double>.Build.Dense(count, count, (i, j) => gram[((long)Math.Max(i, j) * count) + Math.Min(i, j)] + (i == j ? Math.Max(ridge * mean, double.Epsilon) : 0));
        Matrix<double> weights = moments.Cholesky().Solve(Rows(Product(centred, true, gaps, tape)));
        Vector<double> shift = Vector<double>.Build.DenseOfEnumerable(targetMeans.Select(x => (double)x)) - weights.TransposeThisAndMultiply(Vector<double>.Build.DenseOfEnumerable(featureMeans.Select(x => (double)x)));
        return (weights, shift);
    }

    /// <summary>X^T X, row by row.</summary>
    /// <param name="rows">X: [T, k].</param>
    /// <param name="tape">Where to compute.</param>
    public static double[] Gram(Tensor rows, Tape tape) => [.. Product(rows, true, rows, tape).ToArray().Select(value => (double)value)];

    /// <summary>op(A) B of stored matrices.</summary>
    /// <param name="a">A.</param>
    /// <param name="transposeA">Whether op transposes it.</param>
    /// <param name="b">B.</param>
    /// <param name="tape">Where to compute.</param>
    /// <param name="rowsOfA">For a vector that stands for a matrix of so many rows.</param>
    public static Tensor Product(Tensor a, bool transposeA, Tensor b, Tape tape, int? rowsOfA = null)
    {
        int storedRows = rowsOfA ?? a.Rows;
        int storedColumns = (int)(a.Length / storedRows);
        (int m, int k) = transposeA ? (storedColumns, storedRows) : (storedRows, storedColumns);
        int n = b.Columns;
        Tensor result = tape.NewTensor(m, n);
        Gemm.Multiply(transposeA, false, m, n, k, a.Pointer, storedColumns, b.Pointer, b.Columns, result.Pointer, n, false, default, tape.Team);
        return result;
    }

    /// <summary>A tensor's rows in float64.</summary>
    /// <param name="tensor">[n, k].</param>
    public static Matrix<double> Rows(Tensor tensor) => Matrix<double>.Build.Dense(tensor.Rows, tensor.Columns, (i, j) => tensor.Row(i)[j]);

    /// <summary>Replaces a weight.</summary>
    /// <param name="parameter">As large as the values.</param>
    /// <param name="values">The new ones.</param>
    public static void Write(Parameter parameter, Matrix<double> values)
    {
        parameter.Value.Span.Clear();
        Add(parameter, values);
    }

    /// <summary>Replaces a bias.</summary>
    /// <param name="parameter">As long as the values.</param>
    /// <param name="values">The new ones.</param>
    public static void Write(Parameter parameter, Vector<double> values)
    {
        parameter.Value.Span.Clear();
        Add(parameter, values);
    }

    /// <summary>Adds to a weight.</summary>
    /// <param name="parameter">At least as large as the values.</param>
    /// <param name="values">What is added.</param>
    public static void Add(Parameter parameter, Matrix<double> values)
    {
        for (int i = 0; i < values.RowCount; i++)
        {
            Span<float> row = parameter.Value.Row(i);
            for (int j = 0; j < values.ColumnCount; j++)
            {
                row[j] += (float)values[i, j];
            }
        }

        parameter.Changed();
    }

    /// <summary>Adds to a bias.</summary>
    /// <param name="parameter">At least as long as the values.</param>
    /// <param name="values">What is added.</param>
    public static void Add(Parameter parameter, Vector<double> values)
    {
        for (int i = 0; i < values.Count; i++)
        {
            parameter.Value.Span[i] += (float)values[i];
        }

        parameter.Changed();
    }

    /// <summary>Takes the columns' means away.</summary>
    private static float[] Center(Tensor rows, out Tensor centred, Tape tape)
    {
        double[] sums = new double[rows.Columns];
        for (int t = 0; t < rows.Rows; t++)
        {
            Span<float> row = rows.Row(t);
            for (int i = 0; i < sums.Length; i++)
            {
                sums[i] += row[i];
            }
        }

        float[] means = [.. sums.Select(sum => (float)(sum / rows.Rows))];
        centred = tape.NewTensor(rows.Rows, rows.Columns);
        for (int t = 0; t < rows.Rows; t++)
        {
            Span<float> from = rows.Row(t);
            Span<float> to = centred.Row(t);
            for (int i = 0; i < means.Length; i++)
            {
                to[i] = from[i] - means[i];
            }
        }

        return means;
    }
}
