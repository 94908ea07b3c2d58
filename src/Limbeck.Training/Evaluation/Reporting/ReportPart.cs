using System.Text.Json;

namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>One part of a run of several stages.</summary>
/// <param name="Name">general, augment or task.</param>
/// <param name="Steps">Updates made; 0 for one that trains nothing.</param>
/// <param name="Tokens">Tokens trained on, or read by the augmentation in this run.</param>
/// <param name="Seconds">Seconds of training, without the filling of caches; those before a resume included where it trains; the augmentation's in this run.</param>
public sealed record ReportPart(string Name, long Steps, long Tokens, double Seconds)
{
    /// <summary>Writes the parts as an array named <c>parts</c>; nothing where there are none.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="parts">The parts in their order.</param>
    internal static void Write(Utf8JsonWriter json, IReadOnlyList<ReportPart> parts)
    {
        if (parts.Count == 0)
        {
            return;
        }

        json.WriteStartArray("parts");
        foreach (ReportPart part in parts)
        {
            json.WriteStartObject();
            json.WriteString("name", part.Name);
            json.WriteNumber("steps", part.Steps);
            json.WriteNumber("tokens", part.Tokens);
            json.WriteNumber("seconds", Math.Round(part.Seconds, 3));
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
