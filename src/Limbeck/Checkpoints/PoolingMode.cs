namespace Limbeck.Checkpoints;

/// <summary>How token states become one vector for a text.</summary>
public enum PoolingMode
{
    /// <summary>The mean of all tokens' states.</summary>
    Mean,

    /// <summary>The state of the first token, [CLS].</summary>
    Cls,
}
