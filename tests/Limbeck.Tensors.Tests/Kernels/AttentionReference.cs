namespace Limbeck.Tensors.Tests.Kernels;

/// <summary>Packed attention and its gradients in double precision, element by element, straight from the equations.</summary>
internal sealed class AttentionReference
{
    public AttentionReference(int[] offsets, int heads, int headSize, double[] q, double[] k, double[] v, double[] keep)
    {
        Offsets = offsets;
        Heads = heads;
        HeadSize = headSize;
        Q = q;
        K = k;
        V = v;
        Keep = keep;
        int tokens = offsets[^1];
        long pairs = 0;
        for (int s = 0; s + 1 < offsets.Length; s++)
        {
            long n = offsets[s + 1] - offsets[s];
            pairs += n * n;
        }

        Scores = new double[pairs * heads];
        Probabilities = new double[pairs * heads];
        LogSumExp = new double[heads * tokens];
        Output = new double[tokens * heads * headSize];
        GradQ = new double[Output.Length];
        GradK = new double[Output.Length];
        GradV = new double[Output.Length];
        Forward();
    }

    public int[] Offsets { get; }

    public int Heads { get; }

    public int HeadSize { get; }

    /// <summary>[T, A*D], without gaps, like all matrices here.</summary>
    public double[] Q { get; }

    public double[] K { get; }

    public double[] V { get; }

    /// <summary>Packed: the factors of dropout.</summary>
    public double[] Keep { get; }

    public double[] Scores { get; }

    public double[] Probabilities { get; }

    public double[] LogSumExp { get; }

    public double[] Output { get; }

    public double[] GradQ { get; }

    public double[] GradK { get; }

    public double[] GradV { get; }

    public void Backward(double[]? dOutput, double[]? dScores)
    {
        int hidden = Heads * HeadSize;
        double root = Math.Sqrt(HeadSize);
        EachRow((token, start, n, head, at) =>
        {
            double[] dP = new double[n];
            double inner = 0;
            for (int j = 0; j < n && dOutput is not null; j++)
            {
                for (int d = 0; d < HeadSize; d++)
                {
                    int column = (head * HeadSize) + d;
                    double g = dOutput[(token * hidden) + column];
                    dP[j] += g * V[((start + j) * hidden) + column] * Keep[at + j];
                    GradV[((start + j) * hidden) + column] += g * Probabilities[at + j] * Keep[at + j];
                }

                inner += dP[j] * Probabilities[at + j];
            }

            for (int j = 0; j < n; j++)
            {
                double dS = (Probabilities[at + j] * (dP[j] - inner)) + (dScores is null ? 0 : dScores[at + j]);
                for (int d = 0; d < HeadSize; d++)
                {
                    int column = (head * HeadSize) + d;
                    GradQ[(token * hidden) + column] += dS * K[((start + j) * hidden) + column] / root;
                    GradK[((start + j) * hidden) + column] += dS * Q[(token * hidden) + column] / root;
                }
            }
        });
    }

    private void Forward()
    {
        int hidden = Heads * HeadSize;
        int tokens = Offsets[^1];
        EachRow((token, start, n, head, at) =>
        {
            double largest = double.NegativeInfinity;
            for (int j = 0; j < n; j++)
            {
                double dot = 0;
                for (int column = head * HeadSize; column < (head + 1) * HeadSize; column++)
                {
                    dot += Q[(token * hidden) + column] * K[((start + j) * hidden) + column];
                }

                Scores[at + j] = dot / Math.Sqrt(HeadSize);
                largest = Math.Max(largest, Scores[at + j]);
            }

            double sum = 0;
            for (int j = 0; j < n; j++)
            {
                sum += Math.Exp(Scores[at + j] - largest);
            }

            LogSumExp[(head * tokens) + token] = largest + Math.Log(sum);
            for (int j = 0; j < n; j++)
            {
                Probabilities[at + j] = Math.Exp(Scores[at + j] - largest) / sum;
                for (int column = head * HeadSize; column < (head + 1) * HeadSize; column++)
                {
                    Output[(token * hidden) + column] += Probabilities[at + j] * Keep[at + j] * V[((start + j) * hidden) + column];
                }
            }
        });
    }

    // token, first token of its sequence, length of the sequence, head, position of the row in the packed scores
    private void EachRow(Action<int, int, int, int, int> row)
    {
        int block = 0;
        for (int s = 0; s + 1 < Offsets.Length; s++)
        {
            int n = Offsets[s + 1] - Offsets[s];
            for (int h = 0; h < Heads; h++)
            {
                for (int i = 0; i < n; i++)
                {
                    row(Offsets[s] + i, Offsets[s], n, h, block + (i * n));
                }

                block += n * n;
            }
        }
    }
}
