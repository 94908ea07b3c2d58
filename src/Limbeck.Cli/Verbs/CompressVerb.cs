using System.CommandLine;
using Limbeck.Training.Jobs;

namespace Limbeck.Cli.Verbs;

/// <summary><c>limbeck compress</c>.</summary>
internal static class CompressVerb
{
    /// <summary>What help says of the flags that each stage has.</summary>
    internal static readonly string Stages =
        "Stages:\n  Each stage has its own flags, made of its name and: "
        + string.Join(", ", SettingsSchema.Of(typeof(StageSettings)).Settings.Select(setting => setting.Flag[2..]))
        + ".\n  Such as --intermediate-num-train-epochs 10 --prediction-learning-rate 2e-5 --alone-learning-rate 1e-4 (the last with --no-teacher),\n  --general-num-train-epochs 1 (with --stage general or all).\n"
        + "  --stage all runs the paper's stages one after the other, as far as their inputs are given: general (--general-teacher-model, --train-corpus;\n"
        + "  --general-max-seq-length) into OUTPUT_DIR/general, augment (--mlm-model) into OUTPUT_DIR/augment, then intermediate and prediction into OUTPUT_DIR.\n"
        + "  Its --resume leaves out what is finished and goes on with the rest. The augmentation's flags are --augment- and: "
        + string.Join(", ", SettingsSchema.Of(typeof(AugmentationSettings)).Settings.Select(setting => setting.Flag[2..])) + ".";

    /// <summary>Makes the verb.</summary>
    /// <param name="context">Where to read and write.</param>
    /// <param name="threads">The flag --threads.</param>
    public static Command Make(ToolContext context, Option<int?> threads)
    {
        Verb verb = new(
            "compress",
            "Compresses a fine-tuned BERT into a smaller student, by TinyBERT's task distillation: first its embeddings, hidden states and attention, then its answers. With --stage general: a pretrained BERT, from raw text.",
            "limbeck compress --teacher-model teacher --student-model tinybert3-312 --task MRPC --data-dir glue --output-dir student",
            "limbeck compress --teacher-model teacher --student-model 2/192/12/768 --train-file reviews.csv --validation-split 0.1 --trim-vocabulary --output-dir student",
            "limbeck compress --teacher-model teacher --student-model tinybert3-312 --task MRPC --data-dir glue --no-teacher --output-dir alone",
            "limbeck compress --stage general --teacher-model bert-base-uncased --student-model tinybert4 --train-corpus text.txt.gz --output-dir general",
            "limbeck compress --teacher-model teacher --student-model general --task MRPC --data-dir glue --output-dir student",
            "limbeck compress --stage all --general-teacher-model all-MiniLM-L6-v2 --train-corpus text.txt.gz --mlm-model minilm-mlm --teacher-model teacher --student-model tinybert3-312 --task CoLA --data-dir glue --output-dir student --dry-run",
            "limbeck compress --recipe tinybert4 --teacher-model teacher --task SST-2 --data-dir glue --output-dir student")
        {
            Remarks = Stages,
        };
        Option<string?> recipe = new("--recipe") { Description = "A recipe: the name of a built-in one or a file; flags win over it.", HelpName = "name" };
        Option<bool> json = new("--json") { Description = "Print the report as one JSON object." };
        verb.Options.Add(recipe);
        Option<bool> dry = TrainingOutput.DryRun();
        FlagSet flags = new(verb, typeof(CompressSettings));
        verb.Options.Add(dry);
        verb.Options.Add(json);
        verb.SetAction(result =>
        {
            Recipe? chosen = result.GetValue(recipe) is string name ? Recipe.Find(name) : null;
            chosen?.Require("compress");
            CompressSettings settings = SettingsSchema.Read<CompressSettings>(chosen?.Place ?? "limbeck compress", chosen?.Text, flags.Given(result, typeof(CompressSettings)));
            JobContext job = context.Job(result.GetValue(threads));
            if (result.GetValue(dry))
            {
                TrainingOutput.Print(CompressJob.Plan(settings, job), result.GetValue(json), context);
            }
            else
            {
                TrainingOutput.Print(CompressJob.Run(settings, job), result.GetValue(json), context);
            }

            return ExitCode.Done;
        });
        return verb;
    }
}
