using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;
using Limbeck.Training.Evaluation.Reporting;

namespace Limbeck.Training.Tests.Evaluation.Reporting;

public sealed class ReportPageTests
{
    public static TheoryData<string> Reports { get; } = ["full", "least"];

    [Theory]
    [MemberData(nameof(Reports))]
    public void The_page_is_well_formed(string which)
    {
        XDocument page = Parse(ReportPage.Render(Report(which)));
        Assert.Equal("html", page.Root!.Name.LocalName);
        Assert.DoesNotContain(page.Descendants(), element => element.IsEmpty && element.Name.LocalName is not ("meta" or "wbr" or "path" or "line" or "circle"));   // <div/> is no HTML
        string[] ids = [.. page.Descendants().Attributes("id").Select(id => id.Value)];
        Assert.Equal(ids.Distinct(), ids);
    }

    [Theory]
    [MemberData(nameof(Reports))]
    public void The_page_needs_nothing_from_elsewhere_and_runs_nothing(string which)
    {
        string text = ReportPage.Render(Report(which));
        XDocument page = Parse(text);
        string[] forbidden = ["script", "link", "img", "iframe", "object", "embed", "base", "form", "a", "use", "image", "foreignObject"];
        Assert.DoesNotContain(page.Descendants(), element => forbidden.Contains(element.Name.LocalName));
        foreach (XAttribute attribute in page.Descendants().Attributes())
        {
            Assert.DoesNotContain(attribute.Name.LocalName, (string[])["src", "href", "srcset", "data", "action", "srcdoc"]);
            Assert.False(attribute.Name.LocalName.StartsWith("on", StringComparison.Ordinal), attribute.ToString());
        }

        string style = page.Descendants("style").Single().Value;
        Assert.DoesNotMatch("@import|url\\(|expression", style);
        Assert.DoesNotMatch("https?://", text);
        Assert.StartsWith("default-src 'none'", page.Descendants("meta").Single(meta => meta.Attribute("http-equiv") is not null).Attribute("content")!.Value, StringComparison.Ordinal);
    }

    [Fact]
    public void The_page_says_how_it_looks_in_light_and_dark_and_on_a_phone()
    {
        XDocument page = Parse(ReportPage.Render(ReportSample.Full));
        string style = page.Descendants("style").Single().Value;
        Assert.Contains("@media (prefers-color-scheme: dark)", style, StringComparison.Ordinal);
        Assert.Contains("color-scheme: light dark", style, StringComparison.Ordinal);
        Assert.Contains(page.Descendants("meta"), meta => meta.Attribute("name")?.Value == "viewport");
        string[] colours = [.. Regex.Matches(style, @"(--[\w]+): #").Select(match => match.Groups[1].Value)];
        Assert.All(colours.GroupBy(name => name), group => Assert.Equal(2, group.Count()));   // each colour has its other half
        Assert.All(Regex.Matches(style, @"var\((--\w+)\)").Select(match => match.Groups[1].Value), name => Assert.Contains(name, colours));
        Assert.DoesNotMatch("#[0-9a-f]{3,6}", style[style.IndexOf("* {", StringComparison.Ordinal)..]);
    }

    [Fact]
    public void The_style_has_no_character_that_XML_escapes() => Assert.Equal(-1, ReportStyle.Css.AsSpan().IndexOfAny("<>&"));

    [Fact]
    public void Nasty_texts_are_shown_as_texts()
    {
        string text = ReportPage.Render(ReportSample.Full);
        Assert.DoesNotContain("<script", text, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("&lt;script&gt;alert('x')&lt;/script&gt; &amp;amp; ", text, StringComparison.Ordinal);
        XElement shown = Parse(text).Descendants("q").First();
        Assert.StartsWith("0 </q><script>alert('x')</script> &amp; \"quoted\" ]]> <!-- \uFFFD\uFFFD\uFFFD ", shown.Value, StringComparison.Ordinal);
        Assert.Equal("auto", shown.Attribute("dir")!.Value);
    }

    [Fact]
    public void A_chart_leaves_a_gap_where_a_value_is_no_number()
    {
        XDocument page = Parse(ReportPage.Render(ReportSample.Full));
        XElement figure = page.Descendants("figure").First();
        string path = figure.Descendants("path").First(element => element.Attribute("d")!.Value.Length > 12).Attribute("d")!.Value;
        Assert.Equal(2, path.Count(c => c == 'M'));
        Assert.DoesNotContain("NaN", page.Root!.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("Infinity", page.Root!.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("∞", page.Root!.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_chart_of_one_point_has_a_dot_and_one_of_none_a_sentence()
    {
        XElement[] figures = [.. Parse(ReportPage.Render(ReportSample.Full)).Descendants("figure")];
        XElement one = figures.Single(figure => figure.Element("h3")!.Value == "prediction: loss");
        Assert.Single(one.Descendants("circle"));
        Assert.Contains("0.500 at update 50", one.Descendants("desc").Single().Value, StringComparison.Ordinal);
        Assert.Equal("No finite value was logged.", figures[^1].Element("figcaption")!.Value);
    }

    [Fact]
    public void Every_chart_says_in_words_what_it_shows()
    {
        foreach (XElement chart in Parse(ReportPage.Render(ReportSample.Full)).Descendants("svg").Where(svg => svg.Attribute("role")?.Value == "img"))
        {
            string[] labels = chart.Attribute("aria-labelledby")!.Value.Split(' ');
            Assert.All(labels, label => Assert.NotEmpty(chart.Elements().Single(element => element.Attribute("id")?.Value == label).Value));
            foreach (XAttribute place in chart.Descendants().Attributes().Where(attribute => attribute.Name.LocalName is "x1" or "x2" or "cx" or "x"))
            {
                Assert.InRange(double.Parse(place.Value, System.Globalization.CultureInfo.InvariantCulture), 0, 400);
            }
        }
    }

    [Fact]
    public void Shares_and_other_numbers_have_charts_and_forms_of_their_own()
    {
        XDocument page = Parse(ReportPage.Render(ReportSample.Full));
        Assert.Equal(2, page.Descendants("figure").Count(figure => figure.Element("h3")!.Value == "prediction: score on MRPC dev"));
        XElement row = page.Descendants("tr").First(tr => tr.Attribute("class")?.Value == "own");
        Assert.Equal(["81.0", "87.0", "12.50", "84.0"], row.Elements("td").Select(td => td.Value));
    }

    private static RunReport Report(string which) => which == "full" ? ReportSample.Full : ReportSample.Least;

    private static XDocument Parse(string page)
    {
        Assert.StartsWith("<!DOCTYPE html>\n<html", page, StringComparison.Ordinal);
        using XmlReader reader = XmlReader.Create(new StringReader(page), new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore, XmlResolver = null });
        return XDocument.Load(reader);
    }
}
