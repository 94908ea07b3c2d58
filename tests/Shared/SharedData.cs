namespace Limbeck.TestData;

/// <summary>The reference data that some tests compare with: a folder named by the environment variable LIMBECK_SHARED.</summary>
internal static class SharedData
{
    /// <summary>The folder, or null when the variable is unset or names nothing.</summary>
    public static string? Root { get; } =
        Environment.GetEnvironmentVariable("LIMBECK_SHARED") is { Length: > 0 } path && Directory.Exists(path) ? Path.GetFullPath(path) : null;

    /// <summary>The full path of a file or folder below the root; the calling test is skipped when it is not there.</summary>
    public static string Require(params string[] parts)
    {
        Skip.If(Root is null, "LIMBECK_SHARED does not name a folder of reference data");
        string path = Path.Combine([Root!, .. parts]);
        Skip.IfNot(File.Exists(path) || Directory.Exists(path), $"the reference data has no {Path.Combine(parts)}");
        return path;
    }
}
