namespace Limbeck.Training.Loop;

/// <summary>Training cannot go on; the message says at which step, why, and what is left.</summary>
public sealed class TrainingException : Exception
{
    /// <summary>With a message.</summary>
    /// <param name="message">What happened, where, and what to do.</param>
    public TrainingException(string message)
        : base(message)
    {
    }

    /// <summary>With a message and a cause.</summary>
    /// <param name="message">What happened, where, and what to do.</param>
    /// <param name="inner">The cause.</param>
    public TrainingException(string message, Exception inner)
        : base(message, inner)
    {
    }

    /// <summary>Without a message.</summary>
    public TrainingException()
    {
    }
}
