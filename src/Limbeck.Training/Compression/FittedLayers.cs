using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;
using MathNet.Numerics.LinearAlgebra;
using MathNet.Numerics.LinearAlgebra.Factorization;

namespace Limbeck.Training.Compression;

/// <summary>
/// Starts a student's layers as its teacher's, turned into the directions of <see cref="PrincipalComponents"/>, and fits each of them in turn, by least squares, to what
/// the teacher's mapped layer gives on sample texts. No gradient is computed, and the student begins with much of what its teacher's layers do.
/// </summary>
/// <remarks>
/// With hidden states x ~ P x' (x' the student's), student layer m is made of teacher layer t = g(m):
/// <list type="number">
/// <item>A head's query and key keep the D' directions that matter most to the scores: with second moments C_q and C_k over the texts, q^T k is approximated best by the leading D'
/// of the singular value decomposition C_q^1/2 C_k^1/2 = X S Y^T, as q' = S^1/2 X^T C_q^-1/2 q and k' = S^-1/2 X^T C_q^1/2 k (scaled so that q' k' / D'^1/2 = q k / D^1/2).</item>
/// <item>A head's value keeps the D' directions of which the output product makes most: those of the decomposition of P^T W_o C_v^1/2.</item>
/// <item>The feed-forward part keeps the neurons with the largest E[z^2] |P^T w|^2.</item>
/// <item>The two products that write into the residual sum are refitted by ridge regression, drawn towards the teacher's own weights, so that the sum comes nearest to the teacher's
/// normalised state times P: this makes up for the layers in between that the student does not have.</item>
/// <item>Each layer norm has its weights and biases fitted unit by unit.</item>
/// </list>
/// </remarks>
public static unsafe class FittedLayers
{
    /// <summary>Tokens of sample texts that are enough: many times the width of the feed-forward part.</summary>
    public const int SampleTokens = 16384;

    // Weight of the teacher's own weights in the regressions, as a share of the features' mean square.
    private const double Ridge = 0.01;

    // A direction counts with at least this share of the largest moment, so that none is divided by nothing.
    private const double Rank = 1e-6;

    // A head whose scores are below this says nothing, as a pruned one.
    private const double Silent = 1e-30;

    // A unit whose variance is below this share of its mean square does not vary.
    private const double Still = 1e-9;

    /// <summary>Starts the layers of a student whose embedding block has been started from the components.</summary>
    /// <param name="teacher">With as many heads as the student, at least as wide.</param>
    /// <param name="student">Its layers are overwritten; pooler and classifier stay.</param>
    /// <param name="map">Student layer m starts as teacher layer map(m).</param>
    /// <param name="components">P, of the teacher and the student's width.</param>
    /// <param name="hidden">The teacher's hidden states on the sample texts, [T, d] each: the embedding block's and every layer's.</param>
    /// <param name="teacherTexts">The sample texts in the teacher's ids.</param>
    /// <param name="studentTexts">The same in the student's ids, token by token.</param>
    /// <param name="team">The threads to compute on.</param>
    /// <param name="cancellation">Checked before each layer.</param>
    /// <exception cref="ArgumentException">The student has other heads, is wider, or the map leaves out a layer; every fault is listed.</exception>
    public static void Start(
        BertModel teacher, BertModel student, LayerMap map, PrincipalComponents components, IReadOnlyList<Tensor> hidden, PackedBatch teacherTexts, PackedBatch studentTexts, WorkerTeam? team = null, CancellationToken cancellation = default)
    {
        Check(teacher.Config, student.Config, map);
        using Tensor basis = new(teacher.Config.HiddenSize, student.Config.HiddenSize);
        components.Directions.CopyTo(basis.Span);
        using Tensor state = new(studentTexts.Tokens, student.Config.HiddenSize);
        using (Tape tape = new(recording: false, team))
        {
            student.Encoder.Embed(tape, studentTexts).Span.CopyTo(state.Span);
        }

        for (int m = 1; m <= student.Config.LayerCount; m++)
        {
            cancellation.ThrowIfCancellationRequested();
            using Tape tape = new(recording: false, team);
            Layer from = new(teacher, map.Pairs[m] - 1, tape, teacherTexts);
            Layer to = new(student, m - 1, tape, studentTexts);
            Tensor input = hidden[map.Pairs[m] - 1];

            Tensor queryKeyValue = from.QueryKeyValue(input);
            StartHeads(from, to, queryKeyValue, basis, tape);
            Tensor attended = from.Norm("attention.output", from.Linear("attention.output.dense", from.Context(queryKeyValue)), input);
            Tensor context = to.Context(to.QueryKeyValue(state));
            Tensor own = Fit(to, "attention.output", context, state, attended, basis, tape);

            StartNeurons(from, to, from.Linear("intermediate.dense", attended, from.Activation), basis, tape);
            Fit(to, "output", to.Linear("intermediate.dense", own, to.Activation), own, hidden[map.Pairs[m]], basis, tape).Span.CopyTo(state.Span);
            from.Forget();
            to.Forget();
        }
    }

    /// <summary>Refuses a student whose layers have no counterpart in the teacher.</summary>
    internal static void Check(BertConfig teacher, BertConfig student, LayerMap map) =>
        TeacherSlices.Refuse("the student's layers cannot start as the teacher's", TeacherSlices.Faults(teacher, student, map));

    /// <summary>Query, key, value and the output's columns, head by head.</summary>
    private static void StartHeads(Layer from, Layer to, Tensor queryKeyValue, Tensor basis, Tape tape)
    {
        int heads = from.Model.Config.HeadCount;
        int size = from.Model.Config.HiddenSize / heads;
        int kept = to.Model.Config.HiddenSize / heads;
        int all = from.Model.Config.HiddenSize;
        double[] moments = LeastSquares.Gram(queryKeyValue, tape);
        Matrix<double> Moment(int part, int head) => Matrix<double>.Build.Dense(
            size, size, (i, j) => moments[(((long)(part * all) + (head * size) + Math.Max(i, j)) * 3 * all) + (part * all) + (head * size) + Math.Min(i, j)] / queryKeyValue.Rows);

        double scale = Math.Pow((double)kept / size, 0.25);
        Matrix<double> output = LeastSquares.Rows(LeastSquares.Product(basis, true, from["attention.output.dense.weight"].Value, tape)); // P^T W_o: [d', d]
        Matrix<double> toOutput = Matrix<double>.Build.Dense(to.Model.Config.HiddenSize, heads * kept);
        (Matrix<double> query, Matrix<double> key, Matrix<double> value) = (Weights("query"), Weights("key"), Weights("value"));
        Matrix<double> Weights(string name) => Augmented(LeastSquares.Rows(LeastSquares.Product(from[$"attention.self.{name}.weight"].Value, false, basis, tape)), from[$"attention.self.{name}.bias"].Value);
        for (int head = 0; head < heads; head++)
        {
            (Matrix<double> rootQ, Matrix<double> inverseQ) = Roots(Moment(0, head));
            (Matrix<double> rootK, _) = Roots(Moment(1, head));
            Svd<double> scores = (rootQ * rootK).Svd();
            bool silent = !(scores.S[0] > Silent);
            Matrix<double> leading = scores.U.SubMatrix(0, size, 0, kept).Transpose();
            Vector<double> strength = scores.S.SubVector(0, kept).Map(s => Math.Sqrt(Math.Max(s, Rank * scores.S[0])));
            Put(to, "query", head, kept, scale * DiagonalTimes(strength, leading * inverseQ) * query.SubMatrix(head * size, size, 0, query.ColumnCount));
            Put(to, "key", head, kept, scale * DiagonalTimes(strength.Map(s => silent ? 0 : 1 / s), leading * rootQ) * key.SubMatrix(head * size, size, 0, key.ColumnCount));

            (Matrix<double> rootV, Matrix<double> inverseV) = Roots(Moment(2, head));
            Matrix<double> writes = output.SubMatrix(0, output.RowCount, head * size, size);
            Svd<double> values = (writes * rootV).Svd();
            Matrix<double> directions = values.VT.SubMatrix(0, kept, 0, size);
            Matrix<double> own = value.SubMatrix(head * size, size, 0, value.ColumnCount);
            Put(to, "value", head, kept, directions * inverseV * own);
            toOutput.SetSubMatrix(0, head * kept, writes * rootV * directions.Transpose());
        }

        LeastSquares.Write(to["attention.output.dense.weight"], toOutput);
        LeastSquares.Write(to["attention.output.dense.bias"], Vector(LeastSquares.Product(from["attention.output.dense.bias"].Value, false, basis, tape, 1)));
    }

    /// <summary>The neurons that write most into the student's directions, in the teacher's order.</summary>
    private static void StartNeurons(Layer from, Layer to, Tensor neurons, Tensor basis, Tape tape)
    {
        Matrix<double> reads = Augmented(LeastSquares.Rows(LeastSquares.Product(from["intermediate.dense.weight"].Value, false, basis, tape)), from["intermediate.dense.bias"].Value);
        Matrix<double> writes = LeastSquares.Rows(LeastSquares.Product(basis, true, from["output.dense.weight"].Value, tape)); // [d', f]
        double[] square = new double[neurons.Columns];
        for (int t = 0; t < neurons.Rows; t++)
        {
            Span<float> row = neurons.Row(t);
            for (int i = 0; i < square.Length; i++)
            {
                square[i] += (double)row[i] * row[i];
            }
        }

        int kept = to.Model.Config.IntermediateSize;
        int[] chosen = [.. Enumerable.Range(0, square.Length).OrderByDescending(i => square[i] * writes.Column(i).DotProduct(writes.Column(i))).ThenBy(i => i).Take(kept).Order()];
        Matrix<double> rows = Matrix<double>.Build.DenseOfRowVectors(chosen.Select(reads.Row));
        LeastSquares.Write(to["intermediate.dense.weight"], rows.SubMatrix(0, kept, 0, rows.ColumnCount - 1));
        LeastSquares.Write(to["intermediate.dense.bias"], rows.Column(rows.ColumnCount - 1));
        LeastSquares.Write(to["output.dense.weight"], Matrix<double>.Build.DenseOfColumnVectors(chosen.Select(writes.Column)));
        LeastSquares.Write(to["output.dense.bias"], Vector(LeastSquares.Product(from["output.dense.bias"].Value, false, basis, tape, 1)));
    }

    /// <summary>Refits the product that writes into a residual sum, then its layer norm; gives the norm's output.</summary>
    /// <param name="layer">The student's.</param>
    /// <param name="part">attention.output or output.</param>
    /// <param name="features">What the product reads: [T, k].</param>
    /// <param name="residual">What it is added to: [T, d'].</param>
    /// <param name="target">The teacher's normalised state: [T, d].</param>
    /// <param name="basis">P.</param>
    /// <param name="tape">Where to compute.</param>
    private static Tensor Fit(Layer layer, string part, Tensor features, Tensor residual, Tensor target, Tensor basis, Tape tape)
    {
        Tensor wanted = LeastSquares.Product(target, false, basis, tape); // [T, d']
        Tensor first = tape.Add(layer.Linear($"{part}.dense", features), residual);

        // The norm takes any factor away, so the sum aims at the factor that it is nearest to already.
        double factor = Dot(first, wanted) / Dot(wanted, wanted);
        Tensor missing = tape.Subtract(tape.Scale(wanted, (float)factor), first);
        (Matrix<double> change, Vector<double> shift) = LeastSquares.Fit(features, missing, Ridge, tape);
        LeastSquares.Add(layer[$"{part}.dense.weight"], change.Transpose());
        LeastSquares.Add(layer[$"{part}.dense.bias"], shift);

        Tensor sum = tape.Add(layer.Linear($"{part}.dense", features), residual);
        FitNorm(layer, part, sum, wanted);
        return layer.Norm(part, sum, null);
    }

    /// <summary>The weight and bias of each unit that bring the normalised sum nearest to what is wanted.</summary>
    private static void FitNorm(Layer layer, string part, Tensor sum, Tensor wanted)
    {
        int units = sum.Columns;
        double[] x = new double[units];
        double[] y = new double[units];
        double[] xx = new double[units];
        double[] xy = new double[units];
        for (int t = 0; t < sum.Rows; t++)
        {
            Span<float> row = sum.Row(t);
            Span<float> aim = wanted.Row(t);
            (double mean, double deviation) = PrincipalComponents.Moments(row, layer.Model.Config.LayerNormEpsilon);
            for (int i = 0; i < units; i++)
            {
                double normal = (row[i] - mean) / deviation;
                x[i] += normal;
                y[i] += aim[i];
                xx[i] += normal * normal;
                xy[i] += normal * aim[i];
            }
        }

        Span<float> weight = layer[$"{part}.LayerNorm.weight"].Value.Span;
        Span<float> bias = layer[$"{part}.LayerNorm.bias"].Value.Span;
        for (int i = 0; i < units; i++)
        {
            double spread = xx[i] - (x[i] * x[i] / sum.Rows);
            double slope = spread > Still * xx[i] ? (xy[i] - (x[i] * y[i] / sum.Rows)) / spread : 0;
            weight[i] = (float)slope;
            bias[i] = (float)((y[i] - (slope * x[i])) / sum.Rows);
        }

        layer[$"{part}.LayerNorm.weight"].Changed();
        layer[$"{part}.LayerNorm.bias"].Changed();
    }

    private static void Put(Layer layer, string name, int head, int rows, Matrix<double> values)
    {
        Parameter weight = layer[$"attention.self.{name}.weight"];
        Parameter bias = layer[$"attention.self.{name}.bias"];
        for (int i = 0; i < rows; i++)
        {
            Span<float> row = weight.Value.Row((head * rows) + i);
            for (int j = 0; j < row.Length; j++)
            {
                row[j] = (float)values[i, j];
            }

            bias.Value.Span[(head * rows) + i] = (float)values[i, row.Length];
        }

        weight.Changed();
        bias.Changed();
    }

    /// <summary>C^1/2 and C^-1/2 of a matrix of second moments.</summary>
    private static (Matrix<double> Root, Matrix<double> Inverse) Roots(Matrix<double> moments)
    {
        Evd<double> parts = moments.Evd(Symmetricity.Symmetric);
        double largest = parts.EigenValues.Max(value => value.Real);
        Vector<double> roots = parts.EigenValues.Map(value => Math.Sqrt(Math.Max(value.Real, Math.Max(Rank * largest, double.Epsilon))));
        Matrix<double> vectors = parts.EigenVectors;
        return (vectors * DiagonalTimes(roots, vectors.Transpose()), vectors * DiagonalTimes(roots.Map(root => 1 / root), vectors.Transpose()));
    }

    private static Matrix<double> DiagonalTimes(Vector<double> diagonal, Matrix<double> matrix) => matrix.MapIndexed((i, _, value) => diagonal[i] * value);

    private static Matrix<double> Augmented(Matrix<double> weights, Tensor bias) => weights.InsertColumn(weights.ColumnCount, Vector(bias));

    private static Vector<double> Vector(Tensor tensor) => Vector<double>.Build.Dense((int)tensor.Length, i => tensor.Span[i]);

    private static double Dot(Tensor a, Tensor b)
    {
        double sum = 0;
        for (int t = 0; t < a.Rows; t++)
        {
            Span<float> x = a.Row(t);
            Span<float> y = b.Row(t);
            for (int i = 0; i < x.Length; i++)
            {
                sum += (double)x[i] * y[i];
            }
        }

        return sum;
    }

    /// <summary>One layer of a model, taken apart.</summary>
    private sealed class Layer(BertModel model, int index, Tape tape, PackedBatch texts)
    {
        private static readonly string[] Names = ["query", "key", "value"];

        public BertModel Model => model;

        public Activation Activation => model.Config.HiddenActivation == "relu" ? Activation.Relu : Activation.Gelu;

        public Parameter this[string name] => model[$"bert.encoder.layer.{index}.{name}"];

        public Tensor Linear(string name, Tensor input, Activation activation = Activation.None) => tape.Linear(input, this[$"{name}.weight"], this[$"{name}.bias"], activation);

        public Tensor QueryKeyValue(Tensor input) => tape.Concatenate([.. Names.Select(name => Linear($"attention.self.{name}", input))]);

        /// <summary>Drops the parts' packed copies: models run query, key and value as one.</summary>
        public void Forget()
        {
            foreach (string name in Names)
            {
                this[$"attention.self.{name}.weight"].Changed();
            }
        }

        public Tensor Context(Tensor queryKeyValue) => tape.Attention(queryKeyValue, texts, model.Config.HeadCount).Context;

        public Tensor Norm(string part, Tensor input, Tensor? residual) => tape.LayerNorm(input, residual, this[$"{part}.LayerNorm.weight"], this[$"{part}.LayerNorm.bias"], model.Config.LayerNormEpsilon);
    }
}
