using System.Text;
using System.Text.Json;

namespace Limbeck.Training.Data;

/// <summary>One record: the line it starts on and its fields. In JSON lines a field that is missing or null is null.</summary>
internal readonly record struct TableRow(int Line, string?[] Fields);

/// <summary>Cuts a file into records. The first is the header, or the first row where there is none; for JSON lines it is the first object's keys.</summary>
internal static class TableRows
{
    /// <summary>Records of a file.</summary>
    /// <param name="reader">At the file's start.</param>
    /// <param name="delimiter">A tab: no quoting. Another character: RFC 4180. Null: JSON lines.</param>
    /// <param name="faults">Takes records that cannot be cut; they do not come out.</param>
    /// <param name="blankRows">Whether a blank line between tab-separated rows is a row of no fields, and no fault.</param>
    public static IEnumerable<TableRow> Read(LineReader reader, char? delimiter, FaultList faults, bool blankRows = false) => delimiter switch
    {
        null => Json(reader, faults),
        '\t' => Tabs(reader, faults, blankRows),
        char c => Quoted(reader, c, faults),
    };

    /// <summary>Whether a line has nothing but spaces and its end.</summary>
    public static bool IsBlank(string line) => line.AsSpan().Trim(" \r").IsEmpty;

    private static IEnumerable<TableRow> Tabs(LineReader reader, FaultList faults, bool blankRows)
    {
        List<int> blank = [];
        bool started = false;
        while (reader.Read() is { } text)
        {
            if (IsBlank(text))
            {
                blank.Add(reader.Line);
                continue;
            }

            // Blank lines at the end are none of ours; before a row they are rows that lost their fields.
            foreach (int line in blank)
            {
                if (blankRows && started)
                {
                    yield return new(line, []);
                }
                else
                {
                    faults.Add(line, "the line is blank");
                }
            }

            blank.Clear();
            started = true;
            yield return new(reader.Line, (text[^1] == '\r' ? text[..^1] : text).Split('\t'));
        }
    }

    private static IEnumerable<TableRow> Quoted(LineReader reader, char delimiter, FaultList faults)
    {
        List<string?> fields = [];
        var text = new StringBuilder();
        while (reader.Read() is { } line)
        {
            if (IsBlank(line))
            {
                continue;
            }

            int first = reader.Line;
            fields.Clear();
            string? fault = null;
            int at = 0;
            while (at >= 0)
            {
                if (at == line.Length || line[at] != '"')
                {
                    int stop = line.IndexOf(delimiter, at);
                    int last = line[^1] == '\r' ? line.Length - 1 : line.Length;
                    fields.Add(line[at..(stop < 0 ? Math.Max(at, last) : stop)]);
                    at = stop < 0 ? -1 : stop + 1;
                    continue;
                }

                text.Clear();
                at++;
                while (true)
                {
                    int quote = line.IndexOf('"', at);
                    if (quote < 0)
                    {
                        text.Append(line, at, line.Length - at).Append('\n');
                        if (reader.Read() is not { } next)
                        {
                            fault = "a quoted field that starts here is never closed";
                            break;
                        }

                        (line, at) = (next, 0);
                        continue;
                    }

                    text.Append(line, at, quote - at);
                    at = quote + 1;
                    if (at == line.Length || line[at] != '"')
                    {
                        break;
                    }

                    text.Append('"');
                    at++;
                }

                fields.Add(text.ToString());
                if (fault is null && at < line.Length && line[at] != delimiter && line.AsSpan(at) is not "\r")
                {
                    fault = $"a quoted field is followed by '{line[at]}'; needed '{delimiter}' or the end of the line (a quote inside a quoted field is written twice)";
                }

                at = fault is null && at < line.Length && line[at] == delimiter ? at + 1 : -1;
            }

            if (fault is not null)
            {
                faults.Add(first, fault);
                continue;
            }

            yield return new(first, fields.ToArray());
        }
    }

    private static IEnumerable<TableRow> Json(LineReader reader, FaultList faults)
    {
        string[]? keys = null;
        while (reader.Read() is { } line)
        {
            if (IsBlank(line))
            {
                continue;
            }

            if (ParseObject(line, keys, reader.Line, faults) is not var (names, fields))
            {
                continue;
            }

            if (keys is null)
            {
                keys = names;
                yield return new(reader.Line, names);
            }

            yield return new(reader.Line, fields);
        }
    }

    private static (string[] Names, string?[] Fields)? ParseObject(string line, string[]? keys, int number, FaultList faults)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            JsonElement root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                faults.Add(number, $"got a JSON {root.ValueKind.ToString().ToLowerInvariant()}; needed one object a line, like {{\"text\": \"...\", \"label\": \"...\"}}");
                return null;
            }

            keys ??= root.EnumerateObject().Select(p => p.Name).Distinct(StringComparer.Ordinal).ToArray();
            return (keys, keys.Select(k => root.TryGetProperty(k, out JsonElement value) ? Plain(value) : null).ToArray());
        }
        catch (JsonException e)
        {
            faults.Add(number, $"not a JSON object on one line (at byte {e.BytePositionInLine + 1})");
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            faults.Add(number, "a string has half of a surrogate pair, which is not text");
        }

        return null;
    }

    /// <summary>A string as it is, a number or truth value as it is written; nothing else is plain.</summary>
    private static string? Plain(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString(),
        JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
        _ => null,
    };
}
