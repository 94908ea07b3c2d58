using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Limbeck.Training.Evaluation;

/// <summary>JSON objects as text, for people to read: letters of all languages stay as they are.</summary>
public static class JsonText
{
    private static readonly JsonWriterOptions OneLine = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonWriterOptions ManyLines = OneLine with { Indented = true, NewLine = "\n" };

    /// <summary>One object.</summary>
    /// <param name="write">Writes its members.</param>
    /// <param name="indented">Whether every member has a line, indented by two spaces; else the object is one line.</param>
    public static string OfObject(Action<Utf8JsonWriter> write, bool indented = false)
    {
        ArgumentNullException.ThrowIfNull(write);
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream, indented ? ManyLines : OneLine))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
