namespace Limbeck.Training.Loop;

/// <summary>Where a teacher's outputs may be kept, and how much of them.</summary>
/// <param name="Enabled">False computes them whenever they are needed.</param>
/// <param name="Directory">The cache's folder; null for the platform's own.</param>
/// <param name="LimitBytes">A stage whose outputs would take more runs its teacher live, and says so.</param>
public sealed record CacheOptions(bool Enabled = true, string? Directory = null, long LimitBytes = CacheOptions.DefaultLimit)
{
    /// <summary>20 GB.</summary>
    public const long DefaultLimit = 20L * 1000 * 1000 * 1000;
}
