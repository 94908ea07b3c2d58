using System.Globalization;

namespace Limbeck.Training.Optimization;

/// <summary>What the learning rate is multiplied with at each update: a pure function of the step, so a resumed run needs no state of it.</summary>
/// <remarks>
/// Two families that differ in detail. transformers' count the warm-up in steps: <c>step / max(1, warmup)</c>, then
/// <c>max(0, (total - step) / max(1, total - warmup))</c>. BertAdam's (TinyBERT's optimization.py) work on x = step / total:
/// <c>x / warmup</c>, then <c>max(0, (x - 1) / (warmup - 1))</c>; a negative total or warm-up switches schedule or warm-up off.
/// Step 0 is the first update, so the first update under a warm-up has rate 0 in both.
/// </remarks>
public sealed record LearningRateSchedule
{
    private static readonly Dictionary<string, LearningRateKind> Kinds = new(StringComparer.OrdinalIgnoreCase)
    {
        ["linear"] = LearningRateKind.Linear,
        ["constant"] = LearningRateKind.Constant,
        ["constant_with_warmup"] = LearningRateKind.ConstantWithWarmup,
        ["warmup_linear"] = LearningRateKind.BertAdamWarmupLinear,
        ["warmup_constant"] = LearningRateKind.BertAdamWarmupConstant,
        ["none"] = LearningRateKind.BertAdamNone,
    };

    private LearningRateSchedule(LearningRateKind kind, double warmupRatio, long? warmupSteps)
    {
        Kind = kind;
        WarmupRatio = warmupRatio;
        WarmupSteps = warmupSteps;
    }

    /// <summary>The shape.</summary>
    public LearningRateKind Kind { get; }

    /// <summary>The warm-up as a fraction of all steps; used where <see cref="WarmupSteps"/> is null.</summary>
    public double WarmupRatio { get; }

    /// <summary>The warm-up in steps, or null where it is given as a fraction.</summary>
    public long? WarmupSteps { get; }

    /// <summary>The names that <see cref="Parse"/> knows, in the order to show them.</summary>
    public static IReadOnlyCollection<string> Names => Kinds.Keys;

    /// <summary>A schedule by its name.</summary>
    /// <param name="name">linear, constant, constant_with_warmup (transformers); warmup_linear, warmup_constant, none (BertAdam). Hyphens may stand for underscores.</param>
    /// <param name="warmupRatio">Warm-up as a fraction of all steps, 0 to 1; BertAdam's also take -1 for none and refuse 1.</param>
    /// <param name="warmupSteps">Warm-up in steps; where given, the fraction is ignored.</param>
    /// <exception cref="ArgumentException">An unknown name, or a warm-up out of range; the message has what is allowed.</exception>
    public static LearningRateSchedule Parse(string name, double warmupRatio = 0, long? warmupSteps = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (!Kinds.TryGetValue(name.Trim().Replace('-', '_'), out LearningRateKind kind))
        {
            throw new ArgumentException($"learning-rate schedule '{name}' is not known; use one of {string.Join(", ", Names)}.", nameof(name));
        }

        bool bertAdam = kind >= LearningRateKind.BertAdamWarmupLinear;
        bool inRange = bertAdam ? warmupRatio is -1 or (>= 0 and < 1) : warmupRatio is >= 0 and <= 1;
        if (warmupSteps is null && !inRange)
        {
            string allowed = bertAdam ? "0 <= ratio < 1, or -1 for none" : "0 <= ratio <= 1";
            throw new ArgumentException(
                string.Create(CultureInfo.InvariantCulture, $"the warm-up ratio of schedule '{name}' is {warmupRatio}; it must be {allowed}. For a number of steps use the warm-up steps."), nameof(warmupRatio));
        }

        if (warmupSteps < 0)
        {
            throw new ArgumentException($"the warm-up of schedule '{name}' is {warmupSteps} steps; it must be 0 or more.", nameof(warmupSteps));
        }

        return new LearningRateSchedule(kind, warmupRatio, warmupSteps);
    }

    /// <summary>The factor on the base learning rate.</summary>
    /// <param name="step">Updates done before this one: 0 at the first. May lie past the end.</param>
    /// <param name="totalSteps">Updates of the whole run; for BertAdam's schedules a negative number means not known, and gives 1.</param>
    /// <returns>0 or more; 1 is the base learning rate.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A negative step, or a ratio of a run of unknown length.</exception>
    public double Multiplier(long step, long totalSteps)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        return Kind switch
        {
            LearningRateKind.Constant or LearningRateKind.BertAdamNone => 1,
            LearningRateKind.Linear => Linear(step, totalSteps, Warmup(totalSteps)),
            LearningRateKind.ConstantWithWarmup => Rise(step, Warmup(totalSteps)) ?? 1,
            _ => BertAdam(step, totalSteps),
        };
    }

    private static double Linear(long step, long totalSteps, long warmup) =>
        Rise(step, warmup) ?? Math.Max(0.0, (double)(totalSteps - step) / Math.Max(1, totalSteps - warmup));

    /// <summary>The rising part, null when it is over.</summary>
    private static double? Rise(long step, long warmup) => step < warmup ? (double)step / Math.Max(1, warmup) : null;

    /// <summary>The warm-up in steps; a fraction is rounded up, as transformers' Trainer does.</summary>
    private long Warmup(long totalSteps)
    {
        if (WarmupSteps is long steps)
        {
            return steps;
        }

        if (WarmupRatio > 0)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(totalSteps);
        }

        return (long)Math.Ceiling(totalSteps * WarmupRatio);
    }

    private double BertAdam(long step, long totalSteps)
    {
        if (totalSteps < 0)
        {
            return 1;
        }

        double progress = step / (double)Math.Max(1, totalSteps);
        double warmup = WarmupSteps is long steps ? steps / (double)Math.Max(1, totalSteps) : Math.Max(WarmupRatio, 0);
        if (progress < warmup)
        {
            return progress / warmup;
        }

        if (Kind == LearningRateKind.BertAdamWarmupConstant)
        {
            return 1;
        }

        return warmup < 1 ? Math.Max(0.0, (progress - 1) / (warmup - 1)) : 0;
    }
}
