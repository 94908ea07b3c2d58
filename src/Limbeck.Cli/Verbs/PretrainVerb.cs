using System.CommandLine;
using Limbeck.Training.Jobs;

namespace Limbeck.Cli.Verbs;

/// <summary><c>limbeck pretrain</c>.</summary>
internal static class PretrainVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="context">Where to read and write.</param>
    /// <param name="threads">The flag --threads.</param>
    public static Command Make(ToolContext context, Option<int?> threads)
    {
        Verb verb = new(
            "pretrain",
            "Goes on with a model's masked language modelling on a raw corpus, or trains a head for it on a frozen encoder, and leaves a Hugging Face BertForMaskedLM.",
            "limbeck pretrain --model bert-base-uncased --train-file corpus.txt.gz --whole-word-mask --output-dir adapted",
            "limbeck pretrain --model all-MiniLM-L6-v2 --train-file corpus.txt --freeze-encoder --learning-rate 1e-3 --output-dir minilm-mlm");
        Option<string?> recipe = new("--recipe") { Description = "A recipe: the name of a built-in one or a file; flags win over it.", HelpName = "name" };
        Option<bool> json = new("--json") { Description = "Print the report as one JSON object." };
        verb.Options.Add(recipe);
        Option<bool> dry = TrainingOutput.DryRun();
        FlagSet flags = new(verb, typeof(PretrainSettings));
        verb.Options.Add(dry);
        verb.Options.Add(json);
        verb.SetAction(result =>
        {
            Recipe? chosen = result.GetValue(recipe) is string name ? Recipe.Find(name) : null;
            chosen?.Require("pretrain");
            PretrainSettings settings = SettingsSchema.Read<PretrainSettings>(chosen?.Place ?? "limbeck pretrain", chosen?.Text, flags.Given(result, typeof(PretrainSettings)));
            JobContext job = context.Job(result.GetValue(threads));
            if (result.GetValue(dry))
            {
                TrainingOutput.Print(PretrainJob.Plan(settings, job), result.GetValue(json), context);
            }
            else
            {
                TrainingOutput.Print(PretrainJob.Run(settings, job), result.GetValue(json), context);
            }

            return ExitCode.Done;
        });
        return verb;
    }
}
