using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Tests.Kernels;

public sealed unsafe class GemmTileTests
{
    // Share of the sum of the terms' magnitudes; worst seen 1.8e-7.
    private const double Tolerance = 4e-7;

    [Fact]
    public void Panels_cover_all_columns_in_order_and_none_is_a_single_vector_unless_it_is_alone()
    {
        for (int n = 0; n < 1000; n++)
        {
            var panels = new GemmPanels(n);
            int column = 0;
            for (int j = 0; j < panels.Count; j++)
            {
                Assert.Equal(column, panels.Start(j));
                int width = panels.Width(j);
                Assert.InRange(width, GemmTile.Lane, GemmTile.Columns);
                Assert.Equal(0, width % GemmTile.Lane);
                Assert.True(width > GemmTile.Lane || panels.Count == 1, $"n {n}");
                Assert.True(column < n);
                column += width;
            }

            Assert.Equal(panels.PaddedColumns, column);
            Assert.InRange(column, n, n + GemmTile.Lane - 1);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_packed_matrix_has_the_documented_layout_with_zeros_or_half_a_vector_again_beyond_its_columns(bool transposed)
    {
        var random = new Random(3);
        for (int n = 0; n < 120; n++)
        {
            foreach (int k in new[] { 0, 1, 3, 4, 6, 17 })
            {
                using GemmGuardedMatrix b = new GemmGuardedMatrix(transposed ? n : k, transposed ? k : n, (transposed ? k : n) + 1).Fill(random);
                int floats = (int)GemmTile.PackedFloats(n, k);
                using var packed = new GemmGuardedMatrix(1, floats, Math.Max(1, floats));
                GemmTile.Pack(transposed, n, k, b.Data, b.Stride, packed.Data);
                Assert.True(packed.CanariesAreIntact());
                var panels = new GemmPanels(n);
                for (int panel = 0; panel < panels.Count; panel++)
                {
                    int start = panels.Start(panel);
                    int width = panels.Width(panel);
                    for (int p = 0; p < k; p++)
                    {
                        for (int j = 0; j < width; j++)
                        {
                            int column = start + j - (GemmTile.Lane == 16 && width > 16 && n - start <= width - 8 && j >= width - 8 ? 8 : 0);
                            float expected = column >= n ? 0f : transposed ? b[column, p] : b[p, column];
                            Assert.Equal(expected, packed.Data[(start * k) + (p * width) + j]);
                        }
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_product_whose_last_vector_is_at_most_half_full_has_the_bits_of_its_tiles(bool accumulate)
    {
        var random = new Random(5);
        const int M = 27;
        using var team = new WorkerTeam(2);
        foreach (int n in new[] { 17, 20, 24, 25, 33, 40, 41, 49, 56, 72, 88, 101, 312 })
        {
            foreach (int k in new[] { 1, 7, 8, 9, 100 })
            {
                using GemmGuardedMatrix a = new GemmGuardedMatrix(M, k, k + 1).Fill(random);
                using GemmGuardedMatrix b = new GemmGuardedMatrix(n, k, k + 2).Fill(random);
                using GemmGuardedMatrix c = new GemmGuardedMatrix(M, n, n + 3, 1).Fill(random);
                using GemmGuardedMatrix expected = new(M, n, n);
                for (int i = 0; i < M; i++)
                {
                    for (int j = 0; j < n; j++)
                    {
                        expected[i, j] = c[i, j];
                    }
                }

                int floats = (int)GemmTile.PackedFloats(n, k);
                using var packed = new GemmGuardedMatrix(1, floats, floats);
                GemmTile.Pack(true, n, k, b.Data, b.Stride, packed.Data);
                GemmTile.Multiply(M, n, k, a.Data, a.Stride, 1, packed.Data, expected.Data, expected.Stride, accumulate);
                Gemm.Multiply(false, true, M, n, k, a.Data, a.Stride, b.Data, b.Stride, c.Data, c.Stride, accumulate, default, team);
                Assert.Equal(expected.Bits(), c.Bits());
                Assert.True(c.CanariesAreIntact());
            }
        }
    }

    [Theory]
    [InlineData(1f, false)]
    [InlineData(0.125f, false)]
    [InlineData(-3f, true)]
    public void Products_of_any_view_of_A_match_the_double_reference(float scale, bool accumulate)
    {
        var random = new Random(9);
        foreach ((int m, int n, int k) in new[] { (1, 1, 1), (5, 64, 26), (13, 100, 32), (17, 13, 64), (8, 48, 0), (0, 5, 5), (30, 30, 30) })
        {
            using GemmGuardedMatrix a = new GemmGuardedMatrix(Math.Max(m, k), Math.Max(m, k), Math.Max(m, k) + 2).Fill(random);
            using GemmGuardedMatrix b = new GemmGuardedMatrix(k, n, n + 1).Fill(random);
            using GemmGuardedMatrix before = new GemmGuardedMatrix(m, n, n + 2).Fill(random);
            using var packed = new GemmGuardedMatrix(1, (int)GemmTile.PackedFloats(n, k), Math.Max(1, (int)GemmTile.PackedFloats(n, k)));
            GemmTile.Pack(false, n, k, b.Data, b.Stride, packed.Data);
            foreach (bool transposed in new[] { false, true })
            {
                using var c = new GemmGuardedMatrix(m, n, n + 2);
                for (int i = 0; i < m; i++)
                {
                    for (int j = 0; j < n; j++)
                    {
                        c[i, j] = before[i, j];
                    }
                }

                GemmTile.Multiply(m, n, k, a.Data, transposed ? 1 : a.Stride, transposed ? a.Stride : 1, packed.Data, c.Data, c.Stride, accumulate, scale);
                for (int i = 0; i < m; i++)
                {
                    for (int j = 0; j < n; j++)
                    {
                        double sum = accumulate ? before[i, j] : 0;
                        double magnitude = Math.Abs(sum);
                        for (int p = 0; p < k; p++)
                        {
                            double term = (double)scale * (transposed ? a[p, i] : a[i, p]) * b[p, j];
                            sum += term;
                            magnitude += Math.Abs(term);
                        }

                        Assert.True(Math.Abs(c[i, j] - sum) <= Tolerance * magnitude, $"{m} {n} {k} transposed {transposed}: {c[i, j]} for {sum}");
                    }
                }

                Assert.True(c.CanariesAreIntact());
            }
        }
    }
}
