namespace Limbeck.Training.Jobs;

/// <summary>A job cannot begin as it was asked for: a setting is unknown, impossible or missing. The message has every fault and what to do; nothing has been written.</summary>
public sealed class UsageException : Exception
{
    /// <summary>An error without a message of its own.</summary>
    public UsageException()
    {
    }

    /// <summary>An error for the user to read.</summary>
    /// <param name="message">What was asked, what is needed, what to do.</param>
    public UsageException(string message)
        : base(message)
    {
    }

    /// <summary>An error for the user to read, with its cause.</summary>
    /// <param name="message">What was asked, what is needed, what to do.</param>
    /// <param name="innerException">The cause.</param>
    public UsageException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Throws when there is a fault.</summary>
    /// <param name="place">The recipe or command they were found in.</param>
    /// <param name="faults">One sentence each.</param>
    public static void ThrowIfAny(string place, IReadOnlyCollection<string> faults)
    {
        if (faults.Count > 0)
        {
            throw new UsageException(faults.Count == 1 ? $"{place}: {faults.First()}" : $"{place}: {faults.Count} faults\n  {string.Join("\n  ", faults)}");
        }
    }
}
