using System.CommandLine;
using System.Text.Json;
using Limbeck.Training.Jobs;
using Spectre.Console;

namespace Limbeck.Cli.Verbs;

/// <summary><c>limbeck recipe ls|cat|cp|check</c>.</summary>
internal static class RecipeVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="context">Where to read and write.</param>
    public static Command Make(ToolContext context)
    {
        Verb verb = new("recipe", "Lists, shows, copies and checks recipes: complete, copyable settings in strict JSON.", "limbeck recipe ls", "limbeck recipe cp tinybert4 mine.json", "limbeck recipe check mine.json");
        verb.Subcommands.Add(List(context));
        verb.Subcommands.Add(Show(context));
        verb.Subcommands.Add(Copy(context));
        verb.Subcommands.Add(Check(context));
        return verb;
    }

    private static Verb List(ToolContext context)
    {
        Verb verb = new("ls", "Lists the built-in recipes.", "limbeck recipe ls");
        verb.SetAction(_ =>
        {
            Table table = ToolContext.NewTable("recipe", "job", "what it does");
            foreach (string name in Recipe.Names)
            {
                Recipe recipe = Recipe.Find(name);
                using JsonDocument json = JsonDocument.Parse(recipe.Text, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip });
                string about = json.RootElement.TryGetProperty("description", out JsonElement text) ? text.GetString()! : string.Empty;
                table.AddRow(name.EscapeMarkup(), recipe.Job, about.EscapeMarkup());
            }

            context.Write(table);
            return ExitCode.Done;
        });
        return verb;
    }

    private static Verb Show(ToolContext context)
    {
        Verb verb = new("cat", "Prints a recipe.", "limbeck recipe cat tinybert4");
        Argument<string> name = new("recipe") { Description = "Its name." };
        verb.Arguments.Add(name);
        verb.SetAction(result =>
        {
            context.Out.Write(Recipe.Find(result.GetRequiredValue(name)).Text);
            return ExitCode.Done;
        });
        return verb;
    }

    private static Verb Copy(ToolContext context)
    {
        Verb verb = new("cp", "Copies a recipe to a file, to be changed.", "limbeck recipe cp tinybert4 mine.json");
        Argument<string> name = new("recipe") { Description = "Its name." };
        Argument<string> file = new("file") { Description = "Where to; it must not be there yet." };
        verb.Arguments.Add(name);
        verb.Arguments.Add(file);
        verb.SetAction(result =>
        {
            Recipe recipe = Recipe.Find(result.GetRequiredValue(name));
            string path = result.GetRequiredValue(file);
            if (File.Exists(path))
            {
                throw new UsageException($"{path} is there already; name another file or remove it");
            }

            File.WriteAllText(path, recipe.Text);
            context.Error.WriteLine($"wrote {path}; run it with: limbeck run {path}");
            return ExitCode.Done;
        });
        return verb;
    }

    private static Verb Check(ToolContext context)
    {
        Verb verb = new("check", "Checks a recipe: every key and value, all faults at once.", "limbeck recipe check mine.json");
        Argument<string> name = new("recipe") { Description = "A file, or a name." };
        verb.Arguments.Add(name);
        verb.SetAction(result =>
        {
            Recipe recipe = Recipe.Find(result.GetRequiredValue(name));
            ISettings settings = recipe.Check();
            List<string> open = [];
            settings.Check(open, complete: true);
            context.Out.WriteLine($"{recipe.Place}: good");
            foreach (string missing in open)
            {
                context.Out.WriteLine($"  left to flags: {missing}");
            }

            return ExitCode.Done;
        });
        return verb;
    }
}
