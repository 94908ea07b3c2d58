using System.Text;

namespace Limbeck.Checkpoints;

/// <summary>Writes whole files so that a reader, or a killed run, sees the old content or the new, never half of either.</summary>
/// <remarks>The bytes go to a temporary sibling, are flushed to the disk, and take the file's name in one rename. What a killed run left behind is swept by the next write of the same file.</remarks>
public static class AtomicFile
{
    /// <summary>A temporary file younger than this is never swept: its writer may be between creating and locking it.</summary>
    private static readonly TimeSpan SweepAge = TimeSpan.FromMinutes(1);

    /// <summary>Replaces or creates a file. When <paramref name="write"/> throws, or the disk is full, the temporary is deleted and the old file stays.</summary>
    /// <param name="path">The file; its directory is there already.</param>
    /// <param name="write">Writes the content; the stream may be sought.</param>
    /// <exception cref="IOException">The file cannot be written; the message names it.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        string full = Path.GetFullPath(path);
        string directory = Path.GetDirectoryName(full) ?? throw new IOException($"{path}: is not the path of a file");
        if (!Directory.Exists(directory))
        {
            throw new DirectoryNotFoundException($"{path}: there is no directory {directory} to write into");
        }
        string name = Path.GetFileName(full);
        Sweep(directory, name);
        string temporary = Path.Combine(directory, $".{name}.{Guid.NewGuid():N}.tmp");
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, bufferSize: 1 << 20))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, full, overwrite: true);
        }
        catch
        {
            Delete(temporary);
            throw;
        }
    }

    /// <summary>Replaces or creates a text file, UTF-8 without a byte order mark.</summary>
    /// <param name="path">The file; its directory is there already.</param>
    /// <param name="text">The whole content.</param>
    public static void WriteText(string path, string text) => Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));

    /// <summary>Deletes temporaries of this file whose writers have died: old enough, and locked by nobody.</summary>
    private static void Sweep(string directory, string name)
    {
        foreach (string stale in Directory.EnumerateFiles(directory, $".{name}.*.tmp"))
        {
            try
            {
                if (DateTime.UtcNow - File.GetLastWriteTimeUtc(stale) > SweepAge)
                {
                    using (new FileStream(stale, FileMode.Open, FileAccess.ReadWrite, FileShare.None))
                    {
                    }
                    File.Delete(stale);
                }
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // Another process is writing it, or it is not ours to delete: leave it.
            }
        }
    }

    private static void Delete(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The first error is the one to report.
        }
    }
}
