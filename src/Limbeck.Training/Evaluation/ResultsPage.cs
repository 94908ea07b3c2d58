using System.Globalization;
using System.Text;
using Limbeck.Training.Data;
using Limbeck.Training.Metrics;

namespace Limbeck.Training.Evaluation;

/// <summary>Renders lines of results to Markdown by the project's scoring rule, the same for every table.</summary>
/// <remarks>
/// A task's score is <see cref="TaskScore"/>'s; per row and task the mean and the sample deviation over seeds. Macro is the mean of the five
/// tasks' means (its deviation: over the seeds that have all five). Retention is a row's macro / the teacher's, also without RTE, whose teacher
/// is near chance. Lift is (row - majority) / (teacher - majority), both means over seeds. Gain is a row against the same model trained alone (from the same first weights where such a row is there),
/// over the seeds that both have, with its standard error over seeds and the paired bootstrap interval over dev rows.
/// </remarks>
public static class ResultsPage
{
    private const ulong BootstrapSeed = 1;

    /// <summary>The method of the row that retention and lift compare with; at most one model of a table has it.</summary>
    public const string TeacherMethod = "teacher";

    /// <summary>The method of a student trained without a teacher, which the gain compares with.</summary>
    public const string AloneMethod = "alone";

    // What tells the first weights in a method's name.
    private const string Init = ", init ";

    private const string Nothing = "–";

    /// <summary>Renders every table that the lines have, in the order of their first lines.</summary>
    /// <param name="lines">Lines of one or several files.</param>
    /// <returns>Markdown with lines ending in \n; the same lines give the same text.</returns>
    /// <exception cref="InvalidDataException">A needed metric is missing, or two models of a table are teachers.</exception>
    public static string Render(IEnumerable<ResultLine> lines)
    {
        ArgumentNullException.ThrowIfNull(lines);
        StringBuilder page = new();
        foreach (IGrouping<string, ResultLine> table in lines.GroupBy(static line => line.Table))
        {
            RenderTable(page, table.Key, [.. table]);
        }

        return page.ToString();
    }

    /// <summary>A row: a model made by a method, with its score for each task and seed.</summary>
    private sealed record Row(string Model, string Method, ILookup<string, ResultLine> Lines)
    {
        public double[] Scores(string task) => [.. Lines[task].OrderBy(static line => line.Seed).Select(static line => TaskScore.Of(line.Task, line.Metrics))];

        public double? Mean(string task) => Lines[task].Any() ? Scores(task).Average() : null;

        public double? Macro(IEnumerable<string> tasks) => tasks.Aggregate((double?)0, (sum, task) => sum + Mean(task)) / tasks.Count();

        public double[] MacroBySeed(IReadOnlyList<string> tasks) =>
        [
            .. tasks.Select(task => Lines[task].Select(static line => line.Seed)).Aggregate(static (a, b) => a.Intersect(b)).Order()
                .Select(seed => tasks.Average(task => Lines[task].Where(line => line.Seed == seed).Average(static line => TaskScore.Of(line.Task, line.Metrics)))),
        ];
    }

    private static void RenderTable(StringBuilder page, string name, List<ResultLine> lines)
    {
        List<Row> rows =
        [
            .. lines.GroupBy(static line => (line.Model, line.Method))
                .Select(static group => new Row(group.Key.Model, group.Key.Method, group.ToLookup(static line => line.Task))),
        ];
        List<Row> teachers = [.. rows.Where(static row => row.Method == TeacherMethod)];
        if (teachers.Count > 1)
        {
            throw new InvalidDataException($"table '{name}' has {teachers.Count} teachers ({string.Join(", ", teachers.Select(static row => row.Model))}); it can have one. Give the others a table of their own.");
        }

        Row? teacher = teachers.FirstOrDefault();
        IReadOnlyList<string> macro = TaskScore.MacroTasks;
        List<string> others = [.. lines.Select(static line => line.Task).Distinct().Except(macro)];
        List<string> tasks = [.. macro.Where(task => lines.Exists(line => line.Task == task)), .. others];
        bool hasMacro = tasks.Any(macro.Contains);

        page.Append(CultureInfo.InvariantCulture, $"## {name}\n\n");
        RenderScores(page, rows, teacher, tasks, hasMacro ? macro : []);
        if (teacher is not null)
        {
            RenderLift(page, rows.Where(row => row != teacher), teacher, tasks);
        }

        RenderGain(page, rows, tasks);
    }

    private static void RenderScores(StringBuilder page, List<Row> rows, Row? teacher, List<string> tasks, IReadOnlyList<string> macro)
    {
        page.Append("Scores x 100, mean ± deviation over seeds (number of seeds where more than one).\n\n");
        Header(page, ["model", "method", .. tasks, .. (string[])(macro.Count > 0 ? ["macro", "retention", "retention without RTE"] : [])], text: 2);
        string[] withoutRte = [.. macro.Where(static task => task != "RTE")];
        List<ResultLine> all = [.. rows.SelectMany(row => tasks.SelectMany(task => row.Lines[task]))];
        double?[] majority = [.. tasks.Select(task => MajorityOf(all, task))];
        double? majorityMacro = macro.Count > 0 ? macro.Aggregate((double?)0, (sum, task) => sum + MajorityOf(all, task)) / macro.Count : null;
        foreach (Row row in rows)
        {
            List<string> cells = [row.Model, row.Method, .. tasks.Select(task => MeanAndDeviation(row.Scores(task)))];
            if (macro.Count > 0)
            {
                double[] bySeed = row.MacroBySeed(macro);
                string deviation = bySeed.Length > 1 ? $" ± {Hundred(Deviation(bySeed))}" : "";
                cells.Add(row.Macro(macro) is double mean ? Hundred(mean) + deviation : Nothing);
                cells.Add(Percent(row.Macro(macro) / teacher?.Macro(macro)));
                cells.Add(Percent(row.Macro(withoutRte) / teacher?.Macro(withoutRte)));
            }

            Line(page, cells);
        }

        List<string> last = ["majority", "", .. majority.Select(static value => value is double number ? Hundred(number) : Nothing)];
        if (macro.Count > 0)
        {
            last.AddRange([majorityMacro is double number ? Hundred(number) : Nothing, Percent(majorityMacro / teacher?.Macro(macro)), Nothing]);
        }

        Line(page, last);
        page.Append('\n');
    }

    private static void RenderLift(StringBuilder page, IEnumerable<Row> rows, Row teacher, List<string> tasks)
    {
        List<Row> students = [.. rows];
        if (students.Count == 0)
        {
            return;
        }

        page.Append("(row - majority) / (teacher - majority), in percent.\n\n");
        Header(page, ["model", "method", .. tasks], text: 2);
        List<ResultLine> all = [.. students.Append(teacher).SelectMany(row => tasks.SelectMany(task => row.Lines[task]))];
        foreach (Row row in students)
        {
            List<string> cells = [row.Model, row.Method];
            foreach (string task in tasks)
            {
                double? majority = MajorityOf(all, task);
                double? span = teacher.Mean(task) - majority;
                cells.Add(span > 0 ? Percent((row.Mean(task) - majority) / span) : Nothing);
            }

            Line(page, cells);
        }

        page.Append('\n');
    }

    private static void RenderGain(StringBuilder page, List<Row> rows, List<string> tasks)
    {
        List<List<string>> found = [];
        foreach (Row row in rows.Where(static row => row.Method != TeacherMethod && !IsAlone(row)))
        {
            Row? alone = AloneOf(rows, row);
            foreach (string task in alone is null ? [] : tasks)
            {
                List<(ResultLine First, ResultLine Second)> pairs =
                    [.. row.Lines[task].Join(alone!.Lines[task], static line => line.Seed, static line => line.Seed, static (a, b) => (a, b))];
                if (pairs.Count > 0)
                {
                    found.Add([row.Model, row.Method, alone.Method, task, .. GainCells(task, pairs)]);
                }
            }
        }

        if (found.Count == 0)
        {
            return;
        }

        page.Append("Gain over the same model trained alone, in points: mean over the seeds that both have, standard error over seeds, 95 % interval of the paired bootstrap over dev rows.\n\n");
        Header(page, ["model", "method", "against", "task", "seeds", "gain", "standard error", "gain / error", "interval"], text: 4);
        foreach (List<string> cells in found)
        {
            Line(page, cells);
        }

        page.Append('\n');
    }

    private static bool IsAlone(Row row) => row.Method == AloneMethod || row.Method.StartsWith(AloneMethod + ",", StringComparison.Ordinal) || row.Method.StartsWith(AloneMethod + " (", StringComparison.Ordinal);

    /// <summary>The row of the same model without a teacher: the one with the same first weights, or where there is none the first.</summary>
    private static Row? AloneOf(List<Row> rows, Row row)
    {
        List<Row> alone = [.. rows.Where(other => other.Model == row.Model && IsAlone(other))];
        string init = InitOf(row.Method);
        return alone.Find(other => init.Length == 0 ? other.Method == AloneMethod : InitOf(other.Method) == init) ?? alone.FirstOrDefault();
    }

    /// <summary>The first weights that a method's name tells: pca of "tinybert, init pca, augmented"; empty when it tells none.</summary>
    private static string InitOf(string method)
    {
        int start = method.IndexOf(Init, StringComparison.Ordinal);
        return start < 0 ? string.Empty : method[(start + Init.Length)..].Split(',', ' ')[0];
    }

    private static List<string> GainCells(string task, List<(ResultLine First, ResultLine Second)> pairs)
    {
        double[] gains = [.. pairs.Select(pair => TaskScore.Of(task, pair.First.Metrics) - TaskScore.Of(task, pair.Second.Metrics))];
        double mean = gains.Average();
        double? error = gains.Length > 1 ? Deviation(gains) / Math.Sqrt(gains.Length) : null;
        List<string> cells =
        [
            gains.Length.ToString(CultureInfo.InvariantCulture),
            Signed(mean),
            error is double number ? Hundred(number) : Nothing,
            error > 0 ? (mean / error.Value).ToString("0.0", CultureInfo.InvariantCulture) : Nothing,
        ];
        bool kept = pairs.TrueForAll(static pair => pair is { First: { Gold: not null, Predictions: not null }, Second: { Gold: not null, Predictions: not null } }
            && pair.First.Gold == pair.Second.Gold) && pairs.Select(static pair => pair.First.Gold).Distinct().Count() == 1;
        if (!kept)
        {
            return [.. cells, Nothing];
        }

        (double low, double high) = PairedBootstrap.OverSeeds(
            TaskDefinition.Find(task), CompactValues.Parse(pairs[0].First.Gold!),
            [.. pairs.Select(static pair => (CompactValues.Parse(pair.First.Predictions!), CompactValues.Parse(pair.Second.Predictions!)))], BootstrapSeed);
        return [.. cells, $"{Signed(low)} to {Signed(high)}"];
    }

    /// <summary>The majority baseline of a task; it depends on the data alone, so the first line's is taken.</summary>
    private static double? MajorityOf(List<ResultLine> lines, string task) =>
        lines.Find(line => line.Task == task) is ResultLine line ? TaskScore.Of(task, line.Majority) : null;

    /// <summary>Sample standard deviation (n - 1).</summary>
    private static double Deviation(double[] values)
    {
        double mean = values.Average();
        return Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Length - 1));
    }

    private static string MeanAndDeviation(double[] scores) => scores.Length switch
    {
        0 => Nothing,
        1 => Hundred(scores[0]),
        _ => string.Create(CultureInfo.InvariantCulture, $"{Hundred(scores.Average())} ± {Hundred(Deviation(scores))} ({scores.Length})"),
    };

    private static string Hundred(double share) => (share * 100).ToString("0.0", CultureInfo.InvariantCulture);

    private static string Signed(double share) => (share * 100).ToString("+0.0;-0.0;0.0", CultureInfo.InvariantCulture);

    private static string Percent(double? share) => share is double number && double.IsFinite(number) ? Hundred(number) + " %" : Nothing;

    private static void Header(StringBuilder page, List<string> names, int text)
    {
        Line(page, names);
        page.Append('|');
        for (int i = 0; i < names.Count; i++)
        {
            page.Append(i < text ? "---|" : "---:|");
        }

        page.Append('\n');
    }

    private static void Line(StringBuilder page, IEnumerable<string> cells)
    {
        page.Append('|');
        foreach (string cell in cells)
        {
            page.Append(' ').Append(cell.Replace("|", "\\|", StringComparison.Ordinal)).Append(" |");
        }

        page.Append('\n');
    }
}
