namespace Limbeck.Checkpoints;

/// <summary>A model's file or directory that cannot be used. The message says which file, where in it, what was found, what is needed.</summary>
public sealed class CheckpointException : Exception
{
    /// <summary>The most faults that one message lists; the rest are counted.</summary>
    private const int MostListed = 20;

    /// <summary>An error with a whole message.</summary>
    public CheckpointException(string message)
        : base(message)
    {
    }

    /// <summary>An error with a whole message and what caused it.</summary>
    public CheckpointException(string message, Exception inner)
        : base(message, inner)
    {
    }

    /// <summary>One error for all faults found in a file.</summary>
    /// <param name="path">The file, which opens the message.</param>
    /// <param name="faults">One or more, each a clause.</param>
    internal static CheckpointException Of(string path, IReadOnlyList<string> faults)
    {
        if (faults.Count == 1)
        {
            return new CheckpointException($"{path}: {faults[0]}");
        }
        string rest = faults.Count > MostListed ? $"\n  and {faults.Count - MostListed} more" : "";
        return new CheckpointException($"{path}: {faults.Count} faults:\n  " + string.Join("\n  ", faults.Take(MostListed)) + rest);
    }

    /// <summary>Throws <see cref="Of"/> when there is any fault.</summary>
    internal static void ThrowIfAny(string path, IReadOnlyList<string> faults)
    {
        if (faults.Count > 0)
        {
            throw Of(path, faults);
        }
    }
}
