using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Memory;
using Limbeck.Tensors.Threading;
using Limbeck.Training.Compression;
using Limbeck.Training.Data;

namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>
/// Measures how far a student's layers are from its teacher's on the same tokens, by measures that need no projection and so work for any two widths.
/// </summary>
/// <remarks>
/// Hidden states: 1 - CKA with the linear kernel (Kornblith et al., "Similarity of Neural Network Representations Revisited", arXiv:1905.00414, section 3), where the
/// Hilbert-Schmidt independence criterion is estimated without bias (Song et al., JMLR 13, 2012; used so by Nguyen et al., arXiv:2010.15327): the plain estimate calls
/// unrelated layers alike when tokens are not many times more than units.
/// Attention: the Kullback-Leibler divergence of the student's attention rows from the teacher's, KL(teacher || student), in nats; mean over rows and heads.
/// </remarks>
public static unsafe class LayerDistances
{
    /// <summary>Rows compared on at most.</summary>
    public const int MostRows = 64;

    /// <summary>Tokens compared on at most.</summary>
    public const int MostTokens = 1536;

    /// <summary>The least number of tokens that the estimate is defined for.</summary>
    private const int LeastTokens = 4;

    /// <summary>Measures all pairs of a layer map.</summary>
    /// <param name="student">The student's encoder.</param>
    /// <param name="studentRows">Rows as the student's tokenizer sees them.</param>
    /// <param name="teacher">The teacher's encoder.</param>
    /// <param name="teacherRows">The same rows as the teacher's tokenizer sees them; rows that it cuts into another number of tokens are left out.</param>
    /// <param name="map">Which layers belong together.</param>
    /// <param name="team">The threads to compute on.</param>
    /// <returns>The distances, or null when there are too few rows that both cut alike.</returns>
    public static ReportLayers? Measure(BertEncoder student, EncodedDataset studentRows, BertEncoder teacher, EncodedDataset teacherRows, LayerMap map, WorkerTeam team)
    {
        ArgumentNullException.ThrowIfNull(student);
        ArgumentNullException.ThrowIfNull(studentRows);
        ArgumentNullException.ThrowIfNull(teacher);
        ArgumentNullException.ThrowIfNull(teacherRows);
        ArgumentNullException.ThrowIfNull(map);
        int[] rows = Choose(studentRows, teacherRows);
        PackedBatch own = studentRows.Pack(rows);
        if (own.Tokens < LeastTokens)
        {
            return null;
        }

        bool heads = student.Config.HeadCount == teacher.Config.HeadCount;
        HashSet<int> wanted = [.. map.Pairs.Values];
        using Tape ours = new(recording: false, team);
        using Tape theirs = new(recording: false, team);
        BertOutput a = student.Forward(ours, own, withHidden: true, layer => heads && map.Pairs.ContainsKey(layer + 1));
        BertOutput b = teacher.Forward(theirs, teacherRows.Pack(rows), withHidden: true, layer => heads && wanted.Contains(layer + 1));
        List<ReportLayer> pairs = [];
        foreach ((int m, int n) in map.Pairs)
        {
            double? attention = heads && m > 0 ? Divergence(a.Scores[m - 1]!, b.Scores[n - 1]!, own, student.Config.HeadCount) : null;
            pairs.Add(new ReportLayer(m, n, Distance(a.Hidden[m], b.Hidden[n], team), attention));
        }

        return new ReportLayers(studentRows.Source.Name, rows.Length, own.Tokens, pairs);
    }

    /// <summary>1 - CKA of two matrices with a row a token, held to 0 .. 1, which the unbiased estimate may leave by its noise; null when one of them does not vary.</summary>
    /// <param name="x">[T, d].</param>
    /// <param name="y">[T, e].</param>
    /// <param name="team">The threads to compute on.</param>
    public static double? Distance(Tensor x, Tensor y, WorkerTeam team)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(y);
        using Centred a = new(x);
        using Centred b = new(y);
        double cross = Criterion(a, b, team);
        double own = Criterion(a, a, team) * Criterion(b, b, team);
        return own > 0 ? Math.Clamp(1 - (cross / Math.Sqrt(own)), 0, 1) : null;
    }

    /// <summary>Rows at equal distances over the whole set, as many as the limits allow, of those that both tokenizers cut alike.</summary>
    private static int[] Choose(EncodedDataset student, EncodedDataset teacher)
    {
        int[] alike = [.. Enumerable.Range(0, Math.Min(student.Count, teacher.Count)).Where(row => student.Lengths[row] == teacher.Lengths[row])];
        int count = Math.Min(MostRows, alike.Length);
        List<int> rows = [];
        int tokens = 0;
        for (int i = 0; i < count; i++)
        {
            int row = alike[(int)((long)i * alike.Length / count)];
            tokens += student.Lengths[row];
            if (rows.Count > 0 && tokens > MostTokens)
            {
                break;
            }

            rows.Add(row);
        }

        return [.. rows];
    }

    /// <summary>
    /// The estimate of Song et al. for linear kernels of centred columns: the kernels' rows then sum to 0, so that with a_i and b_i the squared lengths of row i
    /// n(n-3) HSIC = |X^T Y|^2 - sum a_i b_i + (sum a_i)(sum b_i) / ((n-1)(n-2)) - 2 / (n-2) sum a_i b_i.
    /// </summary>
    private static double Criterion(Centred x, Centred y, WorkerTeam team)
    {
        double n = x.Rows;
        using NativeBuffer product = new((long)x.Columns * y.Columns);
        Gemm.Multiply(
            transposeA: true, transposeB: false, x.Columns, y.Columns, x.Rows, x.Pointer, x.Columns, y.Pointer, y.Columns, product.Pointer, y.Columns,
            accumulate: false, default, team);
        double squares = 0;
        foreach (float value in new ReadOnlySpan<float>(product.Pointer, x.Columns * y.Columns))
        {
            squares += (double)value * value;
        }

        double together = 0;
        for (int i = 0; i < x.Rows; i++)
        {
            together += x.SquaredLengths[i] * y.SquaredLengths[i];
        }

        double sums = x.SquaredLengths.Sum() * y.SquaredLengths.Sum() / ((n - 1) * (n - 2));
        return (squares - together + sums - (2 / (n - 2) * together)) / (n * (n - 3));
    }

    /// <summary>Mean over all attention rows of KL(teacher || student).</summary>
    private static double Divergence(Tensor student, Tensor teacher, PackedBatch batch, int heads)
    {
        ReadOnlySpan<float> s = student.Span;
        ReadOnlySpan<float> t = teacher.Span;
        double sum = 0;
        long count = 0;
        int at = 0;
        for (int sequence = 0; sequence < batch.Sequences; sequence++)
        {
            int length = batch.LengthOf(sequence);
            for (int row = 0; row < heads * length; row++)
            {
                sum += Divergence(s.Slice(at, length), t.Slice(at, length));
                at += length;
                count++;
            }
        }

        return Math.Max(0, sum / count);
    }

    private static double Divergence(ReadOnlySpan<float> student, ReadOnlySpan<float> teacher)
    {
        double logStudent = LogSum(student);
        double logTeacher = LogSum(teacher);
        double sum = 0;
        for (int i = 0; i < student.Length; i++)
        {
            double log = teacher[i] - logTeacher;
            sum += Math.Exp(log) * (log - (student[i] - logStudent));
        }

        return sum;
    }

    private static double LogSum(ReadOnlySpan<float> scores)
    {
        double largest = double.NegativeInfinity;
        foreach (float score in scores)
        {
            largest = Math.Max(largest, score);
        }

        double sum = 0;
        foreach (float score in scores)
        {
            sum += Math.Exp(score - largest);
        }

        return largest + Math.Log(sum);
    }

    /// <summary>A copy of a matrix without its columns' means.</summary>
    private sealed class Centred : IDisposable
    {
        private readonly NativeBuffer values;

        public Centred(Tensor source)
        {
            Rows = source.Rows;
            Columns = (int)(source.Length / source.Rows);
            values = new NativeBuffer(source.Length);
            double[] means = new double[Columns];
            for (int i = 0; i < Rows; i++)
            {
                ReadOnlySpan<float> row = source.Row(i);
                for (int j = 0; j < Columns; j++)
                {
                    means[j] += row[j] / (double)Rows;
                }
            }

            SquaredLengths = new double[Rows];
            for (int i = 0; i < Rows; i++)
            {
                ReadOnlySpan<float> row = source.Row(i);
                for (int j = 0; j < Columns; j++)
                {
                    float value = (float)(row[j] - means[j]);
                    Pointer[((long)i * Columns) + j] = value;
                    SquaredLengths[i] += (double)value * value;
                }
            }
        }

        public int Rows { get; }

        public int Columns { get; }

        public double[] SquaredLengths { get; }

        public float* Pointer => values.Pointer;

        public void Dispose() => values.Dispose();
    }
}
