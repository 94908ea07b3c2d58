using System.Text.Encodings.Web;
using System.Text.Json;

namespace Limbeck.Cli.Verbs;

/// <summary>How the tool writes JSON: one line, text as it is.</summary>
internal static class JsonLines
{
    /// <summary>The writer's options.</summary>
    public static JsonWriterOptions Options { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}
