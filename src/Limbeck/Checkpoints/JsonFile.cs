using System.Text.Encodings.Web;
using System.Text.Json;

namespace Limbeck.Checkpoints;

/// <summary>Reads the small JSON files of a model's directory, and says where they are broken.</summary>
internal static class JsonFile
{
    /// <summary>The most bytes that a configuration can sensibly have.</summary>
    public const long MostConfigBytes = 16 << 20;

    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false };

    private static readonly JsonWriterOptions WriterOptions = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads and parses a file: strict JSON, no key twice, a byte order mark tolerated.</summary>
    /// <exception cref="CheckpointException">Missing, unreadable, larger than <paramref name="most"/> bytes, or not JSON.</exception>
    public static JsonDocument Read(string path, long most = MostConfigBytes) => Parse(Bytes(path, most), path);

    /// <summary>A whole file, unless it is larger than <paramref name="most"/> bytes.</summary>
    public static byte[] Bytes(string path, long most = MostConfigBytes)
    {
        using MappedFile file = MappedFile.Open(path);
        if (file.Length > most)
        {
            throw new CheckpointException($"{path}: has {file.Length} bytes; a file of this kind has at most {most}");
        }
        return file.Length == 0 ? [] : file.Slice(0, file.Length).ToArray();
    }

    /// <summary>Parses what was read from <paramref name="path"/>.</summary>
    public static JsonDocument Parse(ReadOnlySpan<byte> json, string path)
    {
        if (json.StartsWith("\uFEFF"u8))
        {
            json = json[3..];
        }
        try
        {
            // Half a surrogate pair is legal JSON and no text: find it here, not where a value is used.
            var reader = new Utf8JsonReader(json);
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && reader.ValueIsEscaped)
                {
                    reader.GetString();
                }
            }
            return JsonDocument.Parse(json.ToArray(), Options);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new CheckpointException($"{path}: is not valid JSON: {error.Message}", error);
        }
    }

    /// <summary>Writes a file atomically, indented by two spaces, with a last line break.</summary>
    /// <param name="path">Its directory is there already.</param>
    /// <param name="write">Writes one value.</param>
    public static void Write(string path, Action<Utf8JsonWriter> write) => AtomicFile.Write(path, stream =>
    {
        using (var json = new Utf8JsonWriter(stream, WriterOptions))
        {
            write(json);
        }
        stream.WriteByte((byte)'\n');
    });
}
