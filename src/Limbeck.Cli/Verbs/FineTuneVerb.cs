using System.CommandLine;
using Limbeck.Training.Jobs;

namespace Limbeck.Cli.Verbs;

/// <summary><c>limbeck finetune</c>.</summary>
internal static class FineTuneVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="context">Where to read and write.</param>
    /// <param name="threads">The flag --threads.</param>
    public static Command Make(ToolContext context, Option<int?> threads)
    {
        Verb verb = new(
            "finetune",
            "Fine-tunes a pretrained BERT on a labelled file or a GLUE task, and leaves a complete Hugging Face directory.",
            "limbeck finetune --model all-MiniLM-L6-v2 --task MRPC --data-dir glue --num-train-epochs 4 --output-dir teacher",
            "limbeck finetune --model bert-base-uncased --train-file reviews.csv --validation-split 0.1 --output-dir teacher",
            "limbeck finetune --model bert-base-uncased --train-file reviews.csv --validation-split 0.1 --output-dir teacher --resume");
        Option<string?> recipe = new("--recipe") { Description = "A recipe: the name of a built-in one or a file; flags win over it.", HelpName = "name" };
        Option<bool> json = new("--json") { Description = "Print the report as one JSON object." };
        verb.Options.Add(recipe);
        Option<bool> dry = TrainingOutput.DryRun();
        FlagSet flags = new(verb, typeof(FineTuneSettings));
        verb.Options.Add(dry);
        verb.Options.Add(json);
        verb.SetAction(result =>
        {
            Recipe? chosen = result.GetValue(recipe) is string name ? Recipe.Find(name) : null;
            chosen?.Require("finetune");
            FineTuneSettings settings = SettingsSchema.Read<FineTuneSettings>(chosen?.Place ?? "limbeck finetune", chosen?.Text, flags.Given(result, typeof(FineTuneSettings)));
            JobContext job = context.Job(result.GetValue(threads));
            if (result.GetValue(dry))
            {
                TrainingOutput.Print(FineTuneJob.Plan(settings, job), result.GetValue(json), context);
            }
            else
            {
                TrainingOutput.Print(FineTuneJob.Run(settings, job), result.GetValue(json), context);
            }

            return ExitCode.Done;
        });
        return verb;
    }
}
