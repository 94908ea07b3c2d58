using System.Globalization;
using System.Text;

namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>Makes any text fit to be shown: no characters that XML or UTF-8 cannot hold, white space as single blanks, no more than a few lines.</summary>
internal static class ReportText
{
    private const char Replacement = '\uFFFD';

    /// <summary>A text without what cannot be written: control characters and halves of surrogate pairs become U+FFFD.</summary>
    /// <param name="text">Any text.</param>
    public static string Clean(string text)
    {
        StringBuilder clean = new(text.Length);
        foreach (Rune rune in text.EnumerateRunes())   // a lone surrogate comes as U+FFFD
        {
            bool allowed = rune.Value is '\t' or '\n' or '\r' or (>= 0x20 and < 0xFFFE and not (>= 0x7F and < 0xA0)) or >= 0x10000;
            clean.Append(allowed ? rune.ToString() : Replacement);
        }

        return clean.ToString();
    }

    /// <summary>A clean text on one line, cut between characters as a reader sees them.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="most">Characters to show; an ellipsis stands for the rest.</param>
    public static string Shorten(string text, int most)
    {
        string line = string.Join(' ', Clean(text).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        if (line.Length <= most)
        {
            return line;
        }

        int end = 0;
        while (end < line.Length)
        {
            int next = end + StringInfo.GetNextTextElementLength(line, end);
            if (next > most)
            {
                break;
            }

            end = next;
        }

        return line[..end].TrimEnd() + "…";
    }
}
