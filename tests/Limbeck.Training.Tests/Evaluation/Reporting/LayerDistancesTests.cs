using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;
using Limbeck.Training.Compression;
using Limbeck.Training.Data;
using Limbeck.Training.Evaluation.Reporting;

namespace Limbeck.Training.Tests.Evaluation.Reporting;

public sealed class LayerDistancesTests
{
    /// <summary>Against the definition in double; the worst error seen was 1.8e-7 (a shift and scale in float32).</summary>
    private const double Tolerance = 2e-6;

    private static readonly WorkerTeam Team = WorkerTeam.Default;

    [Theory]
    [InlineData(40, 7, 11, 1)]
    [InlineData(100, 24, 24, 2)]
    [InlineData(30, 20, 5, 3)]
    public void The_distance_agrees_with_its_definition_over_the_kernels(int rows, int width, int other, ulong seed)
    {
        using Tensor x = Random(rows, width, seed, mean: 3);
        using Tensor y = Mixed(x, other, seed + 100);
        double expected = 1 - (Criterion(x, y) / Math.Sqrt(Criterion(x, x) * Criterion(y, y)));
        Assert.InRange(LayerDistances.Distance(x, y, Team)!.Value, Math.Clamp(expected, 0, 1) - Tolerance, Math.Clamp(expected, 0, 1) + Tolerance);
    }

    [Fact]
    public void Shifts_and_scales_do_not_count()
    {
        using Tensor x = Random(60, 12, seed: 4);
        using Tensor y = new(60, 12);
        for (int i = 0; i < x.Length; i++)
        {
            y.Span[i] = (-2.5f * x.Span[i]) + (i % 12);
        }

        Assert.InRange(LayerDistances.Distance(x, y, Team)!.Value, 0, Tolerance);
    }

    [Fact]
    public void Unrelated_layers_are_about_1_apart_even_with_few_tokens()
    {
        using Tensor x = Random(120, 96, seed: 5);
        using Tensor y = Random(120, 64, seed: 6);
        Assert.InRange(LayerDistances.Distance(x, y, Team)!.Value, 0.9, 1);
    }

    [Fact]
    public void A_layer_that_does_not_vary_has_no_distance()
    {
        using Tensor x = Random(20, 4, seed: 7);
        using Tensor y = new(20, 4);
        Assert.Null(LayerDistances.Distance(x, y, Team));
    }

    [Fact]
    public void A_model_is_at_no_distance_from_itself_and_another_one_is_at_some()
    {
        EncodedDataset rows = TinyWorld.Encoded(100, 3);
        using BertModel model = TinyWorld.Model(TinyWorld.Config(), 1);
        using BertModel other = TinyWorld.Model(TinyWorld.Config(), 2);
        LayerMap map = LayerMap.Uniform(2, 2);
        ReportLayers same = LayerDistances.Measure(model.Encoder, rows, model.Encoder, rows, map, Team)!;
        Assert.Equal([(0, 0), (1, 1), (2, 2)], same.Pairs.Select(pair => (pair.Student, pair.Teacher)));
        Assert.All(same.Pairs, pair => Assert.InRange(pair.HiddenDistance!.Value, 0, Tolerance));
        Assert.Equal([null, 0, 0], same.Pairs.Select(pair => pair.AttentionDivergence));
        Assert.Equal((LayerDistances.MostRows, "tiny"), (same.Rows, same.Data));
        ReportLayers apart = LayerDistances.Measure(model.Encoder, rows, other.Encoder, rows, map, Team)!;
        Assert.All(apart.Pairs, pair => Assert.InRange(pair.HiddenDistance!.Value, 0.01, 1));
        Assert.All(apart.Pairs.Skip(1), pair => Assert.True(pair.AttentionDivergence > 0));
    }

    [Fact]
    public void Attention_is_left_out_where_the_heads_differ_and_rows_where_the_tokens_do()
    {
        EncodedDataset rows = TinyWorld.Encoded(30, 3);
        EncodedDataset cut = EncodedDataset.Encode(TinyWorld.Data(30, 3), TinyWorld.Tokenizer, 8);
        using BertModel student = TinyWorld.Model(TinyWorld.Config(layers: 1, hidden: 16, heads: 2), 1);
        using BertModel teacher = TinyWorld.Model(TinyWorld.Config(), 2);
        LayerMap map = LayerMap.Uniform(1, 2);
        ReportLayers layers = LayerDistances.Measure(student.Encoder, cut, teacher.Encoder, rows, map, Team)!;
        Assert.All(layers.Pairs, pair => Assert.Null(pair.AttentionDivergence));
        Assert.Equal(rows.Lengths.Count(length => length <= 8), layers.Rows);
        EncodedDataset none = EncodedDataset.Encode(TinyWorld.Data(30, 3), TinyWorld.Tokenizer, 3);
        Assert.Null(LayerDistances.Measure(student.Encoder, none, teacher.Encoder, rows, map, Team));
    }

    /// <summary>The unbiased criterion as Song et al. define it, over kernels without their diagonals.</summary>
    private static double Criterion(Tensor x, Tensor y)
    {
        int n = x.Rows;
        double[,] k = Kernel(x);
        double[,] l = Kernel(y);
        double trace = 0;
        double sumK = 0;
        double sumL = 0;
        double cross = 0;
        for (int i = 0; i < n; i++)
        {
            double rowK = 0;
            double rowL = 0;
            for (int j = 0; j < n; j++)
            {
                trace += k[i, j] * l[j, i];
                rowK += k[i, j];
                rowL += l[i, j];
            }

            sumK += rowK;
            sumL += rowL;
            cross += rowK * rowL;
        }

        return (trace + (sumK * sumL / ((n - 1.0) * (n - 2))) - (2.0 / (n - 2) * cross)) / (n * (n - 3.0));
    }

    private static double[,] Kernel(Tensor x)
    {
        double[,] kernel = new double[x.Rows, x.Rows];
        for (int i = 0; i < x.Rows; i++)
        {
            for (int j = 0; j < x.Rows; j++)
            {
                for (int c = 0; c < x.Columns && i != j; c++)
                {
                    kernel[i, j] += (double)x.Row(i)[c] * x.Row(j)[c];
                }
            }
        }

        return kernel;
    }

    private static Tensor Random(int rows, int columns, ulong seed, double mean = 0)
    {
        SeededRandom random = new(seed);
        Tensor tensor = new(rows, columns);
        foreach (ref float value in tensor.Span)
        {
            value = (float)(mean + random.Gaussian());
        }

        return tensor;
    }

    /// <summary>A random linear map of a matrix, with as much noise as signal.</summary>
    private static Tensor Mixed(Tensor x, int columns, ulong seed)
    {
        using Tensor map = Random(x.Columns, columns, seed);
        Tensor noise = Random(x.Rows, columns, seed + 1);
        for (int i = 0; i < x.Rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                for (int c = 0; c < x.Columns; c++)
                {
                    noise.Row(i)[j] += x.Row(i)[c] * map.Row(c)[j] / MathF.Sqrt(x.Columns);
                }
            }
        }

        return noise;
    }
}
