using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Limbeck.Training.Evaluation;
using Limbeck.Training.Jobs;

namespace Limbeck.Cli.Verbs;

/// <summary><c>limbeck augment</c>.</summary>
internal static class AugmentVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="context">Where to read and write.</param>
    /// <param name="threads">The flag --threads.</param>
    public static Command Make(ToolContext context, Option<int?> threads)
    {
        Verb verb = new(
            "augment",
            "Makes many variants of labelled texts, by TinyBERT's data augmentation: words are replaced by what a masked language model or word vectors say fits too.",
            "limbeck augment --model minilm-mlm --task CoLA --data-dir glue",
            "limbeck augment --model bert-base-uncased --word-vectors glove.42B.300d.txt --task MRPC --data-dir glue --n 20",
            "limbeck augment --model minilm-mlm --train-file reviews.csv --n 10 --output-file more-reviews.csv",
            "limbeck augment --model all-MiniLM-L6-v2 --candidates vectors --train-file reviews.csv",
            "limbeck compress --teacher-model teacher --student-model tinybert3-312 --task CoLA --data-dir glue --aug-train --output-dir student");
        Option<bool> json = new("--json") { Description = "Print the report as one JSON object." };
        Option<string?> recipe = new("--recipe") { Description = "A recipe: the name of a built-in one or a file; flags win over it.", HelpName = "name" };
        verb.Options.Add(recipe);
        Option<bool> dry = TrainingOutput.DryRun();
        FlagSet flags = new(verb, typeof(AugmentSettings));
        verb.Options.Add(dry);
        verb.Options.Add(json);
        verb.SetAction(result =>
        {
            Recipe? chosen = result.GetValue(recipe) is string name ? Recipe.Find(name) : null;
            chosen?.Require("augment");
            AugmentSettings settings = SettingsSchema.Read<AugmentSettings>(chosen?.Place ?? "limbeck augment", chosen?.Text, flags.Given(result, typeof(AugmentSettings)));
            Run(settings, context.Job(result.GetValue(threads)), result.GetValue(dry), result.GetValue(json), context);
            return ExitCode.Done;
        });
        return verb;
    }

    /// <summary>Runs the job, or tells its plan, and prints what came of it.</summary>
    /// <param name="settings">Checked settings.</param>
    /// <param name="job">What to run with.</param>
    /// <param name="dry">Whether only the plan is wanted.</param>
    /// <param name="json">Whether machines read it.</param>
    /// <param name="context">Where to.</param>
    internal static void Run(AugmentSettings settings, JobContext job, bool dry, bool json, ToolContext context)
    {
        if (dry)
        {
            TrainingOutput.Print(AugmentJob.Plan(settings, job), json, context);
        }
        else
        {
            Print(AugmentJob.Run(settings, job), json, context);
        }
    }

    private static void Print(AugmentReport report, bool json, ToolContext context)
    {
        if (!json)
        {
            context.Out.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{report.File}: {report.AugmentedRows:N0} rows of {report.Rows:N0} in {report.Seconds:0.0} s; {report.MaskedWords:N0} words were masked, {report.LookedUpWords:N0} looked up by word vectors, {report.WordsWithoutCandidates:N0} have nothing to be replaced by"));
            return;
        }

        context.Out.WriteLine(JsonText.OfObject(
            writer =>
            {
                writer.WriteString("file", report.File);
                writer.WriteString("task", report.Task);
                writer.WriteNumber("rows", report.Rows);
                writer.WriteNumber("augmented_rows", report.AugmentedRows);
                writer.WriteNumber("masked_words", report.MaskedWords);
                writer.WriteNumber("looked_up_words", report.LookedUpWords);
                writer.WriteNumber("words_without_candidates", report.WordsWithoutCandidates);
                writer.WriteNumber("tokens", report.Tokens);
                writer.WriteNumber("seconds", Math.Round(report.Seconds, 3));
            }));
    }
}
