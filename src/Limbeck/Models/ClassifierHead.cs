using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;

namespace Limbeck.Models;

/// <summary>Hugging Face's sequence classifier over the pooled output: dropout, linear. One label is a regression.</summary>
/// <remarks>With <see cref="BertConfig.HeadActivation"/> "relu" it is TinyBERT's: linear(relu(pooled)), without dropout.</remarks>
public sealed class ClassifierHead
{
    private readonly BertConfig config;
    private readonly Parameter weight;
    private readonly Parameter bias;

    /// <summary>A head of zeros.</summary>
    /// <param name="config">Sizes and labels.</param>
    public ClassifierHead(BertConfig config)
    {
        this.config = config;
        weight = new Parameter("classifier.weight", config.Labels.Count, config.HiddenSize);
        bias = new Parameter("classifier.bias", config.Labels.Count);
    }

    /// <summary>All weights.</summary>
    public IReadOnlyList<Parameter> Parameters => [weight, bias];

    /// <summary>Classifies.</summary>
    /// <param name="tape">Where to compute.</param>
    /// <param name="pooled">[S, H].</param>
    /// <returns>Logits [S, C].</returns>
    public Tensor Forward(Tape tape, Tensor pooled)
    {
        Tensor ready = config.HeadActivation == "relu"
            ? tape.Activate(pooled, Activation.Relu)
            : tape.Dropout(pooled, config.ClassifierDropout ?? config.HiddenDropout);
        return tape.Linear(ready, weight, bias);
    }
}
