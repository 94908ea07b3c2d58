using Limbeck.Checkpoints;
using Limbeck.Models;

namespace Limbeck.Tests.Checkpoints;

/// <summary>A BERT classifier in double precision, slow and plain: says whether weights were read right, with no kernel in between.</summary>
internal sealed class ReferenceClassifier(BertConfig config, NamedWeights weights)
{
    /// <summary>[C] logits of one sequence, all of segment 0.</summary>
    public double[] Logits(int[] ids)
    {
        int hidden = config.HiddenSize;
        double[] words = Tensor("bert.embeddings.word_embeddings.weight"), positions = Tensor("bert.embeddings.position_embeddings.weight"), types = Tensor("bert.embeddings.token_type_embeddings.weight");
        double[][] states = [.. ids.Select((id, t) => Norm("bert.embeddings.LayerNorm", [.. Enumerable.Range(0, hidden).Select(h => words[(id * hidden) + h] + positions[(t * hidden) + h] + types[h])]))];
        for (int layer = 0; layer < config.LayerCount; layer++)
        {
            string name = $"bert.encoder.layer.{layer}.";
            double[][] attended = Attend(name, states);
            states = [.. states.Zip(attended, (state, context) => Norm(name + "attention.output.LayerNorm", Sum(state, Linear(name + "attention.output.dense", context))))];
            states = [.. states.Select(state => Norm(name + "output.LayerNorm", Sum(state, Linear(name + "output.dense", [.. Linear(name + "intermediate.dense", state).Select(Gelu)]))))];
        }
        return Linear("classifier", [.. Linear("bert.pooler.dense", states[0]).Select(Math.Tanh)]);
    }

    private double[][] Attend(string name, double[][] states)
    {
        double[][] queries = [.. states.Select(state => Linear(name + "attention.self.query", state))];
        double[][] keys = [.. states.Select(state => Linear(name + "attention.self.key", state))];
        double[][] values = [.. states.Select(state => Linear(name + "attention.self.value", state))];
        int size = config.HeadSize;
        return [.. queries.Select(query =>
        {
            var context = new double[config.HiddenSize];
            for (int first = 0; first < context.Length; first += size)
            {
                double[] scores = [.. keys.Select(key => Math.Exp(Enumerable.Range(first, size).Sum(i => query[i] * key[i]) / Math.Sqrt(size)))];
                for (int t = 0; t < scores.Length; t++)
                {
                    for (int i = first; i < first + size; i++)
                    {
                        context[i] += scores[t] / scores.Sum() * values[t][i];
                    }
                }
            }
            return context;
        })];
    }

    private double[] Linear(string name, double[] input)
    {
        double[] weight = Tensor(name + ".weight"), bias = Tensor(name + ".bias");
        return [.. bias.Select((b, o) => b + input.Select((x, i) => x * weight[(o * input.Length) + i]).Sum())];
    }

    private double[] Norm(string name, double[] input)
    {
        double[] weight = Tensor(name + ".weight"), bias = Tensor(name + ".bias");
        double mean = input.Average(), scale = 1 / Math.Sqrt(input.Average(x => (x - mean) * (x - mean)) + config.LayerNormEpsilon);
        return [.. input.Select((x, i) => ((x - mean) * scale * weight[i]) + bias[i])];
    }

    private double[] Tensor(string name)
    {
        var values = new float[weights.Entries[name].Count];
        weights.Read(name, values);
        return [.. values.Select(value => (double)value)];
    }

    private static double[] Sum(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];

    private static double Gelu(double x) => 0.5 * x * (1 + Erf(x / Math.Sqrt(2)));

    /// <summary>By its Maclaurin series, which is exact to 1e-13 for the arguments of a small model (below 4).</summary>
    private static double Erf(double x)
    {
        double term = x, sum = x;
        for (int n = 1; n < 200; n++)
        {
            term *= -x * x / n;
            sum += term / ((2 * n) + 1);
        }
        return 2 / Math.Sqrt(Math.PI) * sum;
    }
}
