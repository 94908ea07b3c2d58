using System.Runtime.InteropServices;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Tests.Kernels;

/// <summary>One random batch with its buffers: rows have gaps between them, every buffer ends at its last element, and canaries stand in the gaps and around.</summary>
internal sealed unsafe class AttentionCase : IDisposable
{
    // Largest |difference| / max(1, largest |reference|) over a whole array. Worst seen on all tiers: 9.6e-7 (output) and 1.5e-6 (dk).
    private const double ForwardTolerance = 2e-6;
    private const double GradientTolerance = 3e-6;

    private const int Guard = 32;
    private const float Canary = -12345.678f;

    private readonly List<(nint Memory, int Length)> buffers = [];
    private readonly float dropout;
    private readonly uint dropoutKey;
    private readonly int scoreCount;
    private readonly int hidden;

    public AttentionCase(int[] lengths, int heads, int headSize, int seed, float dropout = 0, uint dropoutKey = 0)
    {
        this.dropout = dropout;
        this.dropoutKey = dropoutKey;
        Heads = heads;
        HeadSize = headSize;
        Seed = seed;
        Sequences = lengths.Length;
        hidden = heads * headSize;
        Offsets = (int*)Allocate(Sequences + 1);
        Offsets[0] = 0;
        for (int s = 0; s < Sequences; s++)
        {
            Offsets[s + 1] = Offsets[s] + lengths[s];
        }

        Tokens = Offsets[Sequences];
        Ld = (3 * hidden) + 5;
        Ldo = hidden + 3;
        Ldg = (3 * hidden) + 1;
        scoreCount = checked((int)Attention.ScoreCount(Sequences, Offsets, heads));

        Q = Allocate(Span(Ld, 3 * hidden));
        K = Q + hidden;
        V = Q + (2 * hidden);
        Output = Allocate(Span(Ldo, hidden));
        GradOutput = Allocate(Span(Ldo, hidden));
        Scores = Allocate(scoreCount);
        Probabilities = Allocate(scoreCount);
        GradScores = Allocate(scoreCount);
        LogSumExp = Allocate(heads * Tokens);
        GradQ = Allocate(Span(Ldg, 3 * hidden));
        GradK = GradQ + hidden;
        GradV = GradQ + (2 * hidden);

        Random random = new(seed);
        Randomize(random, Q, Span(Ld, 3 * hidden), 1);
        Randomize(random, GradOutput, Span(Ldo, hidden), 1);
        Randomize(random, GradScores, scoreCount, 0.1);
    }

    public int Seed { get; }

    public int Sequences { get; }

    public int* Offsets { get; }

    public int Tokens { get; }

    public int Heads { get; }

    public int HeadSize { get; }

    public int Ld { get; }

    public int Ldo { get; }

    public int Ldg { get; }

    public float* Q { get; }

    public float* K { get; }

    public float* V { get; }

    public float* Output { get; }

    public float* GradOutput { get; }

    public float* Scores { get; }

    public float* Probabilities { get; }

    public float* GradScores { get; }

    public float* LogSumExp { get; }

    public float* GradQ { get; }

    public float* GradK { get; }

    public float* GradV { get; }

    public Span<float> OutputSpan => new(Output, Span(Ldo, hidden));

    public Span<float> ScoresSpan => new(Scores, scoreCount);

    public Span<float> ProbabilitiesSpan => new(Probabilities, scoreCount);

    public Span<float> GradientsSpan => new(GradQ, Span(Ldg, 3 * hidden));

    public void Forward(WorkerTeam team) =>
        Attention.Forward(Sequences, Offsets, Heads, HeadSize, Q, K, V, Ld, Output, Ldo, Scores, Probabilities, LogSumExp, dropout, dropoutKey, team);

    public void Backward(bool throughOutput, bool throughScores, WorkerTeam team) =>
        Attention.Backward(
            Sequences,
            Offsets,
            Heads,
            HeadSize,
            Q,
            K,
            V,
            Ld,
            throughOutput ? Output : null,
            throughOutput ? GradOutput : null,
            Ldo,
            throughScores ? GradScores : null,
            throughOutput ? LogSumExp : null,
            GradQ,
            GradK,
            GradV,
            Ldg,
            dropout,
            dropoutKey,
            team);

    public void Forward(int threads)
    {
        using WorkerTeam team = new(threads);
        Forward(team);
    }

    public void Backward(bool throughOutput, bool throughScores, int threads)
    {
        using WorkerTeam team = new(threads);
        Backward(throughOutput, throughScores, team);
    }

    public AttentionReference Reference()
    {
        double[] keep = new double[scoreCount];
        for (int i = 0; i < scoreCount; i++)
        {
            keep[i] = dropout == 0 ? 1 : DropoutMask.Keeps(dropoutKey, (uint)i, dropout) ? 1 / (1 - (double)dropout) : 0;
        }

        int[] offsets = new Span<int>(Offsets, Sequences + 1).ToArray();
        return new AttentionReference(offsets, Heads, HeadSize, Dense(Q, Ld), Dense(K, Ld), Dense(V, Ld), keep);
    }

    /// <summary>Runs forward and compares all it writes.</summary>
    public void CheckForward()
    {
        Forward(1);
        AttentionReference reference = Reference();
        Compare("scores", reference.Scores, Widen(Scores, scoreCount), ForwardTolerance);
        Compare("probabilities", reference.Probabilities, Widen(Probabilities, scoreCount), ForwardTolerance);
        Compare("logSumExp", reference.LogSumExp, Widen(LogSumExp, Heads * Tokens), ForwardTolerance);
        Compare("output", reference.Output, Dense(Output, Ldo), ForwardTolerance);
        CheckCanaries();
    }

    /// <summary>Runs backward after a forward pass and compares all it writes.</summary>
    public void CheckBackward(bool throughOutput, bool throughScores)
    {
        Backward(throughOutput, throughScores, 1);
        AttentionReference reference = Reference();
        reference.Backward(throughOutput ? Dense(GradOutput, Ldo) : null, throughScores ? Widen(GradScores, scoreCount) : null);
        Compare("dq", reference.GradQ, Dense(GradQ, Ldg), GradientTolerance);
        Compare("dk", reference.GradK, Dense(GradK, Ldg), GradientTolerance);
        Compare("dv", reference.GradV, Dense(GradV, Ldg), GradientTolerance);
        CheckCanaries();
    }

    public void Dispose()
    {
        foreach ((nint memory, _) in buffers)
        {
            NativeMemory.Free((void*)memory);
        }
    }

    private static void Randomize(Random random, float* to, int count, double scale)
    {
        for (int i = 0; i < count; i++)
        {
            double normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            to[i] = (float)(normal * scale);
        }
    }

    private static double[] Widen(float* from, int count)
    {
        double[] wide = new double[count];
        for (int i = 0; i < count; i++)
        {
            wide[i] = from[i];
        }

        return wide;
    }

    private int Span(int stride, int columns) => Tokens == 0 ? 0 : ((Tokens - 1) * stride) + columns;

    private double[] Dense(float* from, int stride)
    {
        double[] dense = new double[Tokens * hidden];
        for (int i = 0; i < dense.Length; i++)
        {
            dense[i] = from[(i / hidden * stride) + (i % hidden)];
        }

        return dense;
    }

    private float* Allocate(int count)
    {
        float* memory = (float*)NativeMemory.Alloc((nuint)(count + (2 * Guard)), sizeof(float));
        new Span<float>(memory, count + (2 * Guard)).Fill(Canary);
        buffers.Add(((nint)memory, count));
        return memory + Guard;
    }

    private void Compare(string what, double[] expected, double[] got, double tolerance)
    {
        double size = 1;
        double worst = 0;
        int at = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            size = Math.Max(size, Math.Abs(expected[i]));
            double error = Math.Abs(expected[i] - got[i]);
            if (!(error <= worst))
            {
                worst = error;
                at = i;
            }
        }

        Assert.True(worst <= tolerance * size, $"{what}[{at}] is {got[at]}, expected {expected[at]}; largest magnitude {size}, D {HeadSize}, seed {Seed}");
    }

    private void CheckCanaries()
    {
        foreach ((nint memory, int length) in buffers)
        {
            float* buffer = (float*)memory;
            for (int i = 0; i < Guard; i++)
            {
                Assert.Equal(Canary, buffer[i]);
                Assert.Equal(Canary, buffer[Guard + length + i]);
            }
        }

        for (int t = 0; t + 1 < Tokens; t++)
        {
            for (int j = hidden; j < Ldo; j++)
            {
                Assert.Equal(Canary, Output[(t * Ldo) + j]);
            }

            for (int j = 3 * hidden; j < Ldg; j++)
            {
                Assert.Equal(Canary, GradQ[(t * Ldg) + j]);
            }
        }
    }
}
