using System.Runtime.InteropServices;

namespace Limbeck.Training.Metrics;

/// <summary>The metrics of GLUE in double precision, equal to scikit-learn's and SciPy's where those are exact.</summary>
/// <remarks>Every method needs two spans of one length, of at least one element, and throws <see cref="ArgumentException"/> with both lengths otherwise.</remarks>
public static class Scores
{
    /// <summary>The share of rows where label and prediction agree, 0 to 1.</summary>
    /// <param name="labels">[n] class indices.</param>
    /// <param name="predictions">[n] class indices.</param>
    public static double Accuracy(ReadOnlySpan<int> labels, ReadOnlySpan<int> predictions)
    {
        Check(labels.Length, predictions.Length);
        int right = 0;
        for (int i = 0; i < labels.Length; i++)
        {
            right += labels[i] == predictions[i] ? 1 : 0;
        }

        return (double)right / labels.Length;
    }

    /// <summary>F1 of class 1 against class 0: 2 tp / (labelled + predicted positive); 0 when nothing is positive in either.</summary>
    /// <param name="labels">[n] zeros and ones.</param>
    /// <param name="predictions">[n] zeros and ones.</param>
    /// <returns>0 to 1; NaN when a label or prediction is neither 0 nor 1.</returns>
    public static double F1Binary(ReadOnlySpan<int> labels, ReadOnlySpan<int> predictions)
    {
        Check(labels.Length, predictions.Length);
        int both = 0;
        int either = 0;
        for (int i = 0; i < labels.Length; i++)
        {
            if ((uint)labels[i] > 1 || (uint)predictions[i] > 1)
            {
                return double.NaN;
            }

            both += labels[i] & predictions[i];
            either += labels[i] + predictions[i];
        }

        return either == 0 ? 0 : 2.0 * both / either;
    }

    /// <summary>The plain mean of each class's F1, over the classes that occur in labels or predictions (not over all that a task has).</summary>
    /// <param name="labels">[n] class indices; any integers.</param>
    /// <param name="predictions">[n] class indices; any integers.</param>
    public static double F1Macro(ReadOnlySpan<int> labels, ReadOnlySpan<int> predictions)
    {
        List<ClassCount> counts = CountClasses(labels, predictions);
        double sum = 0;
        foreach (ClassCount c in counts)
        {
            sum += 2.0 * c.Right / (c.Labelled + c.Predicted);
        }

        return sum / counts.Count;
    }

    /// <summary>Matthews correlation, for any number of classes Gorodkin's R_K; 0 when labels or predictions are all of one class.</summary>
    /// <param name="labels">[n] class indices; any integers.</param>
    /// <param name="predictions">[n] class indices; any integers.</param>
    /// <returns>-1 to 1.</returns>
    public static double Matthews(ReadOnlySpan<int> labels, ReadOnlySpan<int> predictions)
    {
        double n = labels.Length;
        double right = 0, cross = 0, labelled = 0, predicted = 0;
        foreach (ClassCount c in CountClasses(labels, predictions))
        {
            // Doubles: the products of counts are exact to 2^53, where integers of 32 bits overflow near 430 rows.
            right += c.Right;
            cross += (double)c.Labelled * c.Predicted;
            labelled += (double)c.Labelled * c.Labelled;
            predicted += (double)c.Predicted * c.Predicted;
        }

        double spread = ((n * n) - labelled) * ((n * n) - predicted);
        return spread == 0 ? 0 : Math.Clamp(((n * right) - cross) / Math.Sqrt(spread), -1, 1);
    }

    /// <summary>Pearson's correlation.</summary>
    /// <param name="x">[n] numbers of any size and offset.</param>
    /// <param name="y">[n] numbers of any size and offset.</param>
    /// <returns>-1 to 1; NaN where undefined: one element, all of a side equal, or a number not finite.</returns>
    /// <remarks>
    /// Each side is scaled by a power of two, its mean (a compensated sum) taken off twice, and the deviations scaled again,
    /// so offsets of 1e10 and magnitudes of 1e-200 or 1e200 cost no digits.
    /// </remarks>
    public static double Pearson(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        Check(x.Length, y.Length);
        if (IsUndefined(x) || IsUndefined(y))
        {
            return double.NaN;
        }

        double[] dx = Deviations(x);
        double[] dy = Deviations(y);
        CompensatedSum xy = default, xx = default, yy = default;
        for (int i = 0; i < dx.Length; i++)
        {
            xy.Add(dx[i] * dy[i]);
            xx.Add(dx[i] * dx[i]);
            yy.Add(dy[i] * dy[i]);
        }

        return Math.Clamp(xy.Value / (Math.Sqrt(xx.Value) * Math.Sqrt(yy.Value)), -1, 1);
    }

    /// <summary>Spearman's correlation: Pearson's of the ranks, equal numbers sharing the mean of their ranks.</summary>
    /// <param name="x">[n] numbers.</param>
    /// <param name="y">[n] numbers.</param>
    /// <returns>-1 to 1; NaN where <see cref="Pearson"/> is.</returns>
    public static double Spearman(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        Check(x.Length, y.Length);
        return HasNaN(x) || HasNaN(y) ? double.NaN : Pearson(Ranks(x), Ranks(y));
    }

    private static void Check(int labels, int predictions)
    {
        if (labels != predictions || labels == 0)
        {
            throw new ArgumentException($"a metric needs as many predictions as labels, and at least one; got {labels} labels and {predictions} predictions");
        }
    }

    private static List<ClassCount> CountClasses(ReadOnlySpan<int> labels, ReadOnlySpan<int> predictions)
    {
        Check(labels.Length, predictions.Length);
        Dictionary<int, int> places = [];
        List<ClassCount> counts = [];
        for (int i = 0; i < labels.Length; i++)
        {
            int label = Place(labels[i]);
            int prediction = Place(predictions[i]);
            Span<ClassCount> c = CollectionsMarshal.AsSpan(counts);
            c[label].Labelled++;
            c[prediction].Predicted++;
            c[label].Right += label == prediction ? 1 : 0;
        }

        return counts;

        int Place(int value)
        {
            if (!places.TryGetValue(value, out int place))
            {
                places.Add(value, place = counts.Count);
                counts.Add(default);
            }

            return place;
        }
    }

    private static bool HasNaN(ReadOnlySpan<double> values)
    {
        foreach (double v in values)
        {
            if (double.IsNaN(v))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>All equal (which covers one element), or not all finite. Not a test of the variance, which rounding can make positive.</summary>
    private static bool IsUndefined(ReadOnlySpan<double> values)
    {
        bool equal = true;
        foreach (double v in values)
        {
            if (!double.IsFinite(v))
            {
                return true;
            }

            equal &= v == values[0];
        }

        return equal;
    }

    /// <summary>Deviations from the mean, times a power of two that brings the largest near 1.</summary>
    private static double[] Deviations(ReadOnlySpan<double> values)
    {
        double[] d = values.ToArray();
        ScaleToOne(d);
        for (int pass = 0; pass < 2; pass++)
        {
            CompensatedSum sum = default;
            foreach (double v in d)
            {
                sum.Add(v);
            }

            double mean = sum.Value / d.Length;
            for (int i = 0; i < d.Length; i++)
            {
                d[i] -= mean;
            }
        }

        ScaleToOne(d);
        return d;
    }

    private static void ScaleToOne(Span<double> values)
    {
        double largest = 0;
        foreach (double v in values)
        {
            largest = Math.Max(largest, Math.Abs(v));
        }

        int exponent = Math.ILogB(largest);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Math.ScaleB(values[i], -exponent);
        }
    }

    private static double[] Ranks(ReadOnlySpan<double> values)
    {
        double[] sorted = values.ToArray();
        int[] order = new int[sorted.Length];
        for (int i = 0; i < order.Length; i++)
        {
            order[i] = i;
        }

        Array.Sort(sorted, order);
        double[] ranks = new double[sorted.Length];
        for (int i = 0; i < sorted.Length;)
        {
            int end = i + 1;
            while (end < sorted.Length && sorted[end] == sorted[i])
            {
                end++;
            }

            for (int j = i; j < end; j++)
            {
                ranks[order[j]] = (i + 1 + end) / 2.0;
            }

            i = end;
        }

        return ranks;
    }

    private struct ClassCount
    {
        public int Labelled;
        public int Predicted;
        public int Right;
    }

    /// <summary>Neumaier's sum.</summary>
    private struct CompensatedSum
    {
        private double sum;
        private double lost;

        public readonly double Value => sum + lost;

        public void Add(double v)
        {
            double t = sum + v;
            lost += Math.Abs(sum) >= Math.Abs(v) ? sum - t + v : v - t + sum;
            sum = t;
        }
    }
}
