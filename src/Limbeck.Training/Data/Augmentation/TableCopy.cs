using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Limbeck.Training.Data.Augmentation;

/// <summary>
/// Writes a table's rows again with other texts, in the table's own format and with all its other columns: tab-separated without quoting, quoted as RFC 4180 says, or JSON lines.
/// What it writes, <see cref="TableReader"/> reads back to the same fields. Lines end with \n.
/// </summary>
internal sealed class TableCopy
{
    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly string path;
    private readonly char? delimiter;
    private readonly TableColumns columns;

    /// <summary>Looks at a table that <see cref="TableReader"/> has read without a fault.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">As it was read.</param>
    /// <param name="task">As it was read; null for a task of the user's own.</param>
    public TableCopy(string path, TableOptions options, TaskDefinition? task)
    {
        this.path = path;
        (delimiter, columns, TableRow first) = TableReader.Layout(path, options, task);
        Header = columns.FirstIsRow || delimiter is null ? null : Join(first.Fields);
    }

    /// <summary>The header, or null for a file without one.</summary>
    public string? Header { get; }

    /// <summary>The records of some rows.</summary>
    /// <param name="examples">Rows of the file in its order; records of other lines are passed over.</param>
    /// <param name="from">The first row that is wanted.</param>
    public IEnumerable<TableRow> Records(IReadOnlyList<TextExample> examples, int from)
    {
        FaultList faults = new(path);
        using LineReader reader = new(path, faults);
        int next = from;
        foreach (TableRow record in delimiter is null ? Lines(reader) : TableRows.Read(reader, delimiter, faults))
        {
            if (next == examples.Count)
            {
                yield break;
            }

            if (record.Line == examples[next].Line)
            {
                next++;
                yield return record;
            }
        }

        if (next < examples.Count)
        {
            throw new DataException($"{path}: the file was changed while it was read: the row of line {examples[next].Line} is gone");
        }
    }

    /// <summary>A record with other texts.</summary>
    /// <param name="record">One of <see cref="Records"/>.</param>
    /// <param name="text">The text, or the first of a pair.</param>
    /// <param name="pair">The second of a pair; null for a single text.</param>
    /// <returns>The record without a line end after it.</returns>
    public string Write(TableRow record, string text, string? pair)
    {
        if (delimiter is null)
        {
            return Json(record.Fields[0]!, text, pair);
        }

        string?[] fields = [.. record.Fields];
        fields[columns.Text] = text;
        if (pair is not null)
        {
            fields[columns.Pair] = pair;
        }

        return Join(fields);
    }

    private static IEnumerable<TableRow> Lines(LineReader reader)
    {
        while (reader.Read() is { } line)
        {
            yield return new TableRow(reader.Line, [line]);
        }
    }

    private string Join(IEnumerable<string?> fields) => delimiter == '\t' ? string.Join('\t', fields) : string.Join(delimiter!.Value, fields.Select(field => Quoted(field ?? string.Empty)));

    private string Quoted(string field) =>
        field.Contains(delimiter!.Value, StringComparison.Ordinal) || field.AsSpan().ContainsAny('"', '\n', '\r') || field.AsSpan().Trim(' ').Length != field.Length
            ? $"\"{field.Replace("\"", "\"\"", StringComparison.Ordinal)}\""
            : field;

    private string Json(string line, string text, string? pair)
    {
        using JsonDocument document = JsonDocument.Parse(line);
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream, Plain))
        {
            json.WriteStartObject();
            foreach (JsonProperty property in document.RootElement.EnumerateObject())
            {
                string name = property.Name.Trim();
                if (name == columns.Names[columns.Text])
                {
                    json.WriteString(property.Name, text);
                }
                else if (pair is not null && name == columns.Names[columns.Pair])
                {
                    json.WriteString(property.Name, pair);
                }
                else
                {
                    property.WriteTo(json);
                }
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
    }
}
