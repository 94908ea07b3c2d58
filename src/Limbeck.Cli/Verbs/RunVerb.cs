using System.CommandLine;
using Limbeck.Training.Jobs;

namespace Limbeck.Cli.Verbs;

/// <summary><c>limbeck run</c>.</summary>
internal static class RunVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="context">Where to read and write.</param>
    /// <param name="threads">The flag --threads.</param>
    public static Command Make(ToolContext context, Option<int?> threads)
    {
        Verb verb = new(
            "run",
            "Runs a recipe: a built-in one by name, or a file. Flags win over what it says.",
            "limbeck run tinybert4 --teacher-model teacher --task SST-2 --data-dir glue --output-dir student",
            "limbeck run my-recipe.json --seed 7 --output-dir student-7")
        {
            Remarks = CompressVerb.Stages,
        };
        Argument<string> recipe = new("recipe") { Description = "The name of a built-in recipe (limbeck recipe ls) or a file." };
        Option<bool> json = new("--json") { Description = "Print the report as one JSON object." };
        verb.Arguments.Add(recipe);
        FlagSet flags = new(verb, typeof(FineTuneSettings), typeof(CompressSettings), typeof(PretrainSettings));
        verb.Options.Add(json);
        verb.SetAction(result =>
        {
            Recipe chosen = Recipe.Find(result.GetRequiredValue(recipe));
            JobContext job = context.Job(result.GetValue(threads));
            TrainingReport report = chosen.Job switch
            {
                "finetune" => FineTuneJob.Run(SettingsSchema.Read<FineTuneSettings>(chosen.Place, chosen.Text, flags.Given(result, typeof(FineTuneSettings))), job),
                "pretrain" => PretrainJob.Run(SettingsSchema.Read<PretrainSettings>(chosen.Place, chosen.Text, flags.Given(result, typeof(PretrainSettings))), job),
                _ => CompressJob.Run(SettingsSchema.Read<CompressSettings>(chosen.Place, chosen.Text, flags.Given(result, typeof(CompressSettings))), job),
            };
            TrainingOutput.Print(report, result.GetValue(json), context);
            return ExitCode.Done;
        });
        return verb;
    }
}
