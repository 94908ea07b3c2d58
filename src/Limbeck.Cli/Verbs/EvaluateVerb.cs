using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Limbeck.Training.Evaluation;
using Limbeck.Training.Jobs;
using Spectre.Console;

namespace Limbeck.Cli.Verbs;

/// <summary><c>limbeck evaluate</c>.</summary>
internal static class EvaluateVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="context">Where to read and write.</param>
    /// <param name="threads">The flag --threads.</param>
    public static Command Make(ToolContext context, Option<int?> threads)
    {
        Verb verb = new(
            "evaluate",
            "Scores a model on a labelled file, in GLUE's columns or your own.",
            "limbeck evaluate student --task MRPC --data-file glue/MRPC/dev.tsv",
            "limbeck evaluate student --data-file reviews-test.csv --json",
            "limbeck evaluate student --data-file reviews-test.csv --min-score accuracy=0.9",
            "limbeck evaluate embedder --task STS-B --data-dir glue --zero-shot");
        Argument<string> model = new("model") { Description = "A Hugging Face directory of a fine-tuned BERT; with --zero-shot a sentence embedder's." };
        Option<string[]> gates = new("--min-score") { Description = "Exit with status 3 when a metric is below a value, such as accuracy=0.85. May be given again.", HelpName = "metric=value" };
        Option<bool> json = new("--json") { Description = "Print one JSON object {model, task, file, n, metrics}." };
        verb.Arguments.Add(model);
        FlagSet flags = new(verb, typeof(EvaluateSettings));
        verb.Options.Add(gates);
        verb.Options.Add(json);
        verb.SetAction(result =>
        {
            List<(string Metric, double Value)> wanted = [.. (result.GetValue(gates) ?? []).Select(Gate)];
            EvaluateSettings settings = SettingsSchema.Read<EvaluateSettings>("limbeck evaluate", null, flags.Given(result, typeof(EvaluateSettings))) with { Model = result.GetRequiredValue(model) };
            EvaluateReport report = EvaluateJob.Run(settings, context.Job(result.GetValue(threads)));
            Print(report, result.GetValue(json), context);
            return Missed(report, wanted, context) ? ExitCode.GateMissed : ExitCode.Done;
        });
        return verb;
    }

    private static (string Metric, double Value) Gate(string text)
    {
        string[] sides = text.Split('=', 2);
        return sides.Length == 2 && double.TryParse(sides[1], NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value is >= -1 and <= 1
            ? (sides[0], value)
            : throw new UsageException($"--min-score is '{text}'; needed a metric and a value of at most 1, such as accuracy=0.85");
    }

    private static bool Missed(EvaluateReport report, List<(string Metric, double Value)> wanted, ToolContext context)
    {
        bool missed = false;
        foreach ((string metric, double value) in wanted)
        {
            if (report.Metrics.Values.All(known => known.Key != metric))
            {
                throw new UsageException($"--min-score names the metric '{metric}'.{SettingsSchema.Suggest(metric, report.Metrics.Values.Select(known => known.Key))} This task has {string.Join(", ", report.Metrics.Values.Select(known => known.Key))}");
            }

            if (report.Metrics[metric] < value)
            {
                missed = true;
                context.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"gate missed: {metric} is {report.Metrics[metric]:0.0000}, needed at least {value}"));
            }
        }

        return missed;
    }

    private static void Print(EvaluateReport report, bool json, ToolContext context)
    {
        if (json)
        {
            context.Out.WriteLine(JsonText.OfObject(
                writer =>
                {
                    writer.WriteString("model", report.Model);
                    writer.WriteString("task", report.Task);
                    writer.WriteString("file", report.File);
                    writer.WriteNumber("n", report.Rows);
                    writer.WriteStartObject("metrics");
                    foreach ((string name, double value) in report.Metrics.Values)
                    {
                        writer.WriteNumber(name, value);
                    }

                    writer.WriteEndObject();
                }));
            return;
        }

        Table table = ToolContext.NewTable($"{report.File} ({report.Rows:N0} rows)", ":score", ":majority");
        foreach ((string name, double value) in report.Metrics.Values)
        {
            table.AddRow(name, TrainingOutput.Percent(value), TrainingOutput.Percent(report.Majority[name]));
        }

        context.Write(table);
    }
}
