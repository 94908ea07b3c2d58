using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;

namespace Limbeck.Models;

/// <summary>BERT's pooler: tanh of a dense layer over each sequence's first token.</summary>
public sealed class BertPooler
{
    private readonly Parameter weight;
    private readonly Parameter bias;

    /// <summary>A pooler of zeros.</summary>
    /// <param name="config">Sizes.</param>
    public BertPooler(BertConfig config)
    {
        weight = new Parameter("bert.pooler.dense.weight", config.HiddenSize, config.HiddenSize);
        bias = new Parameter("bert.pooler.dense.bias", config.HiddenSize);
    }

    /// <summary>All weights.</summary>
    public IReadOnlyList<Parameter> Parameters => [weight, bias];

    /// <summary>Pools.</summary>
    /// <param name="tape">Where to compute.</param>
    /// <param name="hidden">[T, H]: the last layer's output.</param>
    /// <param name="batch">Where sequences begin.</param>
    /// <returns>[S, H].</returns>
    public Tensor Forward(Tape tape, Tensor hidden, PackedBatch batch)
    {
        Tensor first = tape.FirstTokens(hidden, batch);
        Tensor pooled = tape.Linear(first, weight, bias, Activation.Tanh);
        tape.Release(first);
        return pooled;
    }
}
