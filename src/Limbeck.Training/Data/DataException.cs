namespace Limbeck.Training.Data;

/// <summary>A data file that cannot be used, or a task that is not known. The message names the file, the lines and the reasons, and what to do.</summary>
public sealed class DataException : Exception
{
    /// <summary>An error without a message of its own.</summary>
    public DataException()
    {
    }

    /// <summary>An error for the user to read.</summary>
    /// <param name="message">Where, what, got, needed, what now.</param>
    public DataException(string message)
        : base(message)
    {
    }

    /// <summary>An error for the user to read, with its cause.</summary>
    /// <param name="message">Where, what, got, needed, what now.</param>
    /// <param name="innerException">What the system said.</param>
    public DataException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
