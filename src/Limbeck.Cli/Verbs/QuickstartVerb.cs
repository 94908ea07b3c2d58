using System.CommandLine;

namespace Limbeck.Cli.Verbs;

/// <summary><c>limbeck quickstart</c>.</summary>
internal static class QuickstartVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="context">Where to read and write.</param>
    /// <param name="threads">The flag --threads.</param>
    public static Command Make(ToolContext context, Option<int?> threads) => new Verb("quickstart", "later", "limbeck quickstart");
}
