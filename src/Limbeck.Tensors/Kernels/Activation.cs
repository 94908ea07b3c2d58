namespace Limbeck.Tensors.Kernels;

/// <summary>The element-wise function that a matrix product may apply to its result.</summary>
public enum Activation
{
    /// <summary>The value itself.</summary>
    None = 0,

    /// <summary>Gaussian error linear unit in its exact form, x/2 * (1 + erf(x/sqrt 2)): BERT's "gelu".</summary>
    Gelu = 1,

    /// <summary>Hyperbolic tangent: BERT's pooler.</summary>
    Tanh = 2,

    /// <summary>max(x, 0); NaN stays NaN.</summary>
    Relu = 3,
}
