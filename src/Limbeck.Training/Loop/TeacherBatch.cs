using Limbeck.Tensors;

namespace Limbeck.Training.Loop;

/// <summary>A teacher's outputs for one packed batch.</summary>
public sealed class TeacherBatch
{
    private readonly IReadOnlyDictionary<int, Tensor> hidden;
    private readonly IReadOnlyDictionary<int, Tensor> scores;

    /// <summary>Puts outputs together.</summary>
    /// <param name="logits">[S * C].</param>
    /// <param name="hidden">By layer, 0 for the embedding block: [T, H].</param>
    /// <param name="scores">By layer, from 1: packed raw attention scores.</param>
    public TeacherBatch(float[] logits, IReadOnlyDictionary<int, Tensor> hidden, IReadOnlyDictionary<int, Tensor> scores)
    {
        Logits = logits;
        this.hidden = hidden;
        this.scores = scores;
    }

    /// <summary>[S * C], row-major; empty when not asked for.</summary>
    public float[] Logits { get; }

    /// <summary>A layer's hidden states [T, H].</summary>
    /// <param name="layer">0 for the embedding block, then 1 to L.</param>
    public Tensor Hidden(int layer) => hidden[layer];

    /// <summary>A layer's raw attention scores, packed.</summary>
    /// <param name="layer">1 to L.</param>
    public Tensor Scores(int layer) => scores[layer];
}
