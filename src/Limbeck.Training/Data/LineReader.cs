using System.IO.Compression;
using System.Text;

namespace Limbeck.Training.Data;

/// <summary>
/// Lines of a UTF-8 file, split at \n and nowhere else (not at a lone \r, U+0085 or U+2028, which may lie inside a text). The \r of a \r\n stays;
/// a byte order mark at the start does not. A name that ends in .gz is unpacked. Knows nothing of columns.
/// </summary>
internal sealed class LineReader : IDisposable
{
    private static readonly UTF8Encoding Strict = new(false, true);
    private readonly string path;
    private readonly FaultList faults;
    private readonly Stream stream;
    private readonly FileStream file;
    private byte[] buffer = new byte[1 << 16];
    private int start;
    private int end;

    /// <summary>Opens a file.</summary>
    /// <exception cref="DataException">It is not there, is a folder, may not be read, or is UTF-16.</exception>
    public LineReader(string path, FaultList faults)
    {
        this.path = path;
        this.faults = faults;
        file = Open(path);
        stream = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new GZipStream(file, CompressionMode.Decompress) : file;
        int scan = 0;
        while (end < 3 && Fill(ref scan))
        {
        }

        if (end >= 2 && ((buffer[0] == 0xFF && buffer[1] == 0xFE) || (buffer[0] == 0xFE && buffer[1] == 0xFF)))
        {
            stream.Dispose();
            throw new DataException($"{path}: the file is UTF-16; save it as UTF-8");
        }

        start = end >= 3 && buffer[0] == 0xEF && buffer[1] == 0xBB && buffer[2] == 0xBF ? 3 : 0;
    }

    /// <summary>The number of the line that was read last, from 1.</summary>
    public int Line { get; private set; }

    /// <summary>Bytes of the file, packed ones where it is packed, that have been read so far.</summary>
    public long Position => file.Position;

    /// <summary>The next line without its \n, or null at the end. A byte that is not UTF-8 is a fault; the line then comes with U+FFFD in its place.</summary>
    public string? Read()
    {
        int scan = start;
        while (true)
        {
            int length = buffer.AsSpan(scan, end - scan).IndexOf((byte)'\n');
            if (length >= 0)
            {
                string line = Decode(buffer.AsSpan(start, scan + length - start));
                start = scan + length + 1;
                return line;
            }

            scan = end;
            if (!Fill(ref scan))
            {
                if (start == end)
                {
                    return null;
                }

                string last = Decode(buffer.AsSpan(start, end - start));
                start = end;
                return last;
            }
        }
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => stream.Dispose();

    private static FileStream Open(string path)
    {
        if (Directory.Exists(path))
        {
            throw new DataException($"{path}: is a folder; a file is needed");
        }

        if (!File.Exists(path))
        {
            throw new DataException($"{path}: there is no such file");
        }

        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    private bool Fill(ref int scan)
    {
        if (start > 0)
        {
            buffer.AsSpan(start, end - start).CopyTo(buffer);
            scan -= start;
            end -= start;
            start = 0;
        }

        if (end == buffer.Length)
        {
            Array.Resize(ref buffer, 2 * buffer.Length);
        }

        try
        {
            int got = stream.Read(buffer, end, buffer.Length - end);
            end += got;
            return got > 0;
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            throw new DataException($"{path}: cannot be read to its end: {e.Message}", e);
        }
    }

    private string Decode(ReadOnlySpan<byte> bytes)
    {
        Line++;
        try
        {
            return Strict.GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            string unknown = e.BytesUnknown is { Length: > 0 } b ? $"0x{Convert.ToHexString(b)}" : "?";
            faults.Add(Line, $"byte {unknown} at position {e.Index + 1} of the line is not UTF-8; save the file as UTF-8");
            return Encoding.UTF8.GetString(bytes);
        }
    }
}
