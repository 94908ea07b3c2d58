using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Limbeck.Tensors.Kernels;

/// <summary>What attention does row by row: copies between matrices and padded scratch, softmax, and the gradient of softmax.</summary>
/// <typeparam name="V">The vector width.</typeparam>
internal static unsafe class AttentionRows<V>
    where V : struct, ILanes<V>
{
    private const int Panel = AttentionTiles<V>.Panel;

    /// <summary>n rounded up to whole panels.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Padded(int n) => (n + Panel - 1) & -Panel;

    /// <summary>n rounded up to whole tiles of rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int PaddedRows(int n) => (n + AttentionTiles<V>.TileRows - 1) / AttentionTiles<V>.TileRows * AttentionTiles<V>.TileRows;

    /// <summary>Leading dimension of a block of score rows: whole panels, kept off multiples of 1 KB so that columns spread over the cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int ScoreStride(int length)
    {
        int padded = Padded(length);
        return padded % 256 == 0 ? padded + Panel : padded;
    }

    /// <summary>Copies rows times a factor into scratch of leading dimension Padded(columns); pads columns and rows with zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CopyIn(float* source, nint stride, int rows, int paddedRows, int columns, float factor, float* destination)
    {
        int padded = Padded(columns);
        int whole = columns & -V.Count;
        V scale = V.Create(factor);
        for (int r = 0; r < rows; r++)
        {
            int j = 0;
            for (; j < whole; j += V.Count)
            {
                V.Store(V.Load(source + j) * scale, destination + j);
            }

            if (j < columns)
            {
                V.Store(V.Load(source + j, columns - j) * scale, destination + j);
                j += V.Count;
            }

            for (; j < padded; j += V.Count)
            {
                V.Store(V.Zero, destination + j);
            }

            FetchNext(source, columns);
            source += stride;
            destination += padded;
        }

        for (int i = (paddedRows - rows) * padded; i > 0; i -= V.Count)
        {
            V.Store(V.Zero, destination);
            destination += V.Count;
        }
    }

    /// <summary>Copies rows of scratch of leading dimension <paramref name="scratchStride"/> out, times a factor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CopyOut(float* scratch, int scratchStride, int rows, int columns, float factor, float* destination, nint stride)
    {
        for (int r = 0; r < rows; r++)
        {
            CopyRowOut(scratch, columns, factor, destination);
            FetchNext(destination, columns);
            scratch += scratchStride;
            destination += stride;
        }
    }

    /// <summary>destination = scratch * factor, for one row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void CopyRowOut(float* scratch, int columns, float factor, float* destination)
    {
        V scale = V.Create(factor);
        int whole = columns & -V.Count;
        for (int j = 0; j < whole; j += V.Count)
        {
            V.Store(V.Load(scratch + j) * scale, destination + j);
        }

        if (whole < columns)
        {
            V.Store(V.Load(scratch + whole) * scale, destination + whole, columns - whole);
        }
    }

    /// <summary>Transposes [length, depth] rows into panels of 16: element (r, d) goes to r / 16 * depth * 16 + d * 16 + r % 16; missing rows are zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transpose(float* source, nint stride, int length, int depth, float* panels)
    {
        int padded = Padded(length);
        for (int r = 0; r < padded; r += 4)
        {
            float* column = panels + ((r / Panel * (nint)depth * Panel) + (r % Panel));
            int rows = length - r;
            if (rows <= 0)
            {
                for (int d = 0; d < depth; d++)
                {
                    Vector128<float>.Zero.Store(column + ((nint)d * Panel));
                }

                continue;
            }

            float* r0 = source + (r * stride);
            if (depth < 4)
            {
                for (int d = 0; d < depth; d++)
                {
                    for (int i = 0; i < 4; i++)
                    {
                        column[((nint)d * Panel) + i] = i < rows ? r0[(i * stride) + d] : 0;
                    }
                }

                continue;
            }

            // Rows past the end repeat row 0 and are masked; the last four columns may overlap the ones before.
            float* r1 = rows > 1 ? r0 + stride : r0;
            float* r2 = rows > 2 ? r0 + (2 * stride) : r0;
            float* r3 = rows > 3 ? r0 + (3 * stride) : r0;
            FetchNext(r0, depth);
            FetchNext(r1, depth);
            FetchNext(r2, depth);
            FetchNext(r3, depth);
            Vector128<float> mask = Vector128.LessThan(Vector128<int>.Indices, Vector128.Create(rows)).AsSingle();
            for (int d = 0; d < depth; d += 4)
            {
                int at = Math.Min(d, depth - 4);
                Transpose4(Vector128.Load(r0 + at), Vector128.Load(r1 + at), Vector128.Load(r2 + at), Vector128.Load(r3 + at), mask, column + ((nint)at * Panel));
            }
        }
    }

    /// <summary>Largest score of each row of a block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Maxima(float* scores, int stride, int rows, int length, float* maxima)
    {
        int last = (length - 1) & -V.Count;
        V tail = V.LessThanInt(V.Sequence(last), V.CreateBits(length));
        V lowest = V.Create(float.NegativeInfinity);
        for (int r = 0; r < rows; r++)
        {
            V largest = V.Select(tail, V.Load(scores + last), lowest);
            for (int j = 0; j < last; j += V.Count)
            {
                largest = V.Max(largest, V.Load(scores + j));
            }

            maxima[r] = V.MaxAcross(largest);
            scores += stride;
        }
    }

    /// <summary>Softmax numerators of a block: every score becomes exp(score - the row's maximum); zeros from the length to the panel's edge.</summary>
    /// <remarks>Apart from <see cref="Maxima"/>, so that neither waits for the other's sums across lanes.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Exponentials(float* scores, int stride, int rows, int length, float* maxima, float* sums)
    {
        int last = (length - 1) & -V.Count;
        int padded = Padded(length);
        V tail = V.LessThanInt(V.Sequence(last), V.CreateBits(length));
        for (int r = 0; r < rows; r++)
        {
            V shift = V.Create(maxima[r]);
            V sum = V.Zero;
            for (int j = 0; j < last; j += V.Count)
            {
                V e = VectorMath.ExpNonPositive(V.Load(scores + j) - shift);
                V.Store(e, scores + j);
                sum += e;
            }

            V end = V.And(VectorMath.ExpNonPositive(V.Load(scores + last) - shift), tail);
            V.Store(end, scores + last);
            ZeroTo(scores, last + V.Count, padded);
            sums[r] = V.Sum(sum + end);
            scores += stride;
        }
    }

    /// <summary>Per row: the reciprocal of the sum, and the logarithm of the sum of exponentials (unless the destination is null).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Finish(int rows, float* maxima, float* sums, float* reciprocals, float* logSumExp)
    {
        V one = V.Create(1f);
        for (int r = 0; r < rows; r += V.Count)
        {
            V sum = V.Load(sums + r);
            V.Store(one / sum, reciprocals + r);
            if (logSumExp != null)
            {
                V.Store(V.Load(maxima + r) + VectorMath.Log(sum), logSumExp + r, Math.Min(V.Count, rows - r));
            }
        }
    }

    /// <summary>Gradient of softmax on one row. In: scores and d(loss)/d(dropped P). Out: dropped P and d(loss)/d(scores); zeros up to the panel's edge.</summary>
    /// <param name="scores">Scores in, dropout(P) out.</param>
    /// <param name="gradient">Gradient of dropout(P) in, gradient of the scores out.</param>
    /// <param name="length">Number of scores.</param>
    /// <param name="logSumExp">Of the row.</param>
    /// <param name="delta">Inner product of the output's row and its gradient, which is that of P and its gradient.</param>
    /// <param name="keep">Null or the factors of dropout.</param>
    /// <param name="dScores">Null or a gradient to add.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SoftmaxGradient(float* scores, float* gradient, int length, float logSumExp, float delta, float* keep, float* dScores)
    {
        V shift = V.Create(logSumExp);
        V mean = V.Create(delta);
        int whole = length & -V.Count;
        for (int j = 0; j < whole; j += V.Count)
        {
            V p = VectorMath.ExpNonPositive(V.Load(scores + j) - shift);
            V g = V.Load(gradient + j);
            V dropped = p;
            if (keep != null)
            {
                V factor = V.Load(keep + j);
                g *= factor;
                dropped *= factor;
            }

            g = p * (g - mean);
            if (dScores != null)
            {
                g += V.Load(dScores + j);
            }

            V.Store(dropped, scores + j);
            V.Store(g, gradient + j);
        }

        if (whole < length)
        {
            V tail = V.LessThanInt(V.Sequence(whole), V.CreateBits(length));
            V p = V.And(VectorMath.ExpNonPositive(V.Load(scores + whole) - shift), tail);
            V g = V.Load(gradient + whole);
            V dropped = p;
            if (keep != null)
            {
                V factor = V.Load(keep + whole);
                g *= factor;
                dropped *= factor;
            }

            g = V.And(p * (g - mean), tail);
            if (dScores != null)
            {
                g += V.Load(dScores + whole, length - whole);
            }

            V.Store(dropped, scores + whole);
            V.Store(g, gradient + whole);
            whole += V.Count;
        }

        ZeroTo(scores, whole, Padded(length));
        ZeroTo(gradient, whole, Padded(length));
    }

    /// <summary>Copies a row of scores, or zeros if the source is null, and pads it to whole panels with zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadRow(float* source, int length, float* row)
    {
        int from = 0;
        if (source != null)
        {
            for (; from + V.Count <= length; from += V.Count)
            {
                V.Store(V.Load(source + from), row + from);
            }

            if (from < length)
            {
                V.Store(V.Load(source + from, length - from), row + from);
                from += V.Count;
            }
        }

        ZeroTo(row, from, Padded(length));
    }

    /// <summary>Factors of dropout for a row of P: 0 or 1/(1 - p). The padding up to the panel's edge gets values of no matter.</summary>
    /// <param name="mask">The mask.</param>
    /// <param name="index">Position of the row in the packed scores.</param>
    /// <param name="length">Elements of the row.</param>
    /// <param name="keep">Receives the factors.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FillKeep(in DropoutLanes<V> mask, long index, int length, float* keep)
    {
        for (int j = 0; j < length; j += V.Count)
        {
            V.Store(mask.KeepScale(V.Sequence(unchecked((int)(index + j)))), keep + j);
        }
    }

    /// <summary>Multiplies a row by factors, both padded to whole panels.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void MultiplyRow(float* row, float* factors, int length)
    {
        for (int j = 0; j < length; j += V.Count)
        {
            V.Store(V.Load(row + j) * V.Load(factors + j), row + j);
        }
    }

    /// <summary>Prefetches the next head's part of a row: it lies beside this one's, on lines that no hardware prefetcher foresees.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FetchNext(float* row, int columns)
    {
        if (Sse.IsSupported)
        {
            for (int j = (2 * columns) - 1; j >= columns; j -= 16)
            {
                Sse.Prefetch1(row + j);
            }
        }
    }

    /// <summary>Inner product, in one fixed order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Dot(float* a, float* b, int length)
    {
        V sum = V.Zero;
        int whole = length & -V.Count;
        for (int j = 0; j < whole; j += V.Count)
        {
            sum = V.MultiplyAdd(V.Load(a + j), V.Load(b + j), sum);
        }

        if (whole < length)
        {
            sum = V.MultiplyAdd(V.Load(a + whole, length - whole), V.Load(b + whole, length - whole), sum);
        }

        return V.Sum(sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ZeroTo(float* row, int from, int to)
    {
        for (int j = from; j < to; j += V.Count)
        {
            V.Store(V.Zero, row + j);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose4(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d, Vector128<float> mask, float* to)
    {
        Vector128<float> low0, low1, high0, high1;
        if (Sse.IsSupported)
        {
            low0 = Sse.UnpackLow(a, c);
            low1 = Sse.UnpackLow(b, d);
            high0 = Sse.UnpackHigh(a, c);
            high1 = Sse.UnpackHigh(b, d);
            (Sse.UnpackLow(low0, low1) & mask).Store(to);
            (Sse.UnpackHigh(low0, low1) & mask).Store(to + Panel);
            (Sse.UnpackLow(high0, high1) & mask).Store(to + (2 * Panel));
            (Sse.UnpackHigh(high0, high1) & mask).Store(to + (3 * Panel));
        }
        else if (AdvSimd.Arm64.IsSupported)
        {
            low0 = AdvSimd.Arm64.ZipLow(a, c);
            low1 = AdvSimd.Arm64.ZipLow(b, d);
            high0 = AdvSimd.Arm64.ZipHigh(a, c);
            high1 = AdvSimd.Arm64.ZipHigh(b, d);
            (AdvSimd.Arm64.ZipLow(low0, low1) & mask).Store(to);
            (AdvSimd.Arm64.ZipHigh(low0, low1) & mask).Store(to + Panel);
            (AdvSimd.Arm64.ZipLow(high0, high1) & mask).Store(to + (2 * Panel));
            (AdvSimd.Arm64.ZipHigh(high0, high1) & mask).Store(to + (3 * Panel));
        }
        else
        {
            for (int i = 0; i < 4; i++)
            {
                (Vector128.Create(a.GetElement(i), b.GetElement(i), c.GetElement(i), d.GetElement(i)) & mask).Store(to + (i * Panel));
            }
        }
    }
}
