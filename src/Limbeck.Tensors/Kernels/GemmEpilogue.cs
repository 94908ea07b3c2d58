namespace Limbeck.Tensors.Kernels;

/// <summary>What a matrix product does to its result while it is still in the cache: bias, then activation. The default does nothing.</summary>
public unsafe struct GemmEpilogue
{
    /// <summary>[n], added to every row; or null.</summary>
    public float* Bias { get; set; }

    /// <summary>Applied last.</summary>
    public Activation Activation { get; set; }

    /// <summary>[m, n] in rows of C's ldc floats: receives the product plus bias as it is before the activation; or null.</summary>
    public float* PreActivation { get; set; }

    /// <summary>Whether there is nothing to do.</summary>
    internal readonly bool IsEmpty => Bias == null && PreActivation == null && Activation == Activation.None;
}
