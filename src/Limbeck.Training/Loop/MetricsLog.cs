using System.Buffers;
using System.Text.Json;

namespace Limbeck.Training.Loop;

/// <summary>The metrics of a run as JSON lines: one object a line, its first key <c>step</c>.</summary>
/// <remarks>
/// Every line is handed to the operating system in one write, so a killed process leaves at most one torn last line. A run that resumes at
/// step n keeps the lines up to n and continues; for that, write all lines of a step before its checkpoint is saved. Not thread-safe.
/// </remarks>
public sealed class MetricsLog : IDisposable
{
    private const byte NewLine = (byte)'\n';
    private readonly FileStream file;
    private readonly ArrayBufferWriter<byte> buffer = new();
    private readonly Utf8JsonWriter json;

    private MetricsLog(FileStream file)
    {
        this.file = file;
        json = new Utf8JsonWriter(buffer);
    }

    /// <summary>Starts an empty log; one that is there is replaced.</summary>
    /// <param name="path">The file; its folder is made.</param>
    public static MetricsLog Create(string path)
    {
        MetricsLog log = Open(path);
        log.file.SetLength(0);
        return log;
    }

    /// <summary>Continues a log after a checkpoint: lines after the step, a torn last line and all that follows are cut off.</summary>
    /// <param name="path">The file; made when it is not there.</param>
    /// <param name="step">The step of the checkpoint that the run continues from.</param>
    public static MetricsLog Resume(string path, long step)
    {
        MetricsLog log = Open(path);
        log.file.SetLength(LengthUpTo(log.file, step));
        log.file.Seek(0, SeekOrigin.End);
        return log;
    }

    /// <summary>Adds a line.</summary>
    /// <param name="step">Updates done.</param>
    /// <param name="fields">Writes the other keys of the object. JSON has no NaN and no infinity: use <see cref="Number"/> where one may come.</param>
    public void Write(long step, Action<Utf8JsonWriter> fields)
    {
        ArgumentNullException.ThrowIfNull(fields);
        buffer.ResetWrittenCount();
        json.Reset();
        json.WriteStartObject();
        json.WriteNumber("step", step);
        fields(json);
        json.WriteEndObject();
        json.Flush();
        buffer.GetSpan(1)[0] = NewLine;
        buffer.Advance(1);
        file.Write(buffer.WrittenSpan);
        file.Flush();
    }

    /// <summary>Adds a line of numbers.</summary>
    /// <param name="step">Updates done.</param>
    /// <param name="values">Names and values, in the order to write them.</param>
    public void Write(long step, params (string Name, double Value)[] values)
    {
        ArgumentNullException.ThrowIfNull(values);
        Write(step, writer =>
        {
            foreach ((string name, double value) in values)
            {
                Number(writer, name, value);
            }
        });
    }

    /// <summary>Writes a number, or its name as a string ("NaN", "Infinity", "-Infinity") where JSON has none.</summary>
    /// <param name="writer">Inside an object.</param>
    /// <param name="name">The key.</param>
    /// <param name="value">Any number.</param>
    public static void Number(Utf8JsonWriter writer, string name, double value)
    {
        ArgumentNullException.ThrowIfNull(writer);
        if (double.IsFinite(value))
        {
            writer.WriteNumber(name, value);
        }
        else
        {
            writer.WriteString(name, value.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Flushes to the disk and closes the file.</summary>
    public void Dispose()
    {
        json.Dispose();
        if (file.CanWrite)
        {
            file.Flush(flushToDisk: true);
        }

        file.Dispose();
    }

    private static MetricsLog Open(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        return new MetricsLog(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete));
    }

    /// <summary>The length of the whole lines before the first that lies after the step or is not an object with a step.</summary>
    private static long LengthUpTo(FileStream file, long step)
    {
        byte[] bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        int good = 0;
        while (bytes.AsSpan(good).IndexOf(NewLine) is int length and >= 0)
        {
            if (!(StepOf(bytes.AsSpan(good, length)) <= step))
            {
                break;
            }

            good += length + 1;
        }

        return good;
    }

    private static long? StepOf(ReadOnlySpan<byte> line)
    {
        Utf8JsonReader reader = new(line);
        try
        {
            bool begins = reader.Read() && reader.TokenType == JsonTokenType.StartObject
                && reader.Read() && reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals("step"u8);
            if (!begins || !reader.Read() || !reader.TryGetInt64(out long step))
            {
                return null;
            }

            while (reader.Read())
            {
            }

            return step;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}
