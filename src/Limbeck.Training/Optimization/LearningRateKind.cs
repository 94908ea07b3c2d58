namespace Limbeck.Training.Optimization;

/// <summary>The shapes that a learning rate may have over a run.</summary>
public enum LearningRateKind
{
    /// <summary>transformers' <c>linear</c>: up to 1 over the warm-up, then down to 0 at the last step.</summary>
    Linear,

    /// <summary>transformers' <c>constant</c>: always 1.</summary>
    Constant,

    /// <summary>transformers' <c>constant_with_warmup</c>: up to 1 over the warm-up, then 1.</summary>
    ConstantWithWarmup,

    /// <summary>BertAdam's <c>warmup_linear</c>: as <see cref="Linear"/>, over the fraction of the run that is done.</summary>
    BertAdamWarmupLinear,

    /// <summary>BertAdam's <c>warmup_constant</c>: as <see cref="ConstantWithWarmup"/>, over the fraction of the run that is done.</summary>
    BertAdamWarmupConstant,

    /// <summary>BertAdam's <c>none</c>: always 1.</summary>
    BertAdamNone,
}
