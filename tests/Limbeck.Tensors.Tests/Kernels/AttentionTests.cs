using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Tests.Kernels;

public sealed unsafe class AttentionTests
{
    private const float Untouched = -12345.678f;

    public static TheoryData<int, int> HeadSizesAndLengths()
    {
        TheoryData<int, int> data = [];
        foreach (int headSize in new[] { 1, 2, 7, 16, 26, 32, 64, 80 })
        {
            for (int length = 1; length <= 70; length += headSize is 26 ? 1 : 3)
            {
                data.Add(headSize, length);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(HeadSizesAndLengths))]
    public void Attention_matches_the_double_reference_for_every_length_and_head_size(int headSize, int length)
    {
        using AttentionCase c = new([length], heads: 2, headSize, seed: (headSize * 1000) + length);
        c.CheckForward();
        c.CheckBackward(throughOutput: true, throughScores: true);
    }

    [Theory]
    [InlineData(16)]
    [InlineData(26)]
    [InlineData(32)]
    [InlineData(64)]
    [InlineData(5)]
    public void A_batch_of_mixed_lengths_matches_the_double_reference(int headSize)
    {
        using AttentionCase c = new([13, 1, 0, 64, 7, 128, 2, 33, 0], heads: 3, headSize, seed: headSize);
        c.CheckForward();
        c.CheckBackward(throughOutput: true, throughScores: true);
    }

    [Theory]
    [InlineData(512, 64)]
    [InlineData(700, 26)]
    [InlineData(1030, 8)]
    public void A_long_sequence_matches_the_double_reference(int length, int headSize)
    {
        using AttentionCase c = new([length, 3], heads: 1, headSize, seed: length);
        c.CheckForward();
        c.CheckBackward(throughOutput: true, throughScores: false);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public void Gradients_flow_through_the_output_the_scores_both_or_neither(bool throughOutput, bool throughScores)
    {
        using AttentionCase c = new([13, 5, 40], heads: 4, headSize: 26, seed: 71);
        c.CheckForward();
        c.CheckBackward(throughOutput, throughScores);
    }

    [Theory]
    [InlineData(0.1f)]
    [InlineData(0.5f)]
    public void Dropout_drops_the_probabilities_that_the_mask_names(float dropout)
    {
        using AttentionCase c = new([13, 1, 70, 33], heads: 3, headSize: 32, seed: 5, dropout: dropout, dropoutKey: 0xC0FFEE);
        c.CheckForward();
        c.CheckBackward(throughOutput: true, throughScores: true);
    }

    [Fact]
    public void What_is_not_asked_for_is_not_needed()
    {
        using AttentionCase c = new([13, 70], heads: 2, headSize: 26, seed: 6);
        c.CheckForward();
        float[] full = c.OutputSpan.ToArray();
        c.OutputSpan.Fill(Untouched);
        using WorkerTeam team = new(1);
        Attention.Forward(c.Sequences, c.Offsets, c.Heads, c.HeadSize, c.Q, c.K, c.V, c.Ld, c.Output, c.Ldo, null, null, null, 0, 0, team);
        Assert.Equal(full, c.OutputSpan.ToArray());
    }

    [Theory]
    [InlineData(1e4f)]
    [InlineData(-1e4f)]
    public void Scores_of_ten_thousand_stay_finite(float score)
    {
        const int HeadSize = 26;
        using AttentionCase c = new([13, 70], heads: 2, HeadSize, seed: 8);
        float side = MathF.Sqrt(MathF.Abs(score) / MathF.Sqrt(HeadSize));
        Random random = new(9);
        foreach (int token in Enumerable.Range(0, c.Tokens))
        {
            for (int j = 0; j < c.Heads * HeadSize; j++)
            {
                c.Q[(token * c.Ld) + j] = side * (random.Next(2) == 0 ? 1 : -1);
                c.K[(token * c.Ld) + j] = MathF.Sign(score) * side * (random.Next(4) == 0 ? 1 : -1);
            }
        }

        for (int j = 0; j < c.Heads * HeadSize; j++)
        {
            c.Q[j] = side;
            c.K[j] = MathF.Sign(score) * side;
        }

        c.Forward(threads: 1);
        Assert.Equal(score, c.Scores[0], 1f);
        Assert.All(c.OutputSpan.ToArray(), x => Assert.True(float.IsFinite(x)));
        Assert.All(c.ProbabilitiesSpan.ToArray(), x => Assert.True(x is >= 0 and <= 1.000001f));
        c.Backward(throughOutput: true, throughScores: false, threads: 1);
        Assert.All(c.GradientsSpan.ToArray(), x => Assert.True(float.IsFinite(x)));
    }

    [Fact]
    public void Not_a_number_is_not_hidden()
    {
        using AttentionCase c = new([20], heads: 1, headSize: 26, seed: 10);
        c.K[7 * c.Ld] = float.NaN;
        c.Forward(threads: 1);
        Assert.All(c.OutputSpan.ToArray()[..26], x => Assert.True(float.IsNaN(x)));
    }

    [Fact]
    public void Gradients_match_finite_differences()
    {
        using AttentionCase c = new([5, 9], heads: 2, headSize: 7, seed: 12, dropout: 0.2f, dropoutKey: 99);
        c.Forward(threads: 1);
        c.Backward(throughOutput: true, throughScores: true, threads: 1);
        AttentionReference plain = c.Reference();
        double Loss(double[] q, double[] k, double[] v)
        {
            AttentionReference r = new(plain.Offsets, plain.Heads, plain.HeadSize, q, k, v, plain.Keep);
            double loss = 0;
            for (int i = 0; i < r.Output.Length; i++)
            {
                loss += r.Output[i] * c.GradOutput[(i / (c.Heads * c.HeadSize) * c.Ldo) + (i % (c.Heads * c.HeadSize))];
            }

            for (int i = 0; i < r.Scores.Length; i++)
            {
                loss += r.Scores[i] * c.GradScores[i];
            }

            return loss;
        }

        const double Step = 1e-5;
        double[][] inputs = [plain.Q, plain.K, plain.V];
        float*[] gradients = [c.GradQ, c.GradK, c.GradV];
        int hidden = c.Heads * c.HeadSize;
        for (int which = 0; which < 3; which++)
        {
            for (int i = 0; i < inputs[which].Length; i++)
            {
                double[][] moved = [(double[])plain.Q.Clone(), (double[])plain.K.Clone(), (double[])plain.V.Clone()];
                moved[which][i] += Step;
                double up = Loss(moved[0], moved[1], moved[2]);
                moved[which][i] -= 2 * Step;
                double down = Loss(moved[0], moved[1], moved[2]);
                double expected = (up - down) / (2 * Step);
                double got = gradients[which][(i / hidden * c.Ldg) + (i % hidden)];
                Assert.True(Math.Abs(expected - got) <= 1e-5 * Math.Max(1, Math.Abs(expected)), $"input {which} element {i}: got {got}, expected {expected}");
            }
        }
    }

    [Fact]
    public void Any_number_of_threads_gives_the_same_bits()
    {
        using AttentionCase c = new([13, 128, 5, 64, 200, 2, 13, 13, 90], heads: 12, headSize: 26, seed: 13, dropout: 0.1f, dropoutKey: 7);
        c.Forward(threads: 1);
        c.Backward(throughOutput: true, throughScores: true, threads: 1);
        float[] output = c.OutputSpan.ToArray();
        float[] gradients = c.GradientsSpan.ToArray();
        foreach (int threads in new[] { 2, 3 })
        {
            c.Forward(threads);
            c.Backward(throughOutput: true, throughScores: true, threads);
            Assert.Equal(output, c.OutputSpan.ToArray());
            Assert.Equal(gradients, c.GradientsSpan.ToArray());
        }
    }

    [Fact]
    public void A_steady_state_call_allocates_nothing_managed()
    {
        using AttentionCase c = new([13, 64, 5], heads: 12, headSize: 26, seed: 14);
        using WorkerTeam team = new(1);
        long before = 0;
        for (int i = 0; i < 3; i++)
        {
            before = GC.GetAllocatedBytesForCurrentThread();
            c.Forward(team);
            c.Backward(true, true, team);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void Sizes_that_do_not_fit_are_refused_with_both_numbers()
    {
        using AttentionCase c = new([4], heads: 2, headSize: 8, seed: 15);
        using WorkerTeam team = new(1);
        Assert.Contains("at least 16", Refusal(() => Attention.Forward(1, c.Offsets, 2, 8, c.Q, c.K, c.V, 15, c.Output, 16, null, null, null, 0, 0, team)), StringComparison.Ordinal);
        Assert.Contains("dropout is 1", Refusal(() => Attention.Forward(1, c.Offsets, 2, 8, c.Q, c.K, c.V, 16, c.Output, 16, null, null, null, 1, 0, team)), StringComparison.Ordinal);
        Assert.Contains("logSumExp", Refusal(() => Attention.Backward(1, c.Offsets, 2, 8, c.Q, c.K, c.V, 16, c.Output, c.Output, 16, null, null, c.GradQ, c.GradK, c.GradV, 16, 0, 0, team)), StringComparison.Ordinal);
    }

    private static string Refusal(Action call) => Assert.Throws<ArgumentException>(call).Message;
}
