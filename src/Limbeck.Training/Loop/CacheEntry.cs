namespace Limbeck.Training.Loop;

/// <summary>A file of the cache.</summary>
/// <param name="Key">The hash of all that its content depends on.</param>
/// <param name="Path">Where it lies.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="LastUsed">When it was last opened.</param>
/// <param name="Complete">False for one that is being written, or that a killed run left.</param>
/// <param name="Description">A JSON text that tells what made it; empty where that cannot be read.</param>
public sealed record CacheEntry(string Key, string Path, long Bytes, DateTimeOffset LastUsed, bool Complete, string Description);
