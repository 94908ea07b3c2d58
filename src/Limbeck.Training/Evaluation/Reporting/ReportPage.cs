using System.Globalization;
using System.Text.Json;

namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>
/// A report as one HTML page that needs nothing else: style and drawings are inline, there is no script, nothing is fetched, and the page forbids the browser to.
/// It is well-formed XML.
/// </summary>
public static class ReportPage
{
    private const int ShownExamples = 6;
    private const string Forbidden = "default-src 'none'; style-src 'unsafe-inline'";

    /// <summary>Renders a report.</summary>
    /// <param name="report">The report.</param>
    public static string Render(RunReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        using HtmlWriter html = new();
        html.Open("html", ("lang", "en")).Open("head");
        html.Element("meta", null, ("charset", "utf-8")).Element("meta", null, ("http-equiv", "Content-Security-Policy"), ("content", Forbidden));
        html.Element("meta", null, ("name", "viewport"), ("content", "width=device-width, initial-scale=1")).Element("meta", null, ("name", "color-scheme"), ("content", "light dark"));
        html.Element("title", report.Title).Element("style", ReportStyle.Css).CloseLine();
        html.Open("body").Open("main");
        Header(html, report);
        Scores(html, report);
        Size(html, report);
        Speed(html, report);
        Curves(html, report);
        Layers(html, report);
        Examples(html, report);
        Repeat(html, report);
        html.Element("footer", $"Written by Limbeck {report.Machine.Version}. report.json beside this page has the same content for machines.").Close().Close().Close();
        return html.ToString();
    }

    private static void Header(HtmlWriter html, RunReport report)
    {
        html.Open("header").Element("h1", report.Title).Element("p", report.Story);
        html.Element("p", $"{Date(report.Run.Date)} · {report.Machine.Cpu}, {Threads(report.Machine)}", ("class", "meta"));
        Tiles(html, report);
        foreach (string note in report.Notes)
        {
            html.Element("p", note, ("class", "note warning"), ("style", "margin-top: 1rem"));
        }

        html.CloseLine();
    }

    private static void Tiles(HtmlWriter html, RunReport report)
    {
        List<(string Label, string Value, string Detail)> tiles = [];
        if (report.Scores is ReportScores scores && scores.RowOf(ReportRole.Model)?.Primary is double own)
        {
            bool share = Primary(scores).IsShare;
            string what = PrimaryName(scores);
            ReportScore? other = scores.RowOf(ReportRole.Teacher) ?? scores.RowOf(ReportRole.Majority);
            string beside = other?.Primary is double figure ? $"{other.Name} {ReportFormat.Score(figure, share)}" : string.Empty;
            tiles.Add((what, ReportFormat.Score(own, share), beside));
            if (scores.Retention is double kept)
            {
                tiles.Add(("kept of the teacher's score", ReportFormat.Score(kept, true) + " %", Kept(scores)));
            }
        }

        ReportModel? model = report.ModelOf(ReportRole.Model);
        ReportModel? teacher = report.ModelOf(ReportRole.Teacher);
        if (model is not null)
        {
            tiles.Add(teacher is null
                ? ("weights", ReportFormat.Weights(model.Size.Total), ReportFormat.Bytes(model.Bytes) + " on disk")
                : ("smaller than the teacher", ReportFormat.Times(teacher.Size.Total, model.Size.Total), $"{ReportFormat.Weights(model.Size.Total)} of {ReportFormat.Weights(teacher.Size.Total)} weights"));
        }

        if (report.Timing?.Of(ReportRole.Model) is ReportSpeed speed)
        {
            tiles.Add(report.Timing.Of(ReportRole.Teacher) is ReportSpeed slow
                ? ("faster on one text", ReportFormat.Times(slow.LatencyMilliseconds, speed.LatencyMilliseconds), $"{ReportFormat.Milliseconds(speed.LatencyMilliseconds)}, teacher {ReportFormat.Milliseconds(slow.LatencyMilliseconds)}")
                : ("for one text", ReportFormat.Milliseconds(speed.LatencyMilliseconds), $"{ReportFormat.Whole(speed.TextsPerSecond)} texts a second"));
        }

        if (tiles.Count == 0)
        {
            return;
        }

        html.Open("ul", ("class", "tiles"));
        foreach ((string label, string value, string detail) in tiles)
        {
            html.Open("li").Element("span", label).Element("strong", value).Element("span", detail).Close();
        }

        html.Close();
    }

    private static string Kept(ReportScores scores) =>
        scores.Comparisons.FirstOrDefault(comparison => comparison.Role == ReportRole.Teacher)?.Interval is { } interval ? $"{ReportFormat.Signed(interval.Difference)} points" : string.Empty;

    private static void Scores(HtmlWriter html, RunReport report)
    {
        html.Open("section").Element("h2", "Scores");
        if (report.Scores is not ReportScores scores)
        {
            html.Element("p", report.NothingScored, ("class", "note")).CloseLine();
            return;
        }

        bool mean = scores.PrimaryMetrics.Count > 1;
        html.Open("div", ("class", "scroll")).Open("table").Open("thead").Open("tr").Element("th", report.Run.EvalData is null ? string.Empty : $"{report.Run.EvalData}, {ReportFormat.Whole(report.Run.EvalRows)} rows", ("scope", "col"));
        foreach (ReportMetric metric in scores.Metrics)
        {
            html.Element("th", ReportFormat.Metric(metric.Name), ("scope", "col"));
        }

        if (mean)
        {
            html.Element("th", "mean", ("scope", "col"));
        }

        html.Close().Close().Open("tbody");
        foreach (ReportScore row in scores.Rows)
        {
            html.Open("tr", ("class", row.Role == ReportRole.Model ? "own" : null)).Element("th", row.Name, ("scope", "row"));
            foreach (ReportMetric metric in scores.Metrics)
            {
                html.Element("td", ReportFormat.Score(row.Values.TryGetValue(metric.Name, out double value) ? value : null, metric.IsShare));
            }

            if (mean)
            {
                html.Element("td", ReportFormat.Score(row.Primary, Primary(scores).IsShare));
            }

            html.Close();
        }

        html.Close().Close().CloseLine();
        if (scores.Retention is double retention)
        {
            html.Element("p", $"Measured by {(scores.PrimaryMetrics.Count > 1 ? "the " : string.Empty)}{PrimaryName(scores)}, the student keeps {ReportFormat.Score(retention, true)} % of the teacher's score.");
        }

        Comparisons(html, scores);
        if (scores.BaselineHint is not null)
        {
            html.Open("details").Element("summary", "What would the same student score without the teacher?");
            Commands(html, scores.BaselineHint);
            html.Close();
        }

        html.CloseLine();
    }

    private static void Comparisons(HtmlWriter html, ReportScores scores)
    {
        if (scores.Comparisons.Count == 0)
        {
            return;
        }

        double reach = 1.05 * scores.Comparisons.Max(one => Math.Max(Math.Abs(one.Interval.Low), Math.Abs(one.Interval.High)));
        html.Element("h3", "Is the difference more than chance?");
        html.Open("div", ("class", "scroll")).Open("table").Open("thead").Open("tr");
        html.Element("th", $"{scores.Rows[0].Name} against", ("scope", "col")).Element("th", "points", ("scope", "col")).Element("th", "95 % interval", ("scope", "col"));
        html.Element("th", string.Empty, ("class", "wide"), ("aria-hidden", "true")).Close().Close().Open("tbody");
        foreach (ReportComparison one in scores.Comparisons)
        {
            html.Open("tr").Element("th", one.Against, ("scope", "row")).Element("td", ReportFormat.Signed(one.Interval.Difference));
            html.Element("td", $"{ReportFormat.Signed(one.Interval.Low)} to {ReportFormat.Signed(one.Interval.High)}");
            html.Open("td", ("class", "wide"), ("aria-hidden", "true"));
            Interval(html, one, reach);
            html.Close().Close();
        }

        html.Close().Close().CloseLine();
        html.Element(
            "p",
            $"From {ReportFormat.Whole(scores.Comparisons[0].Interval.Resamples)} paired bootstrap samples of the scored rows. An interval that includes 0 means that these rows cannot tell the two apart. It covers the choice of rows, not that of the training seed.",
            ("class", "note"));
    }

    private static void Interval(HtmlWriter html, ReportComparison one, double reach)
    {
        const double Width = 300;
        const double Middle = 9;
        string At(double value) => ReportFormat.Attribute((Width / 2) + (reach > 0 ? value / reach * (Width / 2) : 0));
        string y = ReportFormat.Attribute(Middle);
        html.Open("svg", ("class", "interval"), ("viewBox", $"0 0 {Width} 18"), ("preserveAspectRatio", "none"));
        html.Element("line", null, ("class", "axis"), ("x1", At(0)), ("x2", At(0)), ("y1", "0"), ("y2", "18"));
        html.Element("line", null, ("class", "s1"), ("stroke-width", "2"), ("x1", At(one.Interval.Low)), ("x2", At(one.Interval.High)), ("y1", y), ("y2", y));
        html.Element("line", null, ("class", "s1"), ("stroke-width", "4"), ("x1", At(one.Interval.Difference)), ("x2", At(one.Interval.Difference)), ("y1", "4"), ("y2", "14"));
        html.Close();
    }

    private static void Size(HtmlWriter html, RunReport report)
    {
        if (report.ModelOf(ReportRole.Model) is not ReportModel own)
        {
            return;
        }

        ReportModel[] models = report.ModelOf(ReportRole.Teacher) is ReportModel teacher ? [own, teacher] : [own];
        html.Open("section").Element("h2", "Size");
        double largest = models.Max(model => model.Size.Total);
        html.Open("div", ("class", "bars"), ("aria-hidden", "true"));
        foreach (ReportModel model in models)
        {
            html.Element("span", Column(model, models)).Open("div");
            int colour = 1;
            foreach (long part in (long[])[model.Size.Embeddings, model.Size.Encoder, model.Size.Head])
            {
                html.Element("i", null, ("class", $"k{colour++}"), ("style", $"width: {ReportFormat.Attribute(100 * part / largest)}%"));
            }

            html.Close();
        }

        html.Close();
        Head(html, models, "smaller");
        Shapes(html, models);
        Row(html, models, "weights", model => ReportFormat.Weights(model.Size.Total), model => model.Size.Total, null);
        Row(html, models, "embeddings", model => ReportFormat.Weights(model.Size.Embeddings), model => model.Size.Embeddings, 1);
        Row(html, models, "encoder", model => ReportFormat.Weights(model.Size.Encoder), model => model.Size.Encoder, 2);
        Row(html, models, "pooler and head", model => ReportFormat.Weights(model.Size.Head), model => model.Size.Head, 3);
        Row(html, models, "wordpieces", model => ReportFormat.Whole(model.Vocabulary), model => model.Vocabulary, null);
        Row(html, models, "on disk", model => ReportFormat.Bytes(model.Bytes), model => model.Bytes, null);
        Row(html, models, "encoder operations a token", model => ReportFormat.Weights(model.Size.FlopsPerToken), model => model.Size.FlopsPerToken, null);
        html.Close().Close().Close();
        html.Element("p", "Embeddings cost memory, not time: a text looks up one row of the table for each of its tokens. The encoder costs both.", ("class", "note")).CloseLine();
    }

    private static string Column(ReportModel model, ReportModel[] models) => model.Role == ReportRole.Teacher ? "teacher" : models.Length > 1 ? "this student" : "this model";

    private static void Head(HtmlWriter html, ReportModel[] models, string ratio)
    {
        html.Open("div", ("class", "scroll")).Open("table").Open("thead").Open("tr").Element("th", string.Empty, ("scope", "col"));
        foreach (ReportModel model in models)
        {
            html.Element("th", Column(model, models), ("scope", "col"));
        }

        if (models.Length > 1)
        {
            html.Element("th", ratio, ("scope", "col"));
        }

        html.Close().Close().Open("tbody");
    }

    /// <summary>The row of the shapes, which a phone may break after each stroke.</summary>
    private static void Shapes(HtmlWriter html, ReportModel[] models)
    {
        html.Open("tr").Element("th", "layers / width / heads / inner", ("scope", "row"));
        foreach (ReportModel model in models)
        {
            html.Open("td", ("class", "break")).Text($"{model.Layers}/").Element("wbr", null).Text($"{model.Hidden}/").Element("wbr", null);
            html.Text($"{model.Heads}/").Element("wbr", null).Text($"{model.Intermediate}").Close();
        }

        if (models.Length > 1)
        {
            html.Element("td", string.Empty);
        }

        html.Close();
    }

    private static void Row(HtmlWriter html, ReportModel[] models, string name, Func<ReportModel, string> text, Func<ReportModel, double> figure, int? colour)
    {
        html.Open("tr", ("class", colour is null ? null : "part")).Open("th", ("scope", "row"));
        if (colour is not null)
        {
            html.Element("i", null, ("class", $"key k{colour}"));
        }

        html.Text(name).Close();
        foreach (ReportModel model in models)
        {
            html.Element("td", text(model));
        }

        if (models.Length > 1)
        {
            html.Element("td", ReportFormat.Times(figure(models[1]), figure(models[0])));
        }

        html.Close();
    }

    private static void Speed(HtmlWriter html, RunReport report)
    {
        if (report.Timing is not ReportTiming timing || timing.Of(ReportRole.Model) is not ReportSpeed own)
        {
            return;
        }

        ReportSpeed? teacher = timing.Of(ReportRole.Teacher);
        ReportModel[] models = [.. report.Models.Where(model => timing.Of(model.Role) is not null)];
        html.Open("section").Element("h2", "Speed");
        Head(html, models, "faster");
        void Line(string name, Func<ReportSpeed, string> text, Func<ReportSpeed, double> figure, bool less)
        {
            html.Open("tr").Element("th", name, ("scope", "row")).Element("td", text(own));
            if (teacher is not null)
            {
                html.Element("td", text(teacher)).Element("td", less ? ReportFormat.Times(figure(teacher), figure(own)) : ReportFormat.Times(figure(own), figure(teacher)));
            }

            html.Close();
        }

        Line("one text alone, median", speed => ReportFormat.Milliseconds(speed.LatencyMilliseconds), speed => speed.LatencyMilliseconds, less: true);
        Line("nine of ten within", speed => ReportFormat.Milliseconds(speed.SlowMilliseconds), speed => speed.SlowMilliseconds, less: true);
        Line("texts a second, many together", speed => ReportFormat.Whole(speed.TextsPerSecond), speed => speed.TextsPerSecond, less: false);
        html.Close().Close().Close();
        html.Element(
            "p",
            string.Create(
                CultureInfo.InvariantCulture,
                $"Measured once after training, on {timing.LatencyTexts} and {timing.ThroughputTexts} {(report.Scores is null ? "of the texts" : "of the scored texts")} ({timing.MeanTokens:0.0} tokens on average), tokenizing included, with {Threads(report.Machine)}{(teacher is null ? string.Empty : "; the models took turns")}. What else the machine did then is in it."),
            ("class", "note")).CloseLine();
    }

    private static void Curves(HtmlWriter html, RunReport report)
    {
        if (report.Curves.Count == 0)
        {
            return;
        }

        html.Open("section").Element("h2", "Training");
        html.Open("div", ("class", "charts"));
        int number = 0;
        bool IsShare(ReportCurve curve) => curve.Kind == ReportCurveKind.Evaluation
            && (report.Scores?.Metrics.FirstOrDefault(metric => metric.Name == curve.Name)?.IsShare ?? curve.Points.All(point => !(Math.Abs(point.Value) > 1)));
        foreach (IGrouping<(string Stage, ReportCurveKind Kind, bool Share, string Own), ReportCurve> chart in report.Curves.GroupBy(
            curve => (curve.Stage, curve.Kind, IsShare(curve), curve.Kind == ReportCurveKind.Other ? curve.Name : string.Empty)))
        {
            string what = chart.Key.Kind switch
            {
                ReportCurveKind.Loss => "loss",
                ReportCurveKind.Evaluation => $"score on {report.Run.EvalData ?? "held-out rows"}",
                _ => ReportFormat.Metric(chart.Key.Own),
            };
            ReportChart.Draw(html, $"chart{++number}", $"{chart.Key.Stage}: {what}", [.. chart], chart.Key.Share);
        }

        html.Close().CloseLine();
    }

    private static void Layers(HtmlWriter html, RunReport report)
    {
        if (report.Layers is not ReportLayers layers)
        {
            return;
        }

        bool attention = layers.Pairs.Any(pair => pair.AttentionDivergence is not null);
        double most = layers.Pairs.Max(pair => pair.AttentionDivergence ?? 0);
        html.Open("section").Element("h2", "Layers: how far from the teacher");
        html.Open("div", ("class", "scroll")).Open("table").Open("thead").Open("tr");
        html.Element("th", "student ← teacher", ("scope", "col")).Element("th", "hidden states, 1\u00a0−\u00a0CKA", ("scope", "col"));
        if (attention)
        {
            html.Element("th", "attention, KL\u00a0in\u00a0nats", ("scope", "col"));
        }

        html.Close().Close().Open("tbody");
        foreach (ReportLayer pair in layers.Pairs)
        {
            html.Open("tr").Element("th", pair.Student == 0 ? "embeddings" : $"layer {pair.Student} ← {pair.Teacher}", ("scope", "row"));
            Track(html, pair.HiddenDistance, 1);
            if (attention)
            {
                Track(html, pair.AttentionDivergence, most);
            }

            html.Close();
        }

        html.Close().Close().Close();
        html.Element(
            "p",
            $"On {ReportFormat.Whole(layers.Tokens)} tokens of {ReportFormat.Whole(layers.Rows)} rows of {layers.Data}; 0 is the same. Hidden states: 1 − linear centred kernel alignment (Kornblith et al., arXiv:1905.00414), estimated without bias, which compares layers of any two widths without a projection."
            + (attention ? " Attention: Kullback-Leibler divergence of the student's attention rows from the teacher's, mean over heads and rows." : " Attention is not compared: the two have other numbers of heads."),
            ("class", "note")).CloseLine();
    }

    private static void Track(HtmlWriter html, double? value, double most)
    {
        html.Open("td");
        if (value is double number)
        {
            html.Open("div", ("class", "track")).Element("span", number.ToString("0.000", CultureInfo.InvariantCulture)).Open("i", ("aria-hidden", "true"));
            html.Element("b", null, ("style", $"width: {ReportFormat.Attribute(most > 0 ? 100 * Math.Min(1, number / most) : 0)}%")).Close().Close();
        }
        else
        {
            html.Text(ReportFormat.Unknown);
        }

        html.Close();
    }

    private static void Examples(HtmlWriter html, RunReport report)
    {
        if (report.Examples is not ReportExamples examples)
        {
            return;
        }

        html.Open("section").Element("h2", examples.Kind switch
        {
            ReportExampleKind.Disagreement => "Where student and teacher disagree",
            ReportExampleKind.Mistake => "Where the model is wrong",
            _ => "The largest errors",
        });
        if (report.Scores?.Agreement is ReportAgreement agreement)
        {
            Agreement(html, agreement);
        }

        string shown = $"{ReportFormat.Whole(examples.Rows.Count)} of {ReportFormat.Whole(examples.Total)} such rows";
        html.Element("p", examples.Total == 0 ? "There is no such row." : examples.Kind switch
        {
            ReportExampleKind.Disagreement => $"{shown}, those first where the two are most certain. In brackets, an answer's probability.",
            ReportExampleKind.Mistake => $"{shown}, those first where the model is most certain. In brackets, an answer's probability.",
            _ => $"The {ReportFormat.Whole(examples.Rows.Count)} rows whose predicted number is farthest from the right one.",
        });
        List(html, examples.Rows.Take(ShownExamples));
        if (examples.Rows.Count > ShownExamples)
        {
            html.Open("details").Element("summary", $"{examples.Rows.Count - ShownExamples} more");
            List(html, examples.Rows.Skip(ShownExamples));
            html.Close();
        }

        html.CloseLine();
    }

    private static void Agreement(HtmlWriter html, ReportAgreement agreement)
    {
        string Cell(int rows) => $"{ReportFormat.Whole(rows)} ({(100.0 * rows / Math.Max(1, agreement.Rows)).ToString("0.0", CultureInfo.InvariantCulture)} %)";
        html.Open("div", ("class", "scroll")).Open("table", ("class", "fit")).Open("thead").Open("tr").Element("th", "rows", ("scope", "col"));
        html.Element("th", "teacher right", ("scope", "col")).Element("th", "teacher wrong", ("scope", "col")).Close().Close().Open("tbody");
        html.Open("tr").Element("th", "student right", ("scope", "row")).Element("td", Cell(agreement.BothRight)).Element("td", Cell(agreement.OnlyModel)).Close();
        html.Open("tr").Element("th", "student wrong", ("scope", "row")).Element("td", Cell(agreement.OnlyTeacher)).Element("td", Cell(agreement.BothWrong)).Close();
        html.Close().Close().CloseLine();
    }

    private static void List(HtmlWriter html, IEnumerable<ReportExample> examples)
    {
        html.Open("ol", ("class", "examples"));
        foreach (ReportExample example in examples)
        {
            html.Open("li").Element("q", example.Text, ("dir", "auto"));
            if (example.Pair is not null)
            {
                html.Element("q", example.Pair, ("dir", "auto"));
            }

            html.Open("dl", ("class", "answers"));
            Answer(html, "right answer", example.Gold, null, null);
            Answer(html, example.Teacher is null ? "model" : "student", example.Model.Label, example.Model.Right is null ? null : example.Model.Score, example.Model.Right);
            if (example.Teacher is ReportAnswer teacher)
            {
                Answer(html, "teacher", teacher.Label, teacher.Right is null ? null : teacher.Score, teacher.Right);
            }

            html.Open("div").Element("dt", "line").Element("dd", example.Line.ToString(CultureInfo.InvariantCulture)).Close();
            html.Close().CloseLine();
        }

        html.Close();
    }

    private static void Answer(HtmlWriter html, string who, string label, double? score, bool? right)
    {
        html.Open("div").Element("dt", who).Open("dd", ("class", right is null ? null : right.Value ? "right" : "wrong"));
        html.Element("bdi", label).Text(score is double number ? $" ({number.ToString("0.00", CultureInfo.InvariantCulture)})" : string.Empty);
        html.Text(right is null ? string.Empty : right.Value ? " ✓" : " ✗").Close().Close();
    }

    private static void Repeat(HtmlWriter html, RunReport report)
    {
        ReportRun run = report.Run;
        html.Open("section").Element("h2", "How to repeat it");
        if (run.Command is not null)
        {
            Commands(html, run.Command);
        }

        if (run.Recipe is not null)
        {
            html.Open("details").Element("summary", "The same as a recipe for limbeck run").Element("pre", Indented(run.Recipe)).Close();
        }

        html.Open("dl", ("class", "facts"));
        void Fact(string name, string? value)
        {
            if (!string.IsNullOrEmpty(value))
            {
                html.Element("dt", name).Element("dd", value);
            }
        }

        Fact("method", run.Method);
        Fact("task", run.Task);
        Fact("trained on", run.TrainData is null ? null : $"{run.TrainData}, {ReportFormat.Whole(run.TrainRows)} rows{(run.MaxSeqLength > 0 ? $", at most {run.MaxSeqLength} tokens" : string.Empty)}");
        Fact("scored on", run.EvalData is null ? null : $"{run.EvalData}, {ReportFormat.Whole(run.EvalRows)} rows");
        Fact(report.ModelOf(ReportRole.Teacher) is null ? "started from" : "student", run.StartModel);
        Fact("teacher", run.TeacherModel);
        Fact("seed", run.Seed.ToString(CultureInfo.InvariantCulture));
        foreach (ReportPart part in run.Parts.Count > 1 ? run.Parts : [new ReportPart("training", run.Steps, run.Tokens, run.Seconds)])
        {
            string updates = part.Steps > 0 ? $"{ReportFormat.Whole(part.Steps)} updates, " : string.Empty;
            string rate = part.Seconds > 0 ? $" ({ReportFormat.Whole(part.Tokens / part.Seconds)} tokens a second)" : string.Empty;
            Fact(run.Parts.Count > 1 ? $"part: {part.Name}" : part.Name, $"{updates}{ReportFormat.Whole(part.Tokens)} tokens, {ReportFormat.Duration(part.Seconds)}{rate}");
        }

        Fact("activations at most", ReportFormat.Bytes(run.PeakActivationBytes));
        Fact("machine", $"{report.Machine.Cpu}; {report.Machine.Cores} cores ({report.Machine.LogicalCores} logical), {Threads(report.Machine)}, {report.Machine.Tier} kernels");
        Fact("system", $"{report.Machine.System}; {report.Machine.Runtime}; Limbeck {report.Machine.Version}");
        Fact("model", run.OutputDir);
        Fact("date", Date(run.Date));
        html.Close().CloseLine();
    }

    /// <summary>Commands that break only between one flag with its value and the next, yet are copied as single lines.</summary>
    private static void Commands(HtmlWriter html, string commands)
    {
        html.Open("pre");
        string[] lines = commands.Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            html.Text(i > 0 ? "\n" : string.Empty);
            string[] parts = lines[i].Split(" --");
            html.Text(parts[0]);
            foreach (string part in parts.Skip(1))
            {
                html.Text(" ").Element("span", "--" + part);
            }
        }

        html.Close();
    }

    private static ReportMetric Primary(ReportScores scores) =>
        scores.Metrics.FirstOrDefault(metric => scores.PrimaryMetrics.Contains(metric.Name)) ?? new ReportMetric(string.Empty);

    private static string PrimaryName(ReportScores scores) => scores.PrimaryMetrics.Count switch
    {
        0 => "score",
        1 => ReportFormat.Metric(scores.PrimaryMetrics[0]),
        _ => $"mean of {string.Join(" and ", scores.PrimaryMetrics.Select(ReportFormat.Metric))}",
    };

    private static string Threads(ReportMachine machine) => $"{machine.Threads} thread{(machine.Threads == 1 ? string.Empty : "s")}";

    private static string Date(DateTimeOffset date) => date.ToUniversalTime().ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);

    private static string Indented(string recipe)
    {
        using JsonDocument document = JsonDocument.Parse(recipe);
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            document.RootElement.WriteTo(json);
        }

        return System.Text.Encoding.UTF8.GetString(stream.ToArray());
    }
}
