using System.Text;

namespace Limbeck.Training.Data;

/// <summary>Gathers the faults of one file, so that a user sees them all in one go.</summary>
internal sealed class FaultList(string file)
{
    /// <summary>Faults that are shown; the rest are only counted.</summary>
    public const int Shown = 20;

    private readonly List<(int Line, string Reason)> shown = [];

    /// <summary>Lines with a fault.</summary>
    public int Count { get; private set; }

    /// <summary>The line of the latest fault; 0 before the first.</summary>
    public int LastLine { get; private set; }

    /// <summary>Notes a fault. Of several in a row on one line only the first counts: the others follow from it.</summary>
    public void Add(int line, string reason)
    {
        if (line == LastLine)
        {
            return;
        }

        LastLine = line;
        Count++;
        if (shown.Count < Shown)
        {
            shown.Add((line, reason));
        }
    }

    /// <summary>What <see cref="ThrowIfAny"/> would say; null without a fault.</summary>
    public string? Message
    {
        get
        {
            if (Count == 0)
            {
                return null;
            }

            shown.Sort((a, b) => a.Line.CompareTo(b.Line));
            if (Count == 1)
            {
                return $"{file}, line {shown[0].Line}: {shown[0].Reason}";
            }

            var message = new StringBuilder($"{file}: {Count} bad rows");
            foreach ((int line, string reason) in shown)
            {
                message.Append("\n  line ").Append(line).Append(": ").Append(reason);
            }

            if (Count > shown.Count)
            {
                message.Append("\n  and ").Append(Count - shown.Count).Append(" more");
            }

            return message.ToString();
        }
    }

    /// <summary>Throws when there is a fault.</summary>
    /// <exception cref="DataException">Names the file, up to <see cref="Shown"/> lines with their reasons, and how many more there are.</exception>
    public void ThrowIfAny()
    {
        if (Message is { } message)
        {
            throw new DataException(message);
        }
    }
}
