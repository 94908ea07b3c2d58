using Limbeck.Tensors.Threading;
using Limbeck.Training.Jobs;
using Limbeck.Training.Loop;
using Spectre.Console;

namespace Limbeck.Cli;

/// <summary>What a verb reads from and writes to.</summary>
/// <param name="Out">Results.</param>
/// <param name="Error">Progress and messages.</param>
/// <param name="In">Standard input.</param>
/// <param name="Cancellation">Signalled by Ctrl-C and SIGTERM.</param>
internal sealed record ToolContext(TextWriter Out, TextWriter Error, TextReader In, CancellationToken Cancellation)
{
    private const int WidthOfFiles = 160;

    /// <summary>The threads to compute on.</summary>
    /// <param name="threads">What --threads says; null for the default.</param>
    public static WorkerTeam Team(int? threads) => threads is int count ? new WorkerTeam(count) : WorkerTeam.Default;

    /// <summary>What a job runs with.</summary>
    /// <param name="threads">What --threads says; null for the default.</param>
    public JobContext Job(int? threads) =>
        new(Error, ReferenceEquals(Error, Console.Error) ? ProgressDisplay.OnStandardError() : new ProgressDisplay(Error, terminal: false), Team(threads), Cancellation);

    /// <summary>Writes a table to the results.</summary>
    /// <param name="table">The table.</param>
    public void Write(Table table)
    {
        bool terminal = ReferenceEquals(Out, Console.Out) && !Console.IsOutputRedirected;
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(Out),
            Ansi = terminal ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = terminal ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
        });
        if (!terminal)
        {
            console.Profile.Width = WidthOfFiles;
            console.Profile.Capabilities.Unicode = true;
        }

        console.Write(table);
    }

    /// <summary>An empty table in the house's look.</summary>
    /// <param name="columns">Headings; one that begins with a colon is aligned to the right.</param>
    public static Table NewTable(params string[] columns)
    {
        Table table = new() { Border = TableBorder.Simple };
        foreach (string column in columns)
        {
            table.AddColumn(column.StartsWith(':') ? new TableColumn(column[1..].EscapeMarkup()).RightAligned().NoWrap() : new TableColumn(column.EscapeMarkup()));
        }

        return table;
    }
}
