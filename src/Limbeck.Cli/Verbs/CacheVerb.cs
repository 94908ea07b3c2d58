using System.CommandLine;
using System.Globalization;
using Limbeck.Training.Loop;
using Spectre.Console;

namespace Limbeck.Cli.Verbs;

/// <summary><c>limbeck cache ls|rm</c>.</summary>
internal static class CacheVerb
{
    private const int ShownKey = 16;

    /// <summary>Makes the verb.</summary>
    /// <param name="context">Where to read and write.</param>
    public static Command Make(ToolContext context)
    {
        Verb verb = new("cache", "Shows and removes what is kept of teachers' outputs and tokenized corpora.", "limbeck cache ls", "limbeck cache rm --all", "limbeck cache rm 3f9a");
        Option<string?> folder = new("--cache-dir") { Description = "The folder; by default LIMBECK_CACHE, $XDG_CACHE_HOME/limbeck or the platform's.", Recursive = true, HelpName = "folder" };
        verb.Options.Add(folder);
        verb.Subcommands.Add(List(context, folder));
        verb.Subcommands.Add(Remove(context, folder));
        return verb;
    }

    private static Verb List(ToolContext context, Option<string?> folder)
    {
        Verb verb = new("ls", "Lists what is kept, last used first.", "limbeck cache ls");
        verb.SetAction(result =>
        {
            CacheDirectory cache = new(result.GetValue(folder));
            IReadOnlyList<CacheEntry> entries = cache.List();
            Table table = ToolContext.NewTable("key", ":MB", "last used", "state", "made from");
            foreach (CacheEntry entry in entries)
            {
                table.AddRow(
                    entry.Key[..Math.Min(ShownKey, entry.Key.Length)].EscapeMarkup(), Megabytes(entry.Bytes),
                    entry.LastUsed.ToLocalTime().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture), entry.Complete ? "whole" : "unfinished", entry.Description.EscapeMarkup());
            }

            if (entries.Count > 0)
            {
                context.Write(table);
            }

            context.Out.WriteLine($"{entries.Count} in {cache.DirectoryPath}, {Megabytes(entries.Sum(entry => entry.Bytes))} MB in all");
            return ExitCode.Done;
        });
        return verb;
    }

    private static Verb Remove(ToolContext context, Option<string?> folder)
    {
        Verb verb = new("rm", "Removes what is kept; it is made again when it is needed.", "limbeck cache rm 3f9a", "limbeck cache rm --all");
        Argument<string?> key = new("key") { Description = "A key, or how it begins.", Arity = ArgumentArity.ZeroOrOne };
        Option<bool> all = new("--all") { Description = "Remove everything." };
        verb.Arguments.Add(key);
        verb.Options.Add(all);
        verb.SetAction(result =>
        {
            string? pattern = result.GetValue(key);
            if (pattern is null == !result.GetValue(all))
            {
                throw new Training.Jobs.UsageException("limbeck cache rm: give the beginning of a key (limbeck cache ls shows them), or --all");
            }

            IReadOnlyList<CacheEntry> removed = new CacheDirectory(result.GetValue(folder)).Remove(pattern);
            context.Out.WriteLine($"removed {removed.Count}, {Megabytes(removed.Sum(entry => entry.Bytes))} MB");
            return ExitCode.Done;
        });
        return verb;
    }

    private static string Megabytes(long bytes) => (bytes / 1e6).ToString("N1", CultureInfo.InvariantCulture);
}
