using System.Globalization;

namespace Limbeck.Training.Jobs;

/// <summary>Settings as the command that gives them.</summary>
public static class CommandLine
{
    private static readonly HashSet<string> OfOneRun = ["resume", "resume_from_checkpoint", "overwrite_output_dir"];

    /// <summary>The command: what differs from the defaults, whether it came from flags or a recipe. What only continues or replaces a run is left out.</summary>
    /// <param name="verb">Such as compress.</param>
    /// <param name="settings">The settings.</param>
    /// <param name="without">Names of further settings to leave out.</param>
    public static string Of(string verb, ISettings settings, params string[] without)
    {
        ArgumentNullException.ThrowIfNull(settings);
        List<string> words = ["limbeck", verb];
        foreach (SettingInfo setting in SettingsSchema.Of(settings.GetType()).Settings)
        {
            object? value = setting.Get(settings);
            if (Equals(value, setting.Default) || value is null || OfOneRun.Contains(setting.Name) || without.Contains(setting.Name))
            {
                continue;
            }

            words.Add(setting.Flag);
            if (value is not true)
            {
                words.Add(value is false ? "false" : Quoted(Convert.ToString(value, CultureInfo.InvariantCulture)!));
            }
        }

        return string.Join(' ', words);
    }

    /// <summary>A word as shells take it: in quotes where it has anything but letters, digits and what paths and numbers are made of.</summary>
    /// <param name="word">Any text.</param>
    internal static string Quoted(string word)
    {
        bool plain = word.Length > 0 && word.All(c => char.IsAsciiLetterOrDigit(c) || "-_./:,=+@%\\".Contains(c, StringComparison.Ordinal));
        return plain && !word.Contains('\\', StringComparison.Ordinal) ? word
            : word.IndexOfAny(['"', '$', '`', '\\', '!']) < 0 ? $"\"{word}\""
            : OperatingSystem.IsWindows() && !word.Contains('"', StringComparison.Ordinal) ? $"\"{word}\""
            : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
    }
}
