using System.CommandLine;
using System.Globalization;
using Limbeck.Cli.Quickstart;
using Limbeck.Training.Jobs;
using Spectre.Console;

namespace Limbeck.Cli.Verbs;

/// <summary><c>limbeck quickstart</c>.</summary>
internal static class QuickstartVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="context">Where to read and write.</param>
    /// <param name="threads">The flag --threads.</param>
    public static Command Make(ToolContext context, Option<int?> threads)
    {
        Verb verb = new(
            "quickstart",
            "Does the whole job on made-up reviews, with no downloads and in under three minutes: trains a teacher, trains a small student alone, and distils the same student from the teacher.",
            "limbeck quickstart",
            "limbeck quickstart --output-dir try --seed 7");
        Option<string> folder = new("--output-dir") { Description = "Where data and models go.", DefaultValueFactory = _ => Path.Combine("runs", "quickstart"), HelpName = "folder" };
        Option<ulong> seed = new("--seed") { Description = "Seed of everything random.", DefaultValueFactory = _ => 42, HelpName = "n" };
        verb.Options.Add(folder);
        verb.Options.Add(seed);
        verb.SetAction(result =>
        {
            string place = result.GetRequiredValue(folder);
            QuickstartJob job = new(new QuickstartPlan(), place, result.GetRequiredValue(seed), context.Job(result.GetValue(threads)));
            Print(job.Run(), place, context);
            return ExitCode.Done;
        });
        return verb;
    }

    private static void Print(IReadOnlyList<QuickstartJob.Row> rows, string folder, ToolContext context)
    {
        CultureInfo invariant = CultureInfo.InvariantCulture;
        ModelSize teacher = rows[0].Report.Size;
        Table table = ToolContext.NewTable("model", "shape", ":accuracy", ":weights", ":MB", ":ms a text", ":smaller", ":faster");
        foreach (QuickstartJob.Row row in rows)
        {
            Models.BertConfig config = Models.BertConfig.Read(row.Report.OutputDir);
            table.AddRow(
                row.Name, $"{config.LayerCount}/{config.HiddenSize}/{config.HeadCount}/{config.IntermediateSize}",
                TrainingOutput.Percent(row.Report.Metrics!["accuracy"]), row.Report.Size.Total.ToString("N0", invariant),
                (row.Bytes / 1e6).ToString("0.00", invariant), row.Milliseconds.ToString("0.000", invariant),
                string.Create(invariant, $"{(double)teacher.Total / row.Report.Size.Total:0.0} x"), string.Create(invariant, $"{rows[0].Milliseconds / row.Milliseconds:0.0} x"));
        }

        table.AddRow("commonest answer", string.Empty, TrainingOutput.Percent(rows[0].Report.Majority!["accuracy"]), string.Empty, string.Empty, string.Empty, string.Empty, string.Empty);
        context.Write(table);
        context.Out.WriteLine($"Both students began with the same weights and made the same {rows[1].Report.Steps:N0} updates; only one of them learned from the teacher.");
        context.Out.WriteLine();
        context.Out.WriteLine("Look at it in a browser:");
        context.Out.WriteLine($"  {Path.Combine(folder, "student", "report.html")}");
        context.Out.WriteLine("Try it:");
        context.Out.WriteLine($"  limbeck predict {Path.Combine(folder, "student")} \"although the soup was stale , i loved the view\"");
        context.Out.WriteLine("Next, on your own data (a CSV, TSV or JSONL file with the columns text and label) and a BERT of your own, such as all-MiniLM-L6-v2:");
        context.Out.WriteLine("  limbeck finetune --model all-MiniLM-L6-v2 --train-file mine.csv --validation-split 0.1 --output-dir teacher");
        context.Out.WriteLine("  limbeck compress --teacher-model teacher --student-model tinybert3-312 --train-file mine.csv --validation-split 0.1 --output-dir student");
    }
}
