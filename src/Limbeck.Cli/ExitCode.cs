namespace Limbeck.Cli;

/// <summary>What the tool's exit status says.</summary>
internal static class ExitCode
{
    /// <summary>All went well.</summary>
    public const int Done = 0;

    /// <summary>The work failed.</summary>
    public const int Failed = 1;

    /// <summary>The command was wrong; nothing was done.</summary>
    public const int Usage = 2;

    /// <summary>The work was done, but a score stayed below what was asked.</summary>
    public const int GateMissed = 3;

    /// <summary>Interrupted; the state is kept.</summary>
    public const int Interrupted = 130;
}
