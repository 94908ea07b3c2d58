using System.Text;
using System.Text.Json;
using Limbeck.Checkpoints;

namespace Limbeck.Training.Jobs;

/// <summary>
/// A text file that a long run writes bit by bit. Until it is whole it lies beside its place as NAME.partial, with a journal NAME.json that says how much of it counts:
/// whatever a killed run wrote behind that is cut off when the run is resumed. At the end it takes its name in one step; the journal stays, as a record of what made it.
/// </summary>
internal sealed class GrowingFile : IDisposable
{
    private const string Partial = ".partial";

    private readonly string path;
    private readonly string fingerprint;
    private readonly Action<Utf8JsonWriter> describe;
    private readonly FileStream partial;

    private GrowingFile(string path, string fingerprint, Action<Utf8JsonWriter> describe, FileStream partial, Journal journal)
    {
        this.path = path;
        this.fingerprint = fingerprint;
        this.describe = describe;
        this.partial = partial;
        Done = journal.Done;
        Lines = journal.Lines;
    }

    /// <summary>Units of work whose lines are in the file.</summary>
    public int Done { get; private set; }

    /// <summary>Lines in the file, those not committed yet included.</summary>
    public long Lines { get; private set; }

    /// <summary>Refuses a place that is taken, before any work is done.</summary>
    /// <param name="path">Where the file shall be.</param>
    /// <param name="resume">Go on with what is there.</param>
    /// <param name="overwrite">Start anew whatever is there.</param>
    /// <exception cref="UsageException">The place is taken, or there is no such folder; the message says what to do.</exception>
    public static void Check(string path, bool resume, bool overwrite)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (Directory.Exists(path))
        {
            throw new UsageException($"{path} is a folder; needed the name of a file");
        }

        if (!Directory.Exists(folder))
        {
            throw new UsageException($"{path}: there is no folder {folder} to write into");
        }

        if (!resume && !overwrite && (File.Exists(path) || File.Exists(path + Journal.Ending)))
        {
            throw new UsageException($"{path} is there already{(File.Exists(path) ? string.Empty : " in part")}: add --resume to go on with an interrupted run, --overwrite (in a run of several stages --overwrite-output-dir) to start anew, or name another file");
        }

        if (resume && File.Exists(path) && !File.Exists(path + Journal.Ending))
        {
            throw new UsageException($"{path} is there, but without {Path.GetFileName(path) + Journal.Ending}, so no run can be resumed: add --overwrite (in a run of several stages --overwrite-output-dir) to start anew, or name another file");
        }
    }

    /// <summary>How far the file has come, by its journal; whether it is the one that shall be gone on with is not checked.</summary>
    /// <param name="path">Where the file shall be.</param>
    /// <returns>Units of work done, and whether it is whole.</returns>
    internal static (int Done, bool Complete) Reached(string path)
    {
        if (!File.Exists(path + Journal.Ending))
        {
            return (0, false);
        }

        Journal journal = Journal.Read(path + Journal.Ending);
        return (journal.Done, journal.Complete && File.Exists(path));
    }

    /// <summary>Removes the file, or what there is of it.</summary>
    /// <param name="path">Where it is.</param>
    internal static void Remove(string path)
    {
        foreach (string part in (string[])[path, path + Partial, path + Journal.Ending])
        {
            if (File.Exists(part))
            {
                File.Delete(part);
            }
        }
    }

    /// <summary>Opens the file to write, or finds that it is whole.</summary>
    /// <param name="path">Where the file shall be.</param>
    /// <param name="fingerprint">A hash of all that decides what is written.</param>
    /// <param name="resume">Go on with what is there.</param>
    /// <param name="describe">Adds members to the journal.</param>
    /// <param name="lines">Lines of a file that is whole.</param>
    /// <returns>The file, or null when it is whole already.</returns>
    /// <exception cref="UsageException">What is there was made otherwise, is damaged, or is being written by another run.</exception>
    public static GrowingFile? Open(string path, string fingerprint, bool resume, Action<Utf8JsonWriter> describe, out long lines)
    {
        Journal journal = resume && File.Exists(path + Journal.Ending) ? Journal.Read(path + Journal.Ending) : new Journal(fingerprint, 0, 0, 0, false);
        lines = journal.Lines;
        if (journal.Fingerprint != fingerprint)
        {
            throw new UsageException($"{path}: the run that shall be resumed had other settings, another model or other data: resume it with its own, or start anew with --overwrite (in a run of several stages --overwrite-output-dir)");
        }

        if (journal.Complete && !File.Exists(path + Partial))
        {
            return File.Exists(path) && new FileInfo(path).Length == journal.Bytes
                ? null
                : throw new UsageException($"{path} is not as its run left it: start anew with --overwrite (in a run of several stages --overwrite-output-dir)");
        }

        FileStream partial = OpenPartial(path);
        if (partial.Length < journal.Bytes)
        {
            partial.Dispose();
            throw new UsageException($"{path + Partial} has lost what {Path.GetFileName(path) + Journal.Ending} says it had: start anew with --overwrite (in a run of several stages --overwrite-output-dir)");
        }

        GrowingFile file = new(path, fingerprint, describe, partial, journal);
        if (journal.Bytes == 0)
        {
            file.Journalize(complete: false);
        }

        partial.SetLength(journal.Bytes);
        partial.Position = journal.Bytes;
        return file;
    }

    /// <summary>Adds a line.</summary>
    /// <param name="line">Without its end.</param>
    public void Write(string line)
    {
        partial.Write(Encoding.UTF8.GetBytes(line));
        partial.WriteByte((byte)'\n');
        Lines++;
    }

    /// <summary>From now on what has been written counts.</summary>
    /// <param name="done">Units of work done.</param>
    public void Commit(int done)
    {
        Done = done;
        partial.Flush(flushToDisk: true);
        Journalize(complete: false);
    }

    /// <summary>Gives the file its name.</summary>
    public void Finish()
    {
        partial.Flush(flushToDisk: true);
        Journalize(complete: true);
        partial.Dispose();
        File.Move(path + Partial, path, overwrite: true);
    }

    /// <summary>Closes the file; what was not committed is lost.</summary>
    public void Dispose() => partial.Dispose();

    private static FileStream OpenPartial(string path)
    {
        try
        {
            return new FileStream(path + Partial, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1 << 20);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new UsageException($"{path}: the folder may not be written to: name another place with --output-file", e);
        }
    }

    private void Journalize(bool complete)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteString("fingerprint", fingerprint);
            json.WriteNumber("done", Done);
            json.WriteNumber("lines", Lines);
            json.WriteNumber("bytes", partial.Position);
            json.WriteBoolean("complete", complete);
            describe(json);
            json.WriteEndObject();
        }

        AtomicFile.WriteText(path + Journal.Ending, Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length) + "\n");
    }

    private readonly record struct Journal(string Fingerprint, int Done, long Lines, long Bytes, bool Complete)
    {
        public const string Ending = ".json";

        public static Journal Read(string path)
        {
            try
            {
                using JsonDocument document = JsonDocument.Parse(File.ReadAllText(path));
                JsonElement root = document.RootElement;
                return new Journal(
                    root.GetProperty("fingerprint").GetString()!, root.GetProperty("done").GetInt32(), root.GetProperty("lines").GetInt64(),
                    root.GetProperty("bytes").GetInt64(), root.GetProperty("complete").GetBoolean());
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
            {
                throw new UsageException($"{path}: is not the journal of a run: start anew with --overwrite (in a run of several stages --overwrite-output-dir)", e);
            }
        }
    }
}
