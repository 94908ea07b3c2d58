using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace Limbeck.Training.Loop;

/// <summary>SHA-256 of files and texts, as 64 lower-case hexadecimal digits. Thread-safe.</summary>
public static class RunHash
{
    private static readonly ConcurrentDictionary<(string Path, long Size, long Modified), string> Known = new();

    /// <summary>The hash of a file's bytes, read once: it is remembered while path, size and time of change stay the same.</summary>
    /// <param name="path">The file; read in pieces, so its size does not matter.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    public static string OfFile(string path)
    {
        FileInfo info = new(Path.GetFullPath(path));
        if (!info.Exists)
        {
            throw new FileNotFoundException($"{path}: there is no such file to hash.", path);
        }

        (string, long, long) key = (info.FullName, info.Length, info.LastWriteTimeUtc.Ticks);
        if (!Known.TryGetValue(key, out string? hash))
        {
            using FileStream file = new(info.FullName, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1 << 20);
            hash = Convert.ToHexStringLower(SHA256.HashData(file));
            Known[key] = hash;
        }

        return hash;
    }

    /// <summary>The hash of a text's UTF-8 bytes.</summary>
    /// <param name="text">The text.</param>
    public static string OfText(string text) => OfBytes(Encoding.UTF8.GetBytes(text));

    /// <summary>The hash of some bytes.</summary>
    /// <param name="bytes">The bytes.</param>
    public static string OfBytes(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        return Convert.ToHexStringLower(hash);
    }
}
