using System.Globalization;
using System.Text;

namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>Draws curves as inline SVG with axes, a legend, and a text that says the same to those who do not see it.</summary>
internal static class ReportChart
{
    private const double Width = 400;
    private const double Height = 210;
    private const double Left = 44;
    private const double Right = 10;
    private const double Top = 8;
    private const double Bottom = 34;
    private const int Colours = 4;
    private const int Ticks = 5;
    private const int MostDecimals = 4;

    /// <summary>Draws a chart. Values that are no numbers leave a gap; without any number there is only a sentence.</summary>
    /// <param name="html">Receives a figure.</param>
    /// <param name="id">Makes its elements' ids unique on the page.</param>
    /// <param name="title">What it shows.</param>
    /// <param name="curves">At most four are told apart by colour.</param>
    /// <param name="share">Whether the values are shares of 1, shown in hundredths.</param>
    public static void Draw(HtmlWriter html, string id, string title, IReadOnlyList<ReportCurve> curves, bool share)
    {
        double scale = share ? 100 : 1;
        ReportPoint[] finite = [.. curves.SelectMany(curve => curve.Points).Where(point => double.IsFinite(point.Value))];
        html.Open("figure").Element("h3", title);
        if (finite.Length == 0)
        {
            html.Element("figcaption", "No finite value was logged.");
            html.CloseLine();
            return;
        }

        (double low, double high, double[] ticks) = Axis(finite.Min(point => point.Value) * scale, finite.Max(point => point.Value) * scale);
        (double first, double last, double[] steps) = StepAxis(finite.Min(point => point.Step), finite.Max(point => point.Step));
        double X(double step) => Left + ((step - first) / (last - first) * (Width - Left - Right));
        double Y(double value) => Height - Bottom - ((value - low) / (high - low) * (Height - Top - Bottom));
        html.Open("svg", ("viewBox", $"0 0 {Width} {Height}"), ("role", "img"), ("aria-labelledby", $"{id}-title {id}-text"));
        html.Element("title", title, ("id", $"{id}-title")).Element("desc", string.Join(" ", curves.Select(curve => Sentence(curve, share))), ("id", $"{id}-text"));
        foreach (double tick in ticks)
        {
            string y = ReportFormat.Attribute(Y(tick));
            html.Element("line", null, ("class", "grid"), ("x1", ReportFormat.Attribute(Left)), ("x2", ReportFormat.Attribute(Width - Right)), ("y1", y), ("y2", y));
            html.Element("text", Label(tick, ticks[1] - ticks[0]), ("x", ReportFormat.Attribute(Left - 6)), ("y", ReportFormat.Attribute(Y(tick) + 4)), ("text-anchor", "end"));
        }

        string ground = ReportFormat.Attribute(Height - Bottom);
        html.Element("line", null, ("class", "axis"), ("x1", ReportFormat.Attribute(Left)), ("x2", ReportFormat.Attribute(Width - Right)), ("y1", ground), ("y2", ground));
        foreach (double step in steps)
        {
            string x = ReportFormat.Attribute(X(step));
            html.Element("line", null, ("class", "axis"), ("x1", x), ("x2", x), ("y1", ground), ("y2", ReportFormat.Attribute(Height - Bottom + 4)));
            html.Element("text", Steps(step), ("x", x), ("y", ReportFormat.Attribute(Height - Bottom + 16)), ("text-anchor", X(step) > Width - Right - 12 ? "end" : "middle"));
        }

        html.Element("text", "updates", ("x", ReportFormat.Attribute((Left + Width - Right) / 2)), ("y", ReportFormat.Attribute(Height - 3)), ("text-anchor", "middle"));
        for (int i = 0; i < curves.Count; i++)
        {
            Curve(html, curves[i], (i % Colours) + 1, step => X(step), value => Y(value * scale));
        }

        html.Close();
        html.Open("figcaption");
        Legend(html, curves, share);
        html.Close().CloseLine();
    }

    /// <summary>What a curve says, in a sentence.</summary>
    /// <param name="curve">The curve.</param>
    /// <param name="share">Whether the values are shares of 1.</param>
    internal static string Sentence(ReportCurve curve, bool share)
    {
        ReportPoint[] points = [.. curve.Points.Where(point => double.IsFinite(point.Value))];
        string name = ReportFormat.Metric(curve.Name);
        string Value(ReportPoint point) => ReportFormat.Score(point.Value, share);
        return points.Length switch
        {
            0 => $"{name}: no finite value.",
            1 => $"{name}: {Value(points[0])} at update {points[0].Step}.",
            _ => $"{name}: {Value(points[0])} at update {points[0].Step}, {Value(points[^1])} at update {points[^1].Step}; lowest {Value(points.MinBy(point => point.Value))}, highest {Value(points.MaxBy(point => point.Value))}.",
        };
    }

    private static void Curve(HtmlWriter html, ReportCurve curve, int colour, Func<double, double> x, Func<double, double> y)
    {
        StringBuilder path = new();
        bool pen = false;
        bool dots = curve.Points.Count(point => double.IsFinite(point.Value)) <= 12;
        for (int i = 0; i < curve.Points.Count; i++)
        {
            ReportPoint point = curve.Points[i];
            if (!double.IsFinite(point.Value))
            {
                pen = false;
                continue;
            }

            path.Append(pen ? 'L' : 'M').Append(ReportFormat.Attribute(x(point.Step))).Append(' ').Append(ReportFormat.Attribute(y(point.Value)));
            bool alone = !pen && (i + 1 == curve.Points.Count || !double.IsFinite(curve.Points[i + 1].Value));
            pen = true;
            if (dots || alone)
            {
                html.Element("circle", null, ("class", $"f{colour}"), ("cx", ReportFormat.Attribute(x(point.Step))), ("cy", ReportFormat.Attribute(y(point.Value))), ("r", "2.5"));
            }
        }

        html.Element("path", null, ("class", $"curve s{colour}"), ("d", path.ToString()));
    }

    private static void Legend(HtmlWriter html, IReadOnlyList<ReportCurve> curves, bool share)
    {
        html.Open("ul", ("class", "legend"));
        for (int i = 0; i < curves.Count; i++)
        {
            ReportPoint[] points = [.. curves[i].Points.Where(point => double.IsFinite(point.Value))];
            html.Open("li");
            html.Open("svg", ("viewBox", "0 0 26 10"), ("aria-hidden", "true")).Element("path", null, ("class", $"curve s{(i % Colours) + 1}"), ("d", "M1 5L25 5")).Close();
            string values = points.Length == 0 ? ReportFormat.Unknown
                : points.Length == 1 ? ReportFormat.Score(points[0].Value, share)
                : $"{ReportFormat.Score(points[0].Value, share)} → {ReportFormat.Score(points[^1].Value, share)}";
            html.Text($"{ReportFormat.Metric(curves[i].Name)} {values}").Close();
        }

        html.Close();
    }

    /// <summary>An axis from one round number to another around all values.</summary>
    private static (double Low, double High, double[] Ticks) Axis(double low, double high)
    {
        if (high - low <= Math.Abs(high) * 1e-9)
        {
            double around = high == 0 ? 1 : Math.Abs(high) * 0.1;
            (low, high) = (low - around, high + around);
        }
        else if (low >= 0 && low < 0.35 * high)
        {
            low = 0;
        }

        double step = Round((high - low) / (Ticks - 1));
        double from = Math.Floor((low / step) + 1e-9) * step;
        double to = Math.Ceiling((high / step) - 1e-9) * step;
        return (from, to, [.. Enumerable.Range(0, (int)Math.Round((to - from) / step) + 1).Select(i => from + (i * step))]);
    }

    /// <summary>The updates' axis ends with the last update, not at a round number.</summary>
    private static (double First, double Last, double[] Ticks) StepAxis(long first, long last)
    {
        if (first == last)
        {
            return (first - 1, last + 1, [first]);
        }

        double step = Math.Max(1, Round((last - first) / (double)(Ticks - 1)));
        double from = Math.Ceiling(first / step) * step;
        return (first, last, [.. Enumerable.Range(0, (int)Math.Floor(((last - from) / step) + 1e-9) + 1).Select(i => from + (i * step))]);
    }

    /// <summary>The next of 1, 2, 2.5 or 5 times a power of ten that is not less.</summary>
    private static double Round(double step)
    {
        double power = Math.Pow(10, Math.Floor(Math.Log10(step)));
        double lead = step / power;
        return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 2.5 ? 2.5 : lead <= 5 ? 5 : 10);
    }

    /// <summary>A tick's number, with as many decimals as all of its axis need.</summary>
    private static string Label(double value, double step)
    {
        double size = Math.Max(Math.Abs(value), step);
        if (size is >= 1e5 or < 1e-2)
        {
            return value == 0 ? "0" : value.ToString("0.#e0", CultureInfo.InvariantCulture);
        }

        int decimals = 0;
        while (decimals < MostDecimals && Math.Abs((step * Math.Pow(10, decimals)) - Math.Round(step * Math.Pow(10, decimals))) > 1e-6)
        {
            decimals++;
        }

        return (Math.Abs(value) < step / 2 ? 0 : value).ToString("F" + decimals, CultureInfo.InvariantCulture).Replace('-', '−');
    }

    private static string Steps(double step) => step >= 10_000 ? (step / 1000).ToString("0.#", CultureInfo.InvariantCulture) + "k" : step.ToString("0", CultureInfo.InvariantCulture);
}
