namespace Limbeck.Training.Loop;

/// <summary>Keeps two processes from writing the same thing: whoever holds the lock file open has it. It ends with the process, however that ends.</summary>
public sealed class FileLock : IDisposable
{
    private readonly FileStream file;

    private FileLock(FileStream file) => this.file = file;

    /// <summary>Takes the lock, or returns null when another holds it.</summary>
    /// <param name="path">The lock file; made when it is not there, and left there.</param>
    /// <exception cref="IOException">The file cannot be made for another reason than being held.</exception>
    public static FileLock? TryTake(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        try
        {
            return new FileLock(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1));
        }
        catch (IOException) when (File.Exists(path))
        {
            return null;
        }
    }

    /// <summary>Gives the lock up.</summary>
    public void Dispose() => file.Dispose();
}
