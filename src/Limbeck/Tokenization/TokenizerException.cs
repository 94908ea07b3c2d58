namespace Limbeck.Tokenization;

/// <summary>A tokenizer's files or vocabulary cannot be used. The message names the file, what is wrong with it and what to do.</summary>
public sealed class TokenizerException : Exception
{
    /// <summary>Makes an exception without a message of its own.</summary>
    public TokenizerException()
    {
    }

    /// <summary>Makes an exception with a message.</summary>
    /// <param name="message">File, fault and remedy.</param>
    public TokenizerException(string message)
        : base(message)
    {
    }

    /// <summary>Makes an exception with a message and its cause.</summary>
    /// <param name="message">File, fault and remedy.</param>
    /// <param name="innerException">What went wrong below.</param>
    public TokenizerException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
