using System.IO.Enumeration;
using Limbeck.Training.Data.Corpus;

namespace Limbeck.Training.Loop;

/// <summary>The folder of what is made once and kept, teachers' outputs and tokenized corpora: where it is, what is in it, what goes.</summary>
public sealed class CacheDirectory
{
    private const string TeacherExtension = ".teacher";
    private const string TokensExtension = ".tokens";
    private const string PartExtension = ".part";
    private static readonly string[] Extensions = [TeacherExtension, TokensExtension];

    /// <summary>A cache in a folder; nothing is made yet.</summary>
    /// <param name="path">The folder; null for <see cref="DefaultPath()"/>.</param>
    public CacheDirectory(string? path = null) => DirectoryPath = Path.GetFullPath(path ?? DefaultPath());

    /// <summary>The folder.</summary>
    public string DirectoryPath { get; }

    /// <summary>Where the cache is when no one says: LIMBECK_CACHE, else <c>limbeck</c> below XDG_CACHE_HOME or the platform's folder for caches.</summary>
    /// <remarks>Linux and other Unix: ~/.cache. macOS: ~/Library/Caches. Windows: %LOCALAPPDATA%.</remarks>
    public static string DefaultPath() => DefaultPath(Environment.GetEnvironmentVariable);

    internal static string DefaultPath(Func<string, string?> environment)
    {
        if (environment("LIMBECK_CACHE") is { Length: > 0 } own)
        {
            return Path.GetFullPath(own);
        }

        // The specification says that a relative path in the variable is invalid and to be ignored.
        if (environment("XDG_CACHE_HOME") is { Length: > 0 } caches && Path.IsPathFullyQualified(caches))
        {
            return Path.Combine(caches, "limbeck");
        }

        if (OperatingSystem.IsWindows())
        {
            return Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData), "limbeck", "cache");
        }

        string home = environment("HOME") is { Length: > 0 } named ? named : Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        return OperatingSystem.IsMacOS() ? Path.Combine(home, "Library", "Caches", "limbeck") : Path.Combine(home, ".cache", "limbeck");
    }

    /// <summary>The file of a teacher's outputs, whether it is there or not.</summary>
    /// <param name="key">The key.</param>
    public string PathOf(string key) => Path.Combine(DirectoryPath, key + TeacherExtension);

    /// <summary>The file of a tokenized corpus, whether it is there or not.</summary>
    /// <param name="key">The key.</param>
    public string TokensPathOf(string key) => Path.Combine(DirectoryPath, key + TokensExtension);

    /// <summary>What is in the cache, last used first.</summary>
    public IReadOnlyList<CacheEntry> List()
    {
        List<CacheEntry> entries = [];
        if (Directory.Exists(DirectoryPath))
        {
            foreach (string path in Directory.EnumerateFiles(DirectoryPath))
            {
                bool part = path.EndsWith(PartExtension, StringComparison.Ordinal);
                string name = Path.GetFileName(part ? WithoutPart(path) : path);
                if (Array.Find(Extensions, end => name.EndsWith(end, StringComparison.Ordinal)) is string extension)
                {
                    FileInfo info = new(path);
                    DateTime used = info.LastAccessTimeUtc > info.LastWriteTimeUtc ? info.LastAccessTimeUtc : info.LastWriteTimeUtc;
                    entries.Add(new CacheEntry(name[..^extension.Length], path, info.Length, new DateTimeOffset(used, TimeSpan.Zero), !part, DescriptionOf(path)));
                }
            }
        }

        return [.. entries.OrderByDescending(static entry => entry.LastUsed).ThenBy(static entry => entry.Key, StringComparer.Ordinal)];
    }

    /// <summary>Removes files of the cache. One that a process is writing just now stays.</summary>
    /// <param name="pattern">A key, its beginning, or a pattern with <c>*</c> and <c>?</c>; null for all.</param>
    /// <returns>What was removed.</returns>
    public IReadOnlyList<CacheEntry> Remove(string? pattern = null)
    {
        List<CacheEntry> removed = [];
        foreach (CacheEntry entry in List())
        {
            bool named = pattern is null || (pattern.Length > 0 && FileSystemName.MatchesSimpleExpression(pattern.EndsWith('*') ? pattern : pattern + "*", entry.Key));
            if (!named)
            {
                continue;
            }

            string path = entry.Complete ? entry.Path : WithoutPart(entry.Path);
            using (FileLock? held = FileLock.TryTake(path + ".lock"))
            {
                if (held is null)
                {
                    continue;
                }

                File.Delete(entry.Path);
                File.Delete(entry.Complete ? TeacherCacheFile.VerifiedPath(path) : TokenStoreBuilder.JournalPath(path));
            }

            File.Delete(path + ".lock");
            removed.Add(entry);
        }

        return removed;
    }

    private static string WithoutPart(string path) => path[..^PartExtension.Length];

    private static string DescriptionOf(string path)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return (path.EndsWith(PartExtension, StringComparison.Ordinal) ? WithoutPart(path) : path).EndsWith(TokensExtension, StringComparison.Ordinal)
                ? TokenStoreHeader.Read(file).Description
                : TeacherCacheHeader.ReadTexts(file).Description;
        }
        catch (Exception error) when (error is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
