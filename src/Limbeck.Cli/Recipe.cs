using System.Reflection;
using Limbeck.Training.Jobs;

namespace Limbeck.Cli;

/// <summary>A recipe: a complete, copyable set of settings, built in or a file.</summary>
/// <param name="Place">What to call it in messages.</param>
/// <param name="Text">Its JSON.</param>
internal sealed record Recipe(string Place, string Text)
{
    private const string Prefix = "recipes/";
    private const string Extension = ".json";

    /// <summary>The names of the built-in recipes.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [.. Assembly.GetExecutingAssembly().GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)).Select(name => name[Prefix.Length..^Extension.Length]).Order(StringComparer.Ordinal)];

    /// <summary>finetune, pretrain, augment or compress.</summary>
    public string Job => SettingsSchema.JobOf(Place, Text);

    /// <summary>Finds a recipe.</summary>
    /// <param name="name">A built-in one's name, or a file.</param>
    /// <exception cref="UsageException">Neither.</exception>
    public static Recipe Find(string name)
    {
        if (Names.Contains(name))
        {
            using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(Prefix + name + Extension)!;
            using StreamReader reader = new(stream);
            return new Recipe($"recipe {name}", reader.ReadToEnd());
        }

        return File.Exists(name)
            ? new Recipe(name, File.ReadAllText(name))
            : throw new UsageException($"there is no recipe '{name}' and no such file.{SettingsSchema.Suggest(name, Names)} Built in: {string.Join(", ", Names)}");
    }

    /// <summary>Checks keys and values; what a run needs may be missing.</summary>
    /// <returns>The settings.</returns>
    /// <exception cref="UsageException">Every fault.</exception>
    public ISettings Check() => Job switch
    {
        "finetune" => SettingsSchema.Read<FineTuneSettings>(Place, Text, [], complete: false),
        "pretrain" => SettingsSchema.Read<PretrainSettings>(Place, Text, [], complete: false),
        "augment" => SettingsSchema.Read<AugmentSettings>(Place, Text, [], complete: false),
        _ => SettingsSchema.Read<CompressSettings>(Place, Text, [], complete: false),
    };

    /// <summary>Refuses a recipe for another job.</summary>
    /// <param name="job">finetune, pretrain, augment or compress.</param>
    /// <exception cref="UsageException">It is for another.</exception>
    public void Require(string job)
    {
        if (Job != job)
        {
            throw new UsageException($"{Place} is a recipe for {Job}, not for {job}");
        }
    }
}
