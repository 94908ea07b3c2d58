using System.CommandLine;

namespace Limbeck.Cli;

/// <summary>A verb with the examples that its help ends with.</summary>
internal sealed class Verb : Command
{
    /// <summary>A verb.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it does.</param>
    /// <param name="examples">Whole command lines.</param>
    public Verb(string name, string description, params string[] examples)
        : base(name, description) => Examples = examples;

    /// <summary>Whole command lines.</summary>
    public IReadOnlyList<string> Examples { get; }

    /// <summary>What stands between options and examples; empty for nothing.</summary>
    public string Remarks { get; init; } = string.Empty;
}
