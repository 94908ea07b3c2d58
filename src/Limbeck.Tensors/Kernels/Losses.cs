using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Kernels;

/// <summary>Losses over rows and their gradients. Each returns its value in double precision and, where a gradient is asked for, writes scale * d(value)/dz.</summary>
/// <remarks>Computed in double precision inside, since differences of nearly equal distributions are what distillation is about; rows of more than
/// <see cref="WideClasses"/> classes, vocabularies, take float32 lanes with sums in double precision. Maxima are subtracted, so logits of +-1e4 are fine.
/// The team defaults to <see cref="WorkerTeam.Default"/>; the same bits for any number of threads.</remarks>
public static unsafe partial class Losses
{
    /// <summary>The label of a row that does not count.</summary>
    public const int IgnoredLabel = -100;

    /// <summary>The most classes that are computed in double precision throughout.</summary>
    internal const int WideClasses = 1024;

    /// <summary>PyTorch's epsilon of CosineEmbeddingLoss, added to each squared norm.</summary>
    private const double CosineEpsilon = 1e-12;

    // Elements of the smallest part of a sum.
    private const int Part = 4096;

    /// <summary>-log softmax(z)[label], mean over the rows that count; 0 when none does.</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="classes">C.</param>
    /// <param name="logits">[rows, C].</param>
    /// <param name="labels">[rows], 0..C-1 or <see cref="IgnoredLabel"/>.</param>
    /// <param name="gradient">[rows, C], written (0 in rows that do not count); or null. May be <paramref name="logits"/>.</param>
    /// <param name="scale">Multiplies the gradient, not the value.</param>
    /// <param name="team">Threads.</param>
    public static double CrossEntropy(int rows, int classes, float* logits, int* labels, float* gradient, float scale, WorkerTeam? team = null)
    {
        int counted = 0;
        for (int r = 0; r < rows; r++)
        {
            counted += labels[r] == IgnoredLabel ? 0 : 1;
        }

        double share = 1.0 / Math.Max(1, counted);
        Call call = new() { Columns = classes, X = logits, Labels = labels, Gradient = gradient, GradientScale = scale * share };
        return share * FixedParts.Sum(rows, PartRows(classes), classes > WideClasses ? WideCrossEntropy : &CrossEntropyPart, &call, team ?? WorkerTeam.Default);
    }

    /// <summary>-sum over classes of softmax(z_T/T) log softmax(z_S/T), mean over rows: TinyBERT, arXiv:1909.10351v5, Eq. 10. No factor of T squared.</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="classes">C.</param>
    /// <param name="student">[rows, C], logits z_S.</param>
    /// <param name="teacher">[rows, C], logits z_T.</param>
    /// <param name="temperature">T, above 0.</param>
    /// <param name="meanOverClasses">Divide by C as well, as TinyBERT's code does.</param>
    /// <param name="gradient">[rows, C] with respect to the student, written; or null.</param>
    /// <param name="scale">Multiplies the gradient, not the value.</param>
    /// <param name="team">Threads.</param>
    public static double SoftCrossEntropy(
        int rows, int classes, float* student, float* teacher, float temperature, bool meanOverClasses, float* gradient, float scale, WorkerTeam? team = null) =>
        Distil(rows, classes, student, teacher, temperature, 1, meanOverClasses, classes > WideClasses ? WideDistil(false) : &SoftCrossEntropyPart, gradient, scale, team);

    /// <summary>T^2 KL(softmax(z_T/T) || softmax(z_S/T)), summed over classes, mean over rows: Hinton et al., arXiv:1503.02531v1; PyTorch's "batchmean".</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="classes">C.</param>
    /// <param name="student">[rows, C], logits z_S.</param>
    /// <param name="teacher">[rows, C], logits z_T.</param>
    /// <param name="temperature">T, above 0.</param>
    /// <param name="meanOverClasses">Divide by C as well, as PKD's code does.</param>
    /// <param name="gradient">[rows, C] with respect to the student, written; or null.</param>
    /// <param name="scale">Multiplies the gradient, not the value.</param>
    /// <param name="team">Threads.</param>
    public static double KnowledgeDistillation(
        int rows, int classes, float* student, float* teacher, float temperature, bool meanOverClasses, float* gradient, float scale, WorkerTeam? team = null) =>
        Distil(rows, classes, student, teacher, temperature, (double)temperature * temperature, meanOverClasses, classes > WideClasses ? WideDistil(true) : &DivergencePart, gradient, scale, team);

    /// <summary>KL(softmax(z_T) || softmax(z_S)), summed over classes, mean over rows.</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="classes">C.</param>
    /// <param name="student">[rows, C], logits z_S.</param>
    /// <param name="teacher">[rows, C], logits z_T.</param>
    /// <param name="gradient">[rows, C] with respect to the student, written; or null.</param>
    /// <param name="scale">Multiplies the gradient, not the value.</param>
    /// <param name="team">Threads.</param>
    public static double KullbackLeibler(int rows, int classes, float* student, float* teacher, float* gradient, float scale, WorkerTeam? team = null) =>
        Distil(rows, classes, student, teacher, 1, 1, false, classes > WideClasses ? WideDistil(true) : &DivergencePart, gradient, scale, team);

    /// <summary>(a - b)^2, mean over all elements.</summary>
    /// <param name="n">Number of elements.</param>
    /// <param name="a">[n], the student's.</param>
    /// <param name="b">[n], the target.</param>
    /// <param name="gradient">[n] with respect to a, written; or null. May be <paramref name="a"/>.</param>
    /// <param name="scale">Multiplies the gradient, not the value.</param>
    /// <param name="team">Threads.</param>
    public static double MeanSquaredError(long n, float* a, float* b, float* gradient, float scale, WorkerTeam? team = null)
    {
        Call call = new() { X = a, Y = b, Gradient = gradient, GradientScale = 2.0 * scale / Math.Max(1, n) };
        return FixedParts.Sum(n, Part, &SquaredErrorPart, &call, team ?? WorkerTeam.Default) / Math.Max(1, n);
    }

    /// <summary>1 - cos(a row, b row), mean over rows, cos = a.b / sqrt((|a|^2 + 1e-12)(|b|^2 + 1e-12)) as in PyTorch's CosineEmbeddingLoss: DistilBERT's code.</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="columns">H.</param>
    /// <param name="a">[rows, H], the student's.</param>
    /// <param name="b">[rows, H], the target.</param>
    /// <param name="gradient">[rows, H] with respect to a, written; or null. May be <paramref name="a"/>.</param>
    /// <param name="scale">Multiplies the gradient, not the value.</param>
    /// <param name="team">Threads.</param>
    public static double Cosine(int rows, int columns, float* a, float* b, float* gradient, float scale, WorkerTeam? team = null)
    {
        double share = 1.0 / Math.Max(1, rows);
        Call call = new() { Columns = columns, X = a, Y = b, Gradient = gradient, GradientScale = scale * share };
        return share * FixedParts.Sum(rows, PartRows(columns), &CosinePart, &call, team ?? WorkerTeam.Default);
    }

    private static double Distil(
        int rows,
        int classes,
        float* student,
        float* teacher,
        float temperature,
        double factor,
        bool meanOverClasses,
        delegate*<void*, long, long, double> part,
        float* gradient,
        float scale,
        WorkerTeam? team)
    {
        if (!(temperature > 0))
        {
            throw new ArgumentOutOfRangeException(nameof(temperature), temperature, "a distillation temperature must be above 0");
        }

        double share = factor / Math.Max(1, rows) / (meanOverClasses ? classes : 1);
        double inverse = 1.0 / temperature;
        Call call = new() { Columns = classes, X = student, Y = teacher, Inverse = inverse, Gradient = gradient, GradientScale = scale * share * inverse };
        return share * FixedParts.Sum(rows, PartRows(classes), part, &call, team ?? WorkerTeam.Default);
    }

    private static int PartRows(int columns) => Math.Max(1, Part / Math.Max(1, columns));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double CrossEntropyPart(void* state, long first, long count)
    {
        Call* call = (Call*)state;
        int classes = call->Columns;
        double loss = 0;
        for (long r = first; r < first + count; r++)
        {
            float* z = call->X + (r * classes);
            float* gradient = call->Gradient == null ? null : call->Gradient + (r * classes);
            int label = call->Labels[r];
            if (label == IgnoredLabel)
            {
                if (gradient != null)
                {
                    new Span<float>(gradient, classes).Clear();
                }

                continue;
            }

            // The exponentials wait in the gradient; the label's difference of nearly equal numbers is taken in double precision.
            float largest = Largest(z, classes);
            double atLabel = (double)z[label] - largest;
            double sum = SumExp(z, gradient, classes, largest, 1);
            atLabel -= Math.Log(sum);
            loss -= atLabel;
            if (gradient != null)
            {
                Scale(gradient, classes, (float)(call->GradientScale / sum));
                gradient[label] = (float)((Math.Exp(atLabel) - 1) * call->GradientScale);
            }
        }

        return loss;
    }

    private static double SoftCrossEntropyPart(void* state, long first, long count) => DistilPart((Call*)state, first, count, false);

    private static double DivergencePart(void* state, long first, long count) => DistilPart((Call*)state, first, count, true);

    // With s = z_S/T - log sum exp, t the same of the teacher: -sum exp(t) s, or sum exp(t) (t - s). The gradient is (exp(s) - exp(t)) / T for both.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double DistilPart(Call* call, long first, long count, bool divergence)
    {
        int classes = call->Columns;
        double inverse = call->Inverse;
        double loss = 0;
        for (long r = first; r < first + count; r++)
        {
            float* student = call->X + (r * classes);
            float* teacher = call->Y + (r * classes);
            float* gradient = call->Gradient == null ? null : call->Gradient + (r * classes);
            float studentLargest = Largest(student, classes);
            float teacherLargest = Largest(teacher, classes);
            double studentLog = Math.Log(SumExp(student, null, classes, studentLargest, inverse));
            double teacherLog = Math.Log(SumExp(teacher, null, classes, teacherLargest, inverse));
            Vector256<double> sum = default;
            for (int c = 0; c < classes; c += 4)
            {
                int lanes = Math.Min(4, classes - c);
                Vector256<double> s = LogProbability(Load(student + c, lanes), studentLargest, inverse, studentLog);
                Vector256<double> t = LogProbability(Load(teacher + c, lanes), teacherLargest, inverse, teacherLog);
                Vector256<double> p = Vector256.Exp(t);
                sum += Inside(lanes, p * (divergence ? t - s : -s));
                if (gradient != null)
                {
                    Store((Vector256.Exp(s) - p) * call->GradientScale, gradient + c, lanes);
                }
            }

            loss += Vector256.Sum(sum);
        }

        return loss;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double SquaredErrorPart(void* state, long first, long count)
    {
        Call* call = (Call*)state;
        Vector256<double> sum = default;
        for (long i = first; i < first + count; i += 4)
        {
            int lanes = (int)Math.Min(4, first + count - i);
            Vector256<double> difference = Load(call->X + i, lanes) - Load(call->Y + i, lanes);
            sum += difference * difference;
            if (call->Gradient != null)
            {
                Store(difference * call->GradientScale, call->Gradient + i, lanes);
            }
        }

        return Vector256.Sum(sum);
    }

    // With A = |a|^2 + e, B = |b|^2 + e, D = sqrt(A B): d cos / da = b / D - a (a.b) / (A D).
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double CosinePart(void* state, long first, long count)
    {
        Call* call = (Call*)state;
        int columns = call->Columns;
        double loss = 0;
        for (long r = first; r < first + count; r++)
        {
            float* a = call->X + (r * columns);
            float* b = call->Y + (r * columns);
            Vector256<double> dot = default;
            Vector256<double> squaresA = default;
            Vector256<double> squaresB = default;
            for (int c = 0; c < columns; c += 4)
            {
                int lanes = Math.Min(4, columns - c);
                Vector256<double> x = Load(a + c, lanes);
                Vector256<double> y = Load(b + c, lanes);
                dot += x * y;
                squaresA += x * x;
                squaresB += y * y;
            }

            double product = Vector256.Sum(dot);
            double normA = Vector256.Sum(squaresA) + CosineEpsilon;
            double both = Math.Sqrt(normA * (Vector256.Sum(squaresB) + CosineEpsilon));
            loss += 1 - (product / both);
            if (call->Gradient != null)
            {
                float* gradient = call->Gradient + (r * columns);
                Vector256<double> along = Vector256.Create(product / (normA * both) * call->GradientScale);
                Vector256<double> toward = Vector256.Create(-call->GradientScale / both);
                for (int c = 0; c < columns; c += 4)
                {
                    int lanes = Math.Min(4, columns - c);
                    Store((Load(a + c, lanes) * along) + (Load(b + c, lanes) * toward), gradient + c, lanes);
                }
            }
        }

        return loss;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Largest(float* z, int classes)
    {
        float largest = float.NegativeInfinity;
        int c = 0;
        if (classes >= 8)
        {
            Vector256<float> lanes = Vector256.Load(z);
            for (c = 8; c <= classes - 8; c += 8)
            {
                lanes = Vector256.Max(lanes, Vector256.Load(z + c));
            }

            for (int i = 0; i < 8; i++)
            {
                largest = Math.Max(largest, lanes.GetElement(i));
            }
        }

        for (; c < classes; c++)
        {
            largest = Math.Max(largest, z[c]);
        }

        return largest;
    }

    /// <summary>The sum of exp((z - largest) * inverse), which is also written to <paramref name="exponentials"/> unless that is null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double SumExp(float* z, float* exponentials, int classes, float largest, double inverse)
    {
        Vector256<double> sum = default;
        for (int c = 0; c < classes; c += 4)
        {
            int lanes = Math.Min(4, classes - c);
            Vector256<double> e = Vector256.Exp((Load(z + c, lanes) - Vector256.Create((double)largest)) * inverse);
            sum += Inside(lanes, e);
            if (exponentials != null)
            {
                Store(e, exponentials + c, lanes);
            }
        }

        return Vector256.Sum(sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scale(float* x, int n, float factor)
    {
        int i = 0;
        for (; i <= n - 8; i += 8)
        {
            (Vector256.Load(x + i) * factor).Store(x + i);
        }

        for (; i < n; i++)
        {
            x[i] *= factor;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> LogProbability(Vector256<double> z, float largest, double inverse, double logSum) =>
        ((z - Vector256.Create((double)largest)) * inverse) - Vector256.Create(logSum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> Load(float* source, int lanes)
    {
        if (lanes == 4)
        {
            Vector128<float> four = Vector128.Load(source);
            return Vector256.Create(Vector128.WidenLower(four), Vector128.WidenUpper(four));
        }

        return Vector256.Create(source[0], lanes > 1 ? source[1] : 0.0, lanes > 2 ? source[2] : 0.0, 0.0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector256<double> value, float* destination, int lanes)
    {
        if (lanes == 4)
        {
            Vector128.Narrow(value.GetLower(), value.GetUpper()).Store(destination);
            return;
        }

        for (int i = 0; i < lanes; i++)
        {
            destination[i] = (float)value.GetElement(i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> Inside(int lanes, Vector256<double> value) =>
        lanes == 4 ? value : Vector256.ConditionalSelect(Vector256.LessThan(Vector256<long>.Indices, Vector256.Create((long)lanes)).AsDouble(), value, Vector256<double>.Zero);

    private struct Call
    {
        public int Columns;
        public float* X;
        public float* Y;
        public int* Labels;
        public double Inverse;
        public float* Gradient;
        public double GradientScale;
    }
}
