using System.Runtime.CompilerServices;

namespace Limbeck.Tensors.Kernels;

// Losses over a vocabulary: float32 lanes, and sums that are folded into double precision before they are long enough to lose digits. A row stays in the
// second-level cache between its passes, so memory is read once and written once.
public static unsafe partial class Losses
{
    // Vectors that one chain sums before it is folded into the total.
    private const int Folded = 64;

    private static delegate*<void*, long, long, double> WideCrossEntropy => Cpu.Tier switch
    {
        CpuTier.Avx512 => &WideCrossEntropyPart<Lanes16>,
        CpuTier.Avx2 => &WideCrossEntropyPart<Lanes8>,
        _ => &WideCrossEntropyPart<Lanes4>,
    };

    private static delegate*<void*, long, long, double> WideDistil(bool divergence) => (Cpu.Tier, divergence) switch
    {
        (CpuTier.Avx512, true) => &WideDivergencePart<Lanes16>,
        (CpuTier.Avx512, false) => &WideSoftCrossEntropyPart<Lanes16>,
        (CpuTier.Avx2, true) => &WideDivergencePart<Lanes8>,
        (CpuTier.Avx2, false) => &WideSoftCrossEntropyPart<Lanes8>,
        (_, true) => &WideDivergencePart<Lanes4>,
        (_, false) => &WideSoftCrossEntropyPart<Lanes4>,
    };

    private static double WideSoftCrossEntropyPart<V>(void* state, long first, long count)
        where V : struct, ILanes<V> => WideDistilPart<V>((Call*)state, first, count, false);

    private static double WideDivergencePart<V>(void* state, long first, long count)
        where V : struct, ILanes<V> => WideDistilPart<V>((Call*)state, first, count, true);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double WideCrossEntropyPart<V>(void* state, long first, long count)
        where V : struct, ILanes<V>
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
            float largest = WideLargest<V>(z, classes);
            double atLabel = (double)z[label] - largest;
            double sum = WideSumExp<V>(z, gradient, classes, largest, 1f);
            atLabel -= Math.Log(sum);
            loss -= atLabel;
            if (gradient != null)
            {
                WideScale<V>(gradient, classes, (float)(call->GradientScale / sum));
                gradient[label] = (float)((Math.Exp(atLabel) - 1) * call->GradientScale);
            }
        }

        return loss;
    }

    // As DistilPart, but each probability is an exponential over its sum and the logarithms join at the end in double precision: their rounding goes nowhere.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double WideDistilPart<V>(Call* call, long first, long count, bool divergence)
        where V : struct, ILanes<V>
    {
        int classes = call->Columns;
        float inverse = (float)call->Inverse;
        double loss = 0;
        for (long r = first; r < first + count; r++)
        {
            float* student = call->X + (r * classes);
            float* teacher = call->Y + (r * classes);
            float* gradient = call->Gradient == null ? null : call->Gradient + (r * classes);
            float studentLargest = WideLargest<V>(student, classes);
            float teacherLargest = WideLargest<V>(teacher, classes);
            double studentSum = WideSumExp<V>(student, null, classes, studentLargest, inverse);
            double teacherSum = WideSumExp<V>(teacher, null, classes, teacherLargest, inverse);
            Row<V> row = new()
            {
                StudentTop = V.Create(studentLargest),
                TeacherTop = V.Create(teacherLargest),
                StudentShare = V.Create((float)(1 / studentSum)),
                TeacherShare = V.Create((float)(1 / teacherSum)),
                Factor = V.Create(inverse),
                Scale = V.Create((float)call->GradientScale),
                Divergence = divergence,
            };
            double total = 0;
            V sum = V.Zero;
            int steps = 0;
            int c = 0;
            for (; c <= classes - V.Count; c += V.Count)
            {
                if (++steps % Folded == 0)
                {
                    total += V.Sum(sum);
                    sum = V.Zero;
                }

                sum += row.Term(V.Load(student + c), V.Load(teacher + c), out V slope);
                if (gradient != null)
                {
                    V.Store(slope, gradient + c);
                }
            }

            if (c < classes)
            {
                int lanes = classes - c;
                V term = row.Term(V.Load(student + c, lanes), V.Load(teacher + c, lanes), out V slope);
                sum += V.And(V.LessThanInt(V.Sequence(0), V.CreateBits(lanes)), term);
                if (gradient != null)
                {
                    V.Store(slope, gradient + c, lanes);
                }
            }

            loss += total + V.Sum(sum) + Math.Log(studentSum) - (divergence ? Math.Log(teacherSum) : 0);
        }

        return loss;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float WideLargest<V>(float* z, int classes)
        where V : struct, ILanes<V>
    {
        V a = V.Load(z);
        V b = a;
        V c = a;
        V d = a;
        int i = 0;
        for (; i <= classes - (4 * V.Count); i += 4 * V.Count)
        {
            a = V.Max(a, V.Load(z + i));
            b = V.Max(b, V.Load(z + i + V.Count));
            c = V.Max(c, V.Load(z + i + (2 * V.Count)));
            d = V.Max(d, V.Load(z + i + (3 * V.Count)));
        }

        for (; i <= classes - V.Count; i += V.Count)
        {
            a = V.Max(a, V.Load(z + i));
        }

        // A row is longer than a vector: the last one may overlap.
        a = V.Max(a, V.Load(z + classes - V.Count));
        return V.MaxAcross(V.Max(V.Max(a, b), V.Max(c, d)));
    }

    /// <summary>The sum of exp((z - largest) * inverse), which is also written to <paramref name="exponentials"/> unless that is null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double WideSumExp<V>(float* z, float* exponentials, int classes, float largest, float inverse)
        where V : struct, ILanes<V>
    {
        V top = V.Create(largest);
        V factor = V.Create(inverse);
        double total = 0;
        V a = V.Zero;
        V b = V.Zero;
        int steps = 0;
        int c = 0;
        for (; c <= classes - (2 * V.Count); c += 2 * V.Count)
        {
            if (++steps % Folded == 0)
            {
                total += V.Sum(a + b);
                a = V.Zero;
                b = V.Zero;
            }

            V x = VectorMath.ExpNonPositive((V.Load(z + c) - top) * factor);
            V y = VectorMath.ExpNonPositive((V.Load(z + c + V.Count) - top) * factor);
            a += x;
            b += y;
            if (exponentials != null)
            {
                V.Store(x, exponentials + c);
                V.Store(y, exponentials + c + V.Count);
            }
        }

        for (; c < classes; c += V.Count)
        {
            int lanes = Math.Min(V.Count, classes - c);
            V x = V.And(V.LessThanInt(V.Sequence(0), V.CreateBits(lanes)), VectorMath.ExpNonPositive((V.Load(z + c, lanes) - top) * factor));
            a += x;
            if (exponentials != null)
            {
                V.Store(x, exponentials + c, lanes);
            }
        }

        return total + V.Sum(a + b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WideScale<V>(float* x, int n, float factor)
        where V : struct, ILanes<V>
    {
        V f = V.Create(factor);
        int i = 0;
        for (; i <= n - V.Count; i += V.Count)
        {
            V.Store(V.Load(x + i) * f, x + i);
        }

        if (i < n)
        {
            V.Store(V.Load(x + i, n - i) * f, x + i, n - i);
        }
    }

    /// <summary>What the elements of a row have in common.</summary>
    private struct Row<V>
        where V : struct, ILanes<V>
    {
        public V StudentTop;
        public V TeacherTop;
        public V StudentShare;
        public V TeacherShare;
        public V Factor;
        public V Scale;
        public bool Divergence;

        /// <summary>p (t - s) or -p s, without the logarithms, and the gradient.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly V Term(V student, V teacher, out V slope)
        {
            V s = (student - StudentTop) * Factor;
            V t = (teacher - TeacherTop) * Factor;
            V p = VectorMath.ExpNonPositive(t) * TeacherShare;
            slope = ((VectorMath.ExpNonPositive(s) * StudentShare) - p) * Scale;
            return p * (Divergence ? t - s : V.Zero - s);
        }
    }
}
