using System.Text;

namespace Limbeck.Training.Evaluation;

/// <summary>A file of results, one line a cell. Several processes may append to it at a time; each cell is there once.</summary>
/// <remarks>A line is appended in one write and flushed to the disk; a last line that a killed process left torn is cut off by the next append and passed over by readers.</remarks>
public sealed class ResultsFile
{
    private const int Attempts = 200;
    private static readonly TimeSpan BetweenAttempts = TimeSpan.FromMilliseconds(50);

    /// <summary>A file of results; nothing is made yet.</summary>
    /// <param name="path">The file.</param>
    public ResultsFile(string path) => FilePath = Path.GetFullPath(path);

    /// <summary>The file.</summary>
    public string FilePath { get; }

    /// <summary>Whether a cell was measured: a command that finds it there has nothing to do.</summary>
    /// <param name="cell">The cell.</param>
    public bool Contains(string cell) => Read().Any(line => line.Cell == cell);

    /// <summary>Appends a line, unless its cell is there.</summary>
    /// <param name="line">The line.</param>
    /// <returns>False when the cell was there; the file is as it was.</returns>
    /// <exception cref="InvalidDataException">A line of the file is not a line of results; the message has its number.</exception>
    public bool Append(ResultLine line)
    {
        ArgumentNullException.ThrowIfNull(line);
        Directory.CreateDirectory(Path.GetDirectoryName(FilePath)!);
        using FileStream file = OpenShared(FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        (List<ResultLine> lines, int whole) = Parse(file);
        if (lines.Exists(known => known.Cell == line.Cell))
        {
            return false;
        }

        file.SetLength(whole);
        file.Position = whole;
        file.Write(Encoding.UTF8.GetBytes(line.ToJson() + "\n"));
        file.Flush(flushToDisk: true);
        return true;
    }

    /// <summary>All lines, in file order; none when there is no file.</summary>
    /// <exception cref="InvalidDataException">A line is not a line of results; the message has its number.</exception>
    public IReadOnlyList<ResultLine> Read()
    {
        if (!File.Exists(FilePath))
        {
            return [];
        }

        using FileStream file = OpenShared(FileMode.Open, FileAccess.Read, FileShare.Read);
        return Parse(file).Lines;
    }

    /// <summary>Opens the file, waiting while another process appends to it.</summary>
    private FileStream OpenShared(FileMode mode, FileAccess access, FileShare share)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return new FileStream(FilePath, mode, access, share);
            }
            catch (IOException) when (attempt < Attempts && File.Exists(FilePath))
            {
                Thread.Sleep(BetweenAttempts);
            }
        }
    }

    /// <summary>The lines, and the bytes up to the end of the last whole one.</summary>
    private (List<ResultLine> Lines, int Whole) Parse(FileStream file)
    {
        byte[] bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        int whole = bytes.AsSpan().LastIndexOf((byte)'\n') + 1;
        List<ResultLine> lines = [];
        string[] texts = Encoding.UTF8.GetString(bytes, 0, whole).Split('\n');
        for (int i = 0; i < texts.Length - 1; i++)
        {
            try
            {
                lines.Add(ResultLine.Parse(texts[i]));
            }
            catch (InvalidDataException error)
            {
                throw new InvalidDataException($"{FilePath}:{i + 1}: {error.Message} Mend or remove the line.", error);
            }
        }

        return (lines, whole);
    }
}
