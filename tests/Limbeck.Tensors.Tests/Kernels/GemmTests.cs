using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Tests.Kernels;

public sealed unsafe class GemmTests : IDisposable
{
    // Error of an element as a share of the sum of its terms' magnitudes. Worst seen 3.2e-7 (on all tiers).
    private const double Tolerance = 7e-7;

    // Error of an activation, as a share of its argument's magnitude above 1. Worst seen 8.5e-8 (tanh).
    private const double ActivationTolerance = 2e-7;

    private static readonly int[] Edges = [0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 24, 31, 33, 48, 49];

    private readonly WorkerTeam team = new(2);

    public static TheoryData<bool, bool, bool> Forms()
    {
        var forms = new TheoryData<bool, bool, bool>();
        foreach (bool transposeA in new[] { false, true })
        {
            foreach (bool transposeB in new[] { false, true })
            {
                forms.Add(transposeA, transposeB, false);
                forms.Add(transposeA, transposeB, true);
            }
        }

        return forms;
    }

    public void Dispose() => team.Dispose();

    [Theory]
    [MemberData(nameof(Forms))]
    public void Every_number_of_rows_0_to_257_matches_the_double_reference(bool transposeA, bool transposeB, bool accumulate)
    {
        for (int m = 0; m <= 257; m++)
        {
            Check(transposeA, transposeB, m, 50, 23, accumulate, m);
        }
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Every_number_of_columns_0_to_257_matches_the_double_reference(bool transposeA, bool transposeB, bool accumulate)
    {
        for (int n = 0; n <= 257; n++)
        {
            Check(transposeA, transposeB, 19, n, 23, accumulate, n);
        }
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Every_length_of_the_sum_0_to_257_matches_the_double_reference(bool transposeA, bool transposeB, bool accumulate)
    {
        for (int k = 0; k <= 257; k++)
        {
            Check(transposeA, transposeB, 19, 50, k, accumulate, k);
        }
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void All_combinations_of_edge_sizes_match_the_double_reference(bool transposeA, bool transposeB, bool accumulate)
    {
        foreach (int m in Edges)
        {
            foreach (int n in Edges)
            {
                foreach (int k in new[] { 0, 1, 3, 4, 17 })
                {
                    Check(transposeA, transposeB, m, n, k, accumulate, m + n + k);
                }
            }
        }
    }

    [Theory]
    [InlineData(64, 312, 1200)]
    [InlineData(70, 1200, 312)]
    [InlineData(300, 97, 1031)]
    [InlineData(33, 130, 16411)]
    [InlineData(3, 16400, 130)]
    [InlineData(9, 130, 129100)]
    [InlineData(5, 5000, 900)]
    [InlineData(500, 100, 1024)]
    [InlineData(96, 800, 1537)]
    [InlineData(208, 101, 1537)]
    [InlineData(208, 101, 0)]
    public void Sums_that_are_cut_into_blocks_and_ranges_match_the_double_reference(int m, int n, int k)
    {
        foreach (bool transposeA in new[] { false, true })
        {
            foreach (bool transposeB in new[] { false, true })
            {
                Check(transposeA, transposeB, m, n, k, true, 1);
                Check(transposeA, transposeB, m, n, k, false, 0);
            }
        }
    }

    /// <summary>
    /// B read where it lies or copied, C computed transposed or not: an element adds up the same blocks, of a length that the shape gives. Their
    /// sums come from products of another form here, each a single chain.
    /// </summary>
    [Theory]
    [InlineData(40, 208, 1600, 768)] // B's rows are whole lines.
    [InlineData(208, 101, 1600, 768)] // A's are, and B's are not: C^T is computed.
    [InlineData(336, 33, 769, 768)]
    [InlineData(208, 312, 8, 768)]
    [InlineData(40, 200, 800, 384)] // Neither; with 8 floats more B's are.
    [InlineData(24, 768, 800, 384)] // Lines that crowd in few sets of a cache; with 16 more they do not.
    public void A_weight_gradients_bits_do_not_depend_on_where_its_operands_lie_nor_on_threads(int m, int n, int k, int longestBlock)
    {
        var random = new Random(11);
        using GemmGuardedMatrix a = new GemmGuardedMatrix(k, m, m).Fill(random);
        using GemmGuardedMatrix b = new GemmGuardedMatrix(k, n, n).Fill(random);
        using GemmGuardedMatrix start = new GemmGuardedMatrix(m, n, n).Fill(random);
        using GemmGuardedMatrix bias = new GemmGuardedMatrix(1, n, n).Fill(random);
        foreach (bool accumulate in new[] { false, true })
        {
            using GemmGuardedMatrix expected = accumulate ? Copy(start, 0, 0) : new GemmGuardedMatrix(m, n, n);
            SumOfBlocks(a, b, expected, accumulate, longestBlock);
            foreach (int threads in new[] { 1, 2, 3, 5 })
            {
                using var some = new WorkerTeam(threads);

                // Rows one float longer, in memory that begins within a line; or half a line or a line longer, in memory that begins a line.
                foreach ((int longer, int misalignment) in new[] { (0, 0), (1, 1), (8, 0), (16, 0), (2, 2) })
                {
                    using GemmGuardedMatrix aHere = Copy(a, longer, misalignment);
                    using GemmGuardedMatrix bHere = Copy(b, longer, misalignment);

                    // Not a number where nothing is to be added to.
                    using GemmGuardedMatrix c = accumulate ? Copy(start, longer, misalignment) : new GemmGuardedMatrix(m, n, n + longer, misalignment);
                    Gemm.Multiply(true, false, m, n, k, aHere.Data, aHere.Stride, bHere.Data, bHere.Stride, c.Data, c.Stride, accumulate, default, some);
                    Assert.Equal(expected.Bits(), c.Bits());
                    Assert.True(c.CanariesAreIntact());
                }
            }

            // An epilogue is applied to the same sums.
            using GemmGuardedMatrix withBias = accumulate ? Copy(start, 0, 0) : new GemmGuardedMatrix(m, n, n);
            Gemm.Multiply(true, false, m, n, k, a.Data, m, b.Data, n, withBias.Data, n, accumulate, new GemmEpilogue { Bias = bias.Data }, team);
            for (int i = 0; i < m; i++)
            {
                for (int j = 0; j < n; j++)
                {
                    Assert.Equal(expected[i, j] + bias[0, j], withBias[i, j]);
                }
            }
        }
    }

    [Theory]
    [InlineData(37, 101, 53)]
    [InlineData(200, 312, 1200)]
    [InlineData(16, 1200, 312)]
    [InlineData(312, 130, 8200)]
    [InlineData(96, 800, 800)]
    [InlineData(96, 768, 800)]
    public void The_bits_do_not_depend_on_the_number_of_threads(int m, int n, int k)
    {
        var random = new Random(7);
        using GemmGuardedMatrix bias = new GemmGuardedMatrix(1, n, n).Fill(random);
        foreach (bool transposeA in new[] { false, true })
        {
            foreach (bool transposeB in new[] { false, true })
            {
                using GemmGuardedMatrix a = Stored(transposeA, m, k, 3, random);
                using GemmGuardedMatrix b = Stored(transposeB, k, n, 0, random);
                int[]? expected = null;
                foreach (int threads in new[] { 1, 2, 3, 5 })
                {
                    using var some = new WorkerTeam(threads);
                    using var c = new GemmGuardedMatrix(m, n, n + 1);
                    var epilogue = new GemmEpilogue { Bias = bias.Data, Activation = Activation.Relu };
                    Gemm.Multiply(transposeA, transposeB, m, n, k, a.Data, a.Stride, b.Data, b.Stride, c.Data, c.Stride, false, epilogue, some);
                    expected ??= c.Bits();
                    Assert.Equal(expected, c.Bits());
                }
            }
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Packed_weights_give_the_same_bits_as_the_plain_product(bool transposeB)
    {
        var random = new Random(11);
        foreach ((int m, int n, int k) in new[] { (1, 1, 1), (16, 312, 1200), (7, 50, 3100), (65, 97, 0), (40, 16, 31), (3, 0, 5), (0, 3, 5) })
        {
            using GemmGuardedMatrix a = Stored(false, m, k, 2, random);
            using GemmGuardedMatrix b = Stored(transposeB, k, n, 2, random);
            using var plain = new GemmGuardedMatrix(m, n, n + 3);
            using var packedResult = new GemmGuardedMatrix(m, n, n + 3);
            Gemm.Multiply(false, transposeB, m, n, k, a.Data, a.Stride, b.Data, b.Stride, plain.Data, plain.Stride, false, default, team);
            using PackedWeights packed = PackedWeights.Pack(transposeB, n, k, b.Data, b.Stride, team);
            Assert.Equal((n, k), (packed.N, packed.K));
            Assert.True(packed.Bytes >= (long)n * k * sizeof(float));
            Gemm.Multiply(m, a.Data, a.Stride, packed, packedResult.Data, packedResult.Stride, false, default, team);
            Assert.Equal(plain.Bits(), packedResult.Bits());
            Assert.True(packedResult.CanariesAreIntact());
        }
    }

    [Theory]
    [InlineData(Activation.None)]
    [InlineData(Activation.Gelu)]
    [InlineData(Activation.Tanh)]
    [InlineData(Activation.Relu)]
    public void The_epilogue_adds_the_bias_keeps_the_sum_and_applies_the_activation(Activation activation)
    {
        var random = new Random(5);
        foreach ((int m, int n, int k) in new[] { (1, 1, 0), (17, 99, 33), (40, 64, 1600), (9, 312, 20) })
        {
            foreach (bool accumulate in new[] { false, true })
            {
                using GemmGuardedMatrix a = Stored(false, m, k, 1, random);
                using GemmGuardedMatrix b = Stored(true, k, n, 1, random);
                using GemmGuardedMatrix bias = new GemmGuardedMatrix(1, n, n, 3).Fill(random);
                using GemmGuardedMatrix c = new GemmGuardedMatrix(m, n, n + 5, 1).Fill(random);
                using GemmGuardedMatrix raw = new GemmGuardedMatrix(m, n, n + 5);
                using var pre = new GemmGuardedMatrix(m, n, n + 5, 2);
                for (int i = 0; i < m; i++)
                {
                    for (int j = 0; j < n; j++)
                    {
                        raw[i, j] = c[i, j];
                    }
                }

                var epilogue = new GemmEpilogue { Bias = bias.Data, Activation = activation, PreActivation = pre.Data };
                Gemm.Multiply(false, true, m, n, k, a.Data, a.Stride, b.Data, b.Stride, raw.Data, raw.Stride, accumulate, default, team);
                Gemm.Multiply(false, true, m, n, k, a.Data, a.Stride, b.Data, b.Stride, c.Data, c.Stride, accumulate, epilogue, team);
                for (int i = 0; i < m; i++)
                {
                    for (int j = 0; j < n; j++)
                    {
                        float sum = raw[i, j] + bias[0, j];
                        Assert.Equal(sum, pre[i, j]);
                        double expected = Apply(activation, sum);
                        Assert.True(Math.Abs(c[i, j] - expected) <= ActivationTolerance * Math.Max(1, Math.Abs(sum)), $"{activation} of {sum} is {c[i, j]}, reference {expected}");
                    }
                }

                Assert.True(c.CanariesAreIntact());
                Assert.True(pre.CanariesAreIntact());
            }
        }
    }

    [Fact]
    public void Not_a_number_and_infinity_travel_through_products_of_every_form()
    {
        foreach (bool transposeA in new[] { false, true })
        {
            foreach (bool transposeB in new[] { false, true })
            {
                using var a = new GemmGuardedMatrix(20, 20, 20);
                using var b = new GemmGuardedMatrix(20, 20, 20);
                using var c = new GemmGuardedMatrix(20, 20, 20);
                a.Fill(new Random(1));
                b.Fill(new Random(2));
                (transposeA ? ref a[3, 2] : ref a[2, 3]) = float.NaN;
                (transposeB ? ref b[7, 5] : ref b[5, 7]) = float.PositiveInfinity;
                Gemm.Multiply(transposeA, transposeB, 20, 20, 20, a.Data, 20, b.Data, 20, c.Data, 20, false, default, team);
                for (int i = 0; i < 20; i++)
                {
                    for (int j = 0; j < 20; j++)
                    {
                        float factor = transposeA ? a[5, i] : a[i, 5];
                        Assert.Equal(i == 2, float.IsNaN(c[i, j]));
                        Assert.Equal(i != 2 && j == 7, float.IsInfinity(c[i, j]));
                        Assert.True(i == 2 || j != 7 || c[i, j] == factor * float.PositiveInfinity);
                    }
                }
            }
        }
    }

    [Fact]
    public void Without_accumulation_what_C_held_before_does_not_matter()
    {
        using GemmGuardedMatrix a = new GemmGuardedMatrix(9, 3100, 3100).Fill(new Random(1));
        using GemmGuardedMatrix b = new GemmGuardedMatrix(3100, 50, 50).Fill(new Random(2));
        using var c = new GemmGuardedMatrix(9, 50, 50);
        for (int i = 0; i < 9 * 50; i++)
        {
            c.Data[i] = float.NaN;
        }

        Gemm.Multiply(false, false, 9, 50, 3100, a.Data, 3100, b.Data, 50, c.Data, 50, false, default, team);
        Assert.DoesNotContain(c.Bits(), bits => float.IsNaN(BitConverter.Int32BitsToSingle(bits)));
    }

    [Fact]
    public void A_distance_shorter_than_a_row_is_refused_naming_it()
    {
        float x = 0;
        float* p = &x;
        ArgumentOutOfRangeException e = Assert.Throws<ArgumentOutOfRangeException>(
            () => Gemm.Multiply(false, true, 2, 3, 4, p, 3, p, 4, p, 3, false, default, team));
        Assert.Equal("lda", e.ParamName);
        Assert.Contains("lda is 3", e.Message, StringComparison.Ordinal);
        Assert.Equal("ldb", Assert.Throws<ArgumentOutOfRangeException>(() => Gemm.Multiply(false, true, 2, 3, 4, p, 4, p, 3, p, 3, false, default, team)).ParamName);
        Assert.Equal("ldc", Assert.Throws<ArgumentOutOfRangeException>(() => Gemm.Multiply(false, true, 2, 3, 4, p, 4, p, 4, p, 2, false, default, team)).ParamName);
        Assert.Equal("k", Assert.Throws<ArgumentOutOfRangeException>(() => Gemm.Multiply(false, true, 2, 3, -4, p, 4, p, 4, p, 3, false, default, team)).ParamName);
    }

    [Theory]
    [InlineData(60, 80)]
    [InlineData(208, 101)] // C^T is computed, in memory of each thread's own.
    public void A_product_inside_a_task_of_the_same_team_is_computed_by_the_calling_thread(int m, int n)
    {
        // A weight gradient of three blocks of k: on one thread its tasks wait for nobody.
        using GemmGuardedMatrix a = new GemmGuardedMatrix(1600, m, m).Fill(new Random(1));
        using GemmGuardedMatrix b = new GemmGuardedMatrix(1600, n, n).Fill(new Random(2));
        using var expected = new GemmGuardedMatrix(m, n, n);
        Gemm.Multiply(true, false, m, n, 1600, a.Data, m, b.Data, n, expected.Data, n, false, default, team);
        var results = new GemmGuardedMatrix[8];
        float** pointers = stackalloc float*[10];
        pointers[8] = a.Data;
        pointers[9] = b.Data;
        for (int i = 0; i < 8; i++)
        {
            results[i] = new GemmGuardedMatrix(m, n, n);
            pointers[i] = results[i].Data;
        }

        nestedTeam = team;
        nestedSize = (m, n);
        team.Run(8, &MultiplyInTask, pointers);
        foreach (GemmGuardedMatrix result in results)
        {
            Assert.Equal(expected.Bits(), result.Bits());
            result.Dispose();
        }
    }

    [Theory]
    [InlineData(true, 100, 100, 100)]
    [InlineData(false, 208, 101, 1600)]
    public void Products_allocate_nothing_once_the_workspace_is_there(bool transposeB, int m, int n, int k)
    {
        using GemmGuardedMatrix a = new GemmGuardedMatrix(k, m, m).Fill(new Random(1));
        using GemmGuardedMatrix b = new GemmGuardedMatrix(k, n, n).Fill(new Random(2));
        using var c = new GemmGuardedMatrix(m, n, n);
        int ldb = transposeB ? k : n;
        Gemm.Multiply(true, transposeB, m, n, k, a.Data, m, b.Data, ldb, c.Data, n, false, default, team);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 20; i++)
        {
            Gemm.Multiply(true, transposeB, m, n, k, a.Data, m, b.Data, ldb, c.Data, n, false, default, team);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static WorkerTeam? nestedTeam;

    private static (int M, int N) nestedSize;

    private static double Apply(Activation activation, double x) => activation switch
    {
        Activation.Relu => Math.Max(x, 0),
        Activation.Tanh => Math.Tanh(x),
        Activation.Gelu => x * NormalDistribution(x),
        _ => x,
    };

    // 1/2 + phi(x) * (x + x^3/3 + x^5/(3*5) + ...).
    private static double NormalDistribution(double x)
    {
        if (Math.Abs(x) > 8)
        {
            return x > 0 ? 1 : 0;
        }

        double term = x;
        double sum = x;
        for (int i = 3; Math.Abs(term) > 1e-20 && i < 1000; i += 2)
        {
            term *= x * x / i;
            sum += term;
        }

        return 0.5 + (sum * Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI));
    }

    private static void MultiplyInTask(void* state, int task, int worker)
    {
        float** pointers = (float**)state;
        (int m, int n) = nestedSize;
        Gemm.Multiply(true, false, m, n, 1600, pointers[8], m, pointers[9], n, pointers[task], n, false, default, nestedTeam!);
    }

    private static GemmGuardedMatrix Stored(bool transposed, int rows, int columns, int extra, Random random)
    {
        int width = transposed ? rows : columns;
        return new GemmGuardedMatrix(transposed ? columns : rows, width, Math.Max(1, width + extra), extra).Fill(random);
    }

    // A^T B (+ C), block by block of k.
    private void SumOfBlocks(GemmGuardedMatrix a, GemmGuardedMatrix b, GemmGuardedMatrix c, bool accumulate, int longestBlock)
    {
        (int k, int m, int n) = (a.Rows, a.Columns, b.Columns);
        using var turned = new GemmGuardedMatrix(m, k, k);
        for (int i = 0; i < m; i++)
        {
            for (int p = 0; p < k; p++)
            {
                turned[i, p] = a[p, i];
            }
        }

        int blocks = (k + longestBlock - 1) / longestBlock;
        int length = (k + blocks - 1) / blocks;
        for (int first = 0; first < k; first += length)
        {
            Gemm.Multiply(
                false, false, m, n, Math.Min(length, k - first), turned.Data + first, k, b.Data + ((nint)first * n), n, c.Data, c.Stride,
                accumulate || first > 0, default, team);
        }
    }

    private static GemmGuardedMatrix Copy(GemmGuardedMatrix matrix, int longer, int misalignment)
    {
        var copy = new GemmGuardedMatrix(matrix.Rows, matrix.Columns, matrix.Stride + longer, misalignment);
        for (int i = 0; i < matrix.Rows; i++)
        {
            for (int j = 0; j < matrix.Columns; j++)
            {
                copy[i, j] = matrix[i, j];
            }
        }

        return copy;
    }

    private void Check(bool transposeA, bool transposeB, int m, int n, int k, bool accumulate, int seed)
    {
        var random = new Random(seed);
        using GemmGuardedMatrix a = Stored(transposeA, m, k, seed % 3, random);
        using GemmGuardedMatrix b = Stored(transposeB, k, n, seed % 4, random);
        using GemmGuardedMatrix c = new GemmGuardedMatrix(m, n, Math.Max(1, n + (seed % 5)), seed % 7).Fill(random);
        var sums = new double[n];
        var magnitudes = new double[n];
        var expected = new double[m, n];
        var scale = new double[m, n];
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++)
            {
                sums[j] = accumulate ? c[i, j] : 0;
                magnitudes[j] = Math.Abs(sums[j]);
            }

            for (int p = 0; p < k; p++)
            {
                double x = transposeA ? a[p, i] : a[i, p];
                for (int j = 0; j < n; j++)
                {
                    double term = x * (transposeB ? b[j, p] : b[p, j]);
                    sums[j] += term;
                    magnitudes[j] += Math.Abs(term);
                }
            }

            for (int j = 0; j < n; j++)
            {
                expected[i, j] = sums[j];
                scale[i, j] = magnitudes[j];
            }
        }

        Gemm.Multiply(transposeA, transposeB, m, n, k, a.Data, a.Stride, b.Data, b.Stride, c.Data, c.Stride, accumulate, default, team);
        string where = $"m {m}, n {n}, k {k}, transposed {transposeA} {transposeB}, accumulate {accumulate}, seed {seed}";
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++)
            {
                double error = Math.Abs(c[i, j] - expected[i, j]);
                Assert.True(error <= Tolerance * scale[i, j], $"{where}: C[{i}, {j}] is {c[i, j]}, reference {expected[i, j]}");
            }
        }

        Assert.True(c.CanariesAreIntact(), $"{where}: written outside C");
    }
}
