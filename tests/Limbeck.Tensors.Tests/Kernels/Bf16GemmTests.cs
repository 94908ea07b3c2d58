using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Tests.Kernels;

/// <summary>The whole product in bfloat16: against float64 sums of the rounded operands, and bit for bit against the instruction's definition.</summary>
public sealed unsafe class Bf16GemmTests : IDisposable
{
    // Error of an element as a share of the sum of its terms' magnitudes. Worst seen 1.4e-7 (on all tiers, as the bits are the same).
    private const double Tolerance = 7e-7;

    // Longest block of k, as the product cuts it: 2000 becomes 1000 + 1000.
    private const int TwoBlocks = 2000;

    private static readonly int[] Edges = [0, 1, 2, 7, 8, 9, 15, 16, 17, 33, 48, 49, 64, 65];

    private readonly WorkerTeam team = new(2);

    public static TheoryData<bool, bool, bool> Forms()
    {
        TheoryData<bool, bool, bool> forms = [];
        for (int form = 0; form < 8; form++)
        {
            forms.Add((form & 1) != 0, (form & 2) != 0, (form & 4) != 0);
        }

        return forms;
    }

    public void Dispose() => team.Dispose();

    [Theory]
    [MemberData(nameof(Forms))]
    public void Sizes_around_tiles_and_panels_match_the_double_reference(bool transposeA, bool transposeB, bool accumulate)
    {
        foreach (int m in Edges)
        {
            foreach (int n in Edges)
            {
                foreach (int k in new[] { 0, 1, 2, 3, 4, 7, 18 })
                {
                    Check(transposeA, transposeB, m, n, k, accumulate, m + n + k);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Every_length_of_the_sum_0_to_80_matches_the_double_reference(bool transposeA, bool transposeB, bool accumulate)
    {
        for (int k = 0; k <= 80; k++)
        {
            Check(transposeA, transposeB, 19, 50, k, accumulate, k);
        }
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Sums_of_several_blocks_and_ranges_match_the_double_reference(bool transposeA, bool transposeB, bool accumulate)
    {
        foreach ((int m, int n, int k) in new[] { (21, 50, 1535), (21, 50, 1537), (130, 100, 3073), (9, 200, 4611), (3, 200, 20501) })
        {
            Check(transposeA, transposeB, m, n, k, accumulate, k);
        }
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Every_element_is_the_instructions_chain_in_the_order_of_k_bit_for_bit(bool transposeA, bool transposeB, bool accumulate)
    {
        foreach ((int m, int n, int k) in new[] { (3, 20, 31), (2, 5, TwoBlocks) })
        {
            Random random = new(k);
            using GemmGuardedMatrix a = Stored(transposeA, m, k, 1, random);
            using GemmGuardedMatrix b = Stored(transposeB, k, n, 2, random);
            using GemmGuardedMatrix c = new GemmGuardedMatrix(m, n, n + 1).Fill(random);
            float[,] expected = new float[m, n];
            for (int i = 0; i < m; i++)
            {
                for (int j = 0; j < n; j++)
                {
                    expected[i, j] = c[i, j];
                    int block = k == TwoBlocks ? k / 2 : k;
                    for (int start = 0; start < k; start += block)
                    {
                        float sum = 0;
                        for (int p = start; p < start + block; p++)
                        {
                            float x = Bf16Definition.Round(transposeA ? a[p, i] : a[i, p]);
                            float y = Bf16Definition.Round(transposeB ? b[j, p] : b[p, j]);
                            sum = Bf16Definition.MultiplyAdd(x, y, sum);
                        }

                        expected[i, j] = accumulate || start > 0 ? sum + expected[i, j] : sum;
                    }
                }
            }

            Gemm.Multiply(transposeA, transposeB, m, n, k, a.Data, a.Stride, b.Data, b.Stride, c.Data, c.Stride, accumulate, default, team, Precision.Bf16);
            for (int i = 0; i < m; i++)
            {
                for (int j = 0; j < n; j++)
                {
                    Assert.True(Bf16Definition.Same(expected[i, j], c[i, j]), $"C[{i}, {j}] of {m} x {n} x {k} is {c[i, j]:R}, by the definition {expected[i, j]:R}");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void The_bits_do_not_depend_on_the_number_of_threads(bool transposeA, bool transposeB, bool accumulate)
    {
        Random random = new(3);
        (int m, int n, int k) = (150, 160, 3200);
        using GemmGuardedMatrix a = Stored(transposeA, m, k, 3, random);
        using GemmGuardedMatrix b = Stored(transposeB, k, n, 0, random);
        int[]? expected = null;
        foreach (int threads in new[] { 1, 2, 3, 5 })
        {
            using WorkerTeam some = new(threads);
            using GemmGuardedMatrix c = new GemmGuardedMatrix(m, n, n + 1).Fill(new Random(4));
            Gemm.Multiply(transposeA, transposeB, m, n, k, a.Data, a.Stride, b.Data, b.Stride, c.Data, c.Stride, accumulate, default, some, Precision.Bf16);
            expected ??= c.Bits();
            Assert.Equal(expected, c.Bits());
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Packed_weights_give_the_same_bits_as_the_plain_product_in_half_the_bytes(bool transposeB)
    {
        Random random = new(11);
        foreach ((int m, int n, int k) in new[] { (1, 1, 1), (16, 312, 1200), (7, 50, 3101), (65, 97, 0), (40, 16, 31), (3, 0, 5), (0, 3, 5) })
        {
            using GemmGuardedMatrix a = Stored(false, m, k, 2, random);
            using GemmGuardedMatrix b = Stored(transposeB, k, n, 2, random);
            using GemmGuardedMatrix bias = new GemmGuardedMatrix(1, n, n).Fill(random);
            using GemmGuardedMatrix plain = new(m, n, n + 3);
            using GemmGuardedMatrix packedResult = new(m, n, n + 3);
            GemmEpilogue epilogue = new() { Bias = bias.Data, Activation = Activation.Gelu };
            Gemm.Multiply(false, transposeB, m, n, k, a.Data, a.Stride, b.Data, b.Stride, plain.Data, plain.Stride, false, epilogue, team, Precision.Bf16);
            using PackedWeights packed = PackedWeights.Pack(transposeB, n, k, b.Data, b.Stride, team, Precision.Bf16);
            using PackedWeights whole = PackedWeights.Pack(transposeB, n, k, b.Data, b.Stride, team);
            Assert.Equal((n, k, Precision.Bf16), (packed.N, packed.K, packed.Precision));
            Assert.Equal(whole.Bytes / Math.Max(1, k) * ((k + 1) / 2), packed.Bytes);
            Gemm.Multiply(m, a.Data, a.Stride, packed, packedResult.Data, packedResult.Stride, false, epilogue, team);
            Assert.Equal(plain.Bits(), packedResult.Bits());
            Assert.True(packedResult.CanariesAreIntact());
        }
    }

    [Fact]
    public void The_epilogue_comes_after_the_last_block_once()
    {
        Random random = new(5);
        (int m, int n, int k) = (17, 99, 1600);
        using GemmGuardedMatrix a = Stored(false, m, k, 1, random);
        using GemmGuardedMatrix b = Stored(true, k, n, 1, random);
        using GemmGuardedMatrix bias = new GemmGuardedMatrix(1, n, n, 3).Fill(random);
        using GemmGuardedMatrix raw = new(m, n, n);
        using GemmGuardedMatrix c = new(m, n, n);
        using GemmGuardedMatrix before = new(m, n, n);
        Gemm.Multiply(false, true, m, n, k, a.Data, a.Stride, b.Data, b.Stride, raw.Data, n, false, default, team, Precision.Bf16);
        GemmEpilogue epilogue = new() { Bias = bias.Data, Activation = Activation.Relu, PreActivation = before.Data };
        Gemm.Multiply(false, true, m, n, k, a.Data, a.Stride, b.Data, b.Stride, c.Data, n, false, epilogue, team, Precision.Bf16);
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++)
            {
                Assert.Equal(raw[i, j] + bias[0, j], before[i, j]);
                Assert.Equal(Math.Max(0, before[i, j]), c[i, j]);
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
                using GemmGuardedMatrix a = new GemmGuardedMatrix(21, 21, 21).Fill(new Random(1));
                using GemmGuardedMatrix b = new GemmGuardedMatrix(21, 21, 21).Fill(new Random(2));
                using GemmGuardedMatrix c = new(21, 21, 21);
                (transposeA ? ref a[3, 2] : ref a[2, 3]) = float.NaN;
                (transposeB ? ref b[7, 20] : ref b[20, 7]) = float.PositiveInfinity;
                Gemm.Multiply(transposeA, transposeB, 21, 21, 21, a.Data, 21, b.Data, 21, c.Data, 21, false, default, team, Precision.Bf16);
                for (int i = 0; i < 21; i++)
                {
                    for (int j = 0; j < 21; j++)
                    {
                        float factor = transposeA ? a[20, i] : a[i, 20];
                        Assert.Equal(i == 2, float.IsNaN(c[i, j]));
                        Assert.Equal(i != 2 && j == 7, float.IsInfinity(c[i, j]));
                        Assert.True(i == 2 || j != 7 || c[i, j] == factor * float.PositiveInfinity);
                    }
                }
            }
        }
    }

    [Fact]
    public void Products_allocate_nothing_once_the_workspace_is_there()
    {
        using GemmGuardedMatrix a = new GemmGuardedMatrix(50, 50, 50).Fill(new Random(1));
        using GemmGuardedMatrix b = new GemmGuardedMatrix(50, 50, 50).Fill(new Random(2));
        using GemmGuardedMatrix c = new(50, 50, 50);
        Gemm.Multiply(true, true, 50, 50, 50, a.Data, 50, b.Data, 50, c.Data, 50, false, default, team, Precision.Bf16);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 5; i++)
        {
            Gemm.Multiply(true, true, 50, 50, 50, a.Data, 50, b.Data, 50, c.Data, 50, false, default, team, Precision.Bf16);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static GemmGuardedMatrix Stored(bool transposed, int rows, int columns, int extra, Random random)
    {
        int width = transposed ? rows : columns;
        return new GemmGuardedMatrix(transposed ? columns : rows, width, Math.Max(1, width + extra), extra).Fill(random);
    }

    private void Check(bool transposeA, bool transposeB, int m, int n, int k, bool accumulate, int seed)
    {
        Random random = new(seed);
        using GemmGuardedMatrix a = Stored(transposeA, m, k, seed % 3, random);
        using GemmGuardedMatrix b = Stored(transposeB, k, n, seed % 4, random);
        using GemmGuardedMatrix c = new GemmGuardedMatrix(m, n, Math.Max(1, n + (seed % 5)), seed % 7).Fill(random);
        double[,] expected = new double[m, n];
        double[,] magnitude = new double[m, n];
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++)
            {
                expected[i, j] = accumulate ? c[i, j] : 0;
                magnitude[i, j] = Math.Abs(expected[i, j]);
            }

            for (int p = 0; p < k; p++)
            {
                double x = Bf16Definition.Round(transposeA ? a[p, i] : a[i, p]);
                for (int j = 0; j < n; j++)
                {
                    double term = x * Bf16Definition.Round(transposeB ? b[j, p] : b[p, j]);
                    expected[i, j] += term;
                    magnitude[i, j] += Math.Abs(term);
                }
            }
        }

        Gemm.Multiply(transposeA, transposeB, m, n, k, a.Data, a.Stride, b.Data, b.Stride, c.Data, c.Stride, accumulate, default, team, Precision.Bf16);
        string where = $"m {m}, n {n}, k {k}, transposed {transposeA} {transposeB}, accumulate {accumulate}, seed {seed}";
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++)
            {
                double error = Math.Abs(c[i, j] - expected[i, j]);
                Assert.True(error <= Tolerance * magnitude[i, j], $"{where}: C[{i}, {j}] is {c[i, j]}, reference {expected[i, j]}, error {error / magnitude[i, j]:G3} of the terms");
            }
        }

        Assert.True(c.CanariesAreIntact(), $"{where}: written outside C");
    }
}
