using System.CommandLine;
using System.Globalization;
using Limbeck.Training.Jobs;
using Limbeck.Training.Metrics;
using Spectre.Console;

namespace Limbeck.Cli.Verbs;

/// <summary>Prints what came of a job that trains.</summary>
internal static class TrainingOutput
{
    /// <summary>The flag --dry-run.</summary>
    public static Option<bool> DryRun() => new("--dry-run") { Description = "Check everything and print the plan (stages, sizes, layer map, tokens, updates, cache, estimated time), then stop; nothing is written." };

    /// <summary>Prints a plan as one JSON object, or as a table.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="json">Whether machines read it.</param>
    /// <param name="context">Where to.</param>
    public static void Print(JobPlan plan, bool json, ToolContext context)
    {
        if (json)
        {
            context.Out.WriteLine(plan.ToJson());
        }
        else
        {
            plan.Write(context.Out);
        }
    }

    /// <summary>Prints a report as one JSON object, or as a table.</summary>
    /// <param name="report">The report.</param>
    /// <param name="json">Whether machines read it.</param>
    /// <param name="context">Where to.</param>
    public static void Print(TrainingReport report, bool json, ToolContext context)
    {
        if (json)
        {
            context.Out.WriteLine(report.ToJson(indented: false));
            return;
        }

        if (report.Metrics is not null)
        {
            Table table = ToolContext.NewTable(report.EvalData ?? "score", ":teacher", ":this model", ":majority");
            if (report.Before is not null)
            {
                table = ToolContext.NewTable(report.EvalData ?? "score", ":before", ":this model", ":by frequency");
            }
            else if (report.Teacher is null)
            {
                table = ToolContext.NewTable(report.EvalData ?? "score", ":this model", ":majority");
            }

            Add(table, report.Metrics, report.Before ?? report.Teacher, report.Majority, string.Empty);
            if (report.Mismatched is not null)
            {
                Add(table, report.Mismatched, null, null, " (mismatched)");
            }

            context.Write(table);
        }

        context.Out.WriteLine(report.TeacherSize is null ? $"{report.Size}" : $"{report.Size}; teacher {report.TeacherSize.Total / 1e6:0.00} M");
        context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{report.Steps:N0} steps in {report.Seconds:0.0} s; the model is in {report.OutputDir}"));
    }

    private static void Add(Table table, MetricSet metrics, MetricSet? other, MetricSet? majority, string suffix)
    {
        foreach ((string name, double value) in metrics.Values)
        {
            List<string> cells = [name + suffix];
            if (table.Columns.Count == 4)
            {
                cells.Add(other is null ? string.Empty : Text(name, other[name]));
            }

            cells.Add(Text(name, value));
            cells.Add(majority is null ? string.Empty : Text(name, majority[name]));
            table.AddRow([.. cells]);
        }
    }

    // Losses and perplexities are no shares.
    private static string Text(string name, double value) => name is "loss" or "perplexity" ? value.ToString("0.00", CultureInfo.InvariantCulture) : Percent(value);

    /// <summary>A share in percent with two decimals.</summary>
    /// <param name="value">0 to 1.</param>
    public static string Percent(double value) => (100 * value).ToString("0.00", CultureInfo.InvariantCulture);
}
