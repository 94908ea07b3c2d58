using System.Text;
using System.Xml;

namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>Writes HTML that is well-formed XML too: every text and attribute is escaped, every element closed. Texts may hold anything.</summary>
/// <remarks>A style sheet must do without the characters that XML escapes: less than, greater than, ampersand.</remarks>
internal sealed class HtmlWriter : IDisposable
{
    private static readonly HashSet<string> Void = ["meta", "wbr", "path", "line", "circle", "rect"];

    private readonly StringBuilder text = new();
    private readonly XmlWriter xml;
    private readonly Stack<string> open = new();

    /// <summary>Starts a document.</summary>
    public HtmlWriter() => xml = XmlWriter.Create(text, new XmlWriterSettings { OmitXmlDeclaration = true, NewLineHandling = NewLineHandling.None });

    /// <summary>Opens an element.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="attributes">Names and values; one whose value is null is left out.</param>
    public HtmlWriter Open(string name, params (string Name, string? Value)[] attributes)
    {
        xml.WriteStartElement(name);
        open.Push(name);
        foreach ((string key, string? value) in attributes)
        {
            if (value is not null)
            {
                xml.WriteAttributeString(key, ReportText.Clean(value));
            }
        }

        return this;
    }

    /// <summary>Closes the innermost element.</summary>
    public HtmlWriter Close()
    {
        if (Void.Contains(open.Pop()))
        {
            xml.WriteEndElement();
        }
        else
        {
            xml.WriteFullEndElement();
        }

        return this;
    }

    /// <summary>Closes the innermost element and begins a new line, for whoever reads the source.</summary>
    public HtmlWriter CloseLine()
    {
        Close();
        xml.WriteWhitespace("\n");
        return this;
    }

    /// <summary>A text.</summary>
    /// <param name="value">Any text.</param>
    public HtmlWriter Text(string value)
    {
        xml.WriteString(ReportText.Clean(value));
        return this;
    }

    /// <summary>An element with a text alone.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="value">Its text.</param>
    /// <param name="attributes">Names and values; one whose value is null is left out.</param>
    public HtmlWriter Element(string name, string? value, params (string Name, string? Value)[] attributes)
    {
        Open(name, attributes);
        if (value is not null)
        {
            Text(value);
        }

        return Close();
    }

    /// <summary>The whole document.</summary>
    public override string ToString()
    {
        xml.Flush();
        return $"<!DOCTYPE html>\n{text}\n";
    }

    /// <inheritdoc/>
    public void Dispose() => xml.Dispose();
}
