namespace Limbeck.Tensors.Kernels;

/// <summary>Consecutive (sequence, head) pairs, heads fastest, that one thread computes together.</summary>
internal struct AttentionTask
{
    /// <summary>Sequence of the first pair.</summary>
    public int Sequence;

    /// <summary>Head of the first pair.</summary>
    public int Head;

    /// <summary>Number of pairs.</summary>
    public int Pairs;

    /// <summary>Where the packed scores of the first pair's sequence begin (head 0).</summary>
    public long ScoreBase;
}

/// <summary>The arguments of one attention call, as its tasks see them. Names and shapes as in <see cref="Attention"/>.</summary>
internal unsafe struct AttentionCall
{
    /// <summary>S.</summary>
    public int Sequences;

    /// <summary>[S+1] cumulative token counts.</summary>
    public int* Offsets;

    /// <summary>A.</summary>
    public int Heads;

    /// <summary>D.</summary>
    public int HeadSize;

    /// <summary>T.</summary>
    public int Tokens;

    /// <summary>Tokens of the longest sequence.</summary>
    public int Longest;

    /// <summary>[T, A*D] queries.</summary>
    public float* Q;

    /// <summary>[T, A*D] keys.</summary>
    public float* K;

    /// <summary>[T, A*D] values.</summary>
    public float* V;

    /// <summary>Leading dimension of q, k and v.</summary>
    public int Stride;

    /// <summary>[T, A*D] output.</summary>
    public float* Output;

    /// <summary>[T, A*D] gradient of the output, or null.</summary>
    public float* GradOutput;

    /// <summary>Leading dimension of output and its gradient.</summary>
    public int OutputStride;

    /// <summary>Packed: forward, receives the raw scores; backward, holds their gradient; or null.</summary>
    public float* Scores;

    /// <summary>Packed: receives P, or null.</summary>
    public float* Probabilities;

    /// <summary>[A*T] or null.</summary>
    public float* LogSumExp;

    /// <summary>[T, A*D] gradient of q.</summary>
    public float* GradQ;

    /// <summary>[T, A*D] gradient of k.</summary>
    public float* GradK;

    /// <summary>[T, A*D] gradient of v.</summary>
    public float* GradV;

    /// <summary>Leading dimension of the gradients of q, k and v.</summary>
    public int GradStride;

    /// <summary>Probability of dropping.</summary>
    public float Dropout;

    /// <summary>Key of the mask.</summary>
    public uint DropoutKey;

    /// <summary>The tasks.</summary>
    public AttentionTask* Tasks;

    /// <summary>Working memory, one part a worker.</summary>
    public byte* Scratch;

    /// <summary>Size of a part.</summary>
    public nuint ScratchBytes;
}
