using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Limbeck.Training.Jobs;

namespace Limbeck.Cli;

/// <summary>The flags of a verb, made from the settings of its jobs.</summary>
internal sealed class FlagSet
{
    private readonly Dictionary<string, (SettingInfo Setting, Option Positive, Option<bool>? Negative)> flags = [];
    private readonly List<SettingsSchema> schemas = [];

    /// <summary>Adds flags to a verb.</summary>
    /// <param name="verb">The verb.</param>
    /// <param name="kinds">Its records of settings; a flag of several is one flag.</param>
    public FlagSet(Command verb, params Type[] kinds)
    {
        foreach (Type kind in kinds)
        {
            SettingsSchema schema = SettingsSchema.Of(kind);
            schemas.Add(schema);
            foreach (SettingInfo setting in schema.Settings)
            {
                // What one kind calls by its name another may know as an alias.
                if (!flags.ContainsKey(setting.Name) && (setting.Alias is null || !flags.ContainsKey(setting.Alias)))
                {
                    Add(verb, setting);
                }
            }
        }
    }

    /// <summary>The flags that were written, as settings' names with their texts.</summary>
    /// <param name="result">The parsed command line.</param>
    /// <param name="kind">The record of settings that they are for.</param>
    /// <exception cref="UsageException">A flag is not one of that record's.</exception>
    public IReadOnlyList<KeyValuePair<string, string>> Given(ParseResult result, Type kind)
    {
        HashSet<string> mine = [.. SettingsSchema.Of(kind).Settings.SelectMany(setting => setting.Alias is null ? [setting.Name] : (string[])[setting.Name, setting.Alias])];
        List<KeyValuePair<string, string>> given = [];
        List<string> faults = [];
        foreach ((string name, (SettingInfo setting, Option positive, Option<bool>? negative)) in flags)
        {
            string? text = null;
            if (result.GetResult(positive) is OptionResult { Implicit: false } written)
            {
                text = setting.Type == typeof(bool)
                    ? (written.GetValueOrDefault<bool>() ? "true" : "false")
                    : written.GetValueOrDefault<string>();
            }
            else if (negative is not null && result.GetResult(negative) is OptionResult { Implicit: false } denied)
            {
                text = denied.GetValueOrDefault<bool>() ? "false" : "true";
            }

            if (text is not null && !mine.Contains(name))
            {
                faults.Add($"{setting.Flag} is not a setting of this job");
            }
            else if (text is not null)
            {
                given.Add(new(name, text));
            }
        }

        UsageException.ThrowIfAny(result.CommandResult.Command.Name, faults);
        return given;
    }

    private void Add(Command verb, SettingInfo setting)
    {
        string[] aliases = [.. Aliases(setting).Where(alias => !verb.Options.Any(known => known.Name == alias || known.Aliases.Contains(alias)))];
        string help = Describe(setting);
        bool inner = setting.Name.Contains('.', StringComparison.Ordinal);
        Option<bool>? negative = null;
        Option positive;
        if (setting.Type == typeof(bool))
        {
            positive = new Option<bool>(setting.Flag, aliases) { Description = help, Hidden = inner };
            if (setting.Default is true)
            {
                negative = new Option<bool>("--no-" + setting.Flag[2..]) { Description = $"Same as {setting.Flag} false.", Hidden = true };
                verb.Options.Add(negative);
            }
        }
        else
        {
            positive = new Option<string>(setting.Flag, aliases) { Description = help, Hidden = inner, HelpName = HelpName(setting) };
        }

        verb.Options.Add(positive);
        flags.Add(setting.Name, (setting, positive, negative));
    }

    private static string[] Aliases(SettingInfo setting) => setting.Alias is null ? [] : [SettingInfo.ToFlag(setting.Alias)];

    private static string HelpName(SettingInfo setting) =>
        setting.Choices.Count > 0 ? string.Join('|', setting.Choices)
        : setting.Type == typeof(double) ? "number"
        : setting.Type == typeof(string) ? (setting.Name.EndsWith("dir", StringComparison.Ordinal) ? "folder" : setting.Name.EndsWith("file", StringComparison.Ordinal) || setting.Name is "unlabelled" or "train_corpus" ? "file" : "text")
        : "n";

    private static string Describe(SettingInfo setting)
    {
        string standard = setting.Default switch
        {
            null or false => string.Empty,
            true => $" [on; switch off with --no-{setting.Flag[2..]}]",
            string { Length: 0 } => string.Empty,
            object value => $" [{Convert.ToString(value, CultureInfo.InvariantCulture)}]",
        };
        return setting.Help + standard;
    }
}
