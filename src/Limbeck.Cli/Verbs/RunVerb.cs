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
            "limbeck run tinybert4 --general-teacher-model bert-base-uncased --train-corpus text.txt.gz --mlm-model bert-base-uncased --teacher-model teacher --task CoLA --data-dir glue --output-dir student --dry-run",
            "limbeck run tinybert4 --general-teacher-model bert-base-uncased --train-corpus text.txt.gz --mlm-model bert-base-uncased --teacher-model teacher --task CoLA --data-dir glue --output-dir student --resume",
            "limbeck run my-recipe.json --seed 7 --output-dir student-7")
        {
            Remarks = CompressVerb.Stages,
        };
        Argument<string> recipe = new("recipe") { Description = "The name of a built-in recipe (limbeck recipe ls) or a file." };
        Option<bool> json = new("--json") { Description = "Print the report as one JSON object." };
        verb.Arguments.Add(recipe);
        Option<bool> dry = TrainingOutput.DryRun();
        FlagSet flags = new(verb, typeof(FineTuneSettings), typeof(CompressSettings), typeof(PretrainSettings), typeof(AugmentSettings));
        verb.Options.Add(dry);
        verb.Options.Add(json);
        verb.SetAction(result =>
        {
            Recipe chosen = Recipe.Find(result.GetRequiredValue(recipe));
            JobContext job = context.Job(result.GetValue(threads));
            T Read<T>()
                where T : class, ISettings, new() => SettingsSchema.Read<T>(chosen.Place, chosen.Text, flags.Given(result, typeof(T)));

            void Go<T>(Func<T, JobContext, JobPlan> plan, Func<T, JobContext, TrainingReport> run)
                where T : class, ISettings, new()
            {
                T settings = Read<T>();
                if (result.GetValue(dry))
                {
                    TrainingOutput.Print(plan(settings, job), result.GetValue(json), context);
                }
                else
                {
                    TrainingOutput.Print(run(settings, job), result.GetValue(json), context);
                }
            }

            switch (chosen.Job)
            {
                case "finetune":
                    Go<FineTuneSettings>(FineTuneJob.Plan, FineTuneJob.Run);
                    break;
                case "pretrain":
                    Go<PretrainSettings>(PretrainJob.Plan, PretrainJob.Run);
                    break;
                case "augment":
                    AugmentVerb.Run(Read<AugmentSettings>(), job, result.GetValue(dry), result.GetValue(json), context);
                    break;
                default:
                    Go<CompressSettings>(CompressJob.Plan, CompressJob.Run);
                    break;
            }

            return ExitCode.Done;
        });
        return verb;
    }
}
