using System.Text;
using Limbeck.Checkpoints;

namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>The two files of a report, beside the model that it is about.</summary>
public static class ReportFiles
{
    /// <summary>The page's name.</summary>
    public const string Page = "report.html";

    /// <summary>The name of the file for machines.</summary>
    public const string Json = "report.json";

    /// <summary>Writes both, each whole or not at all.</summary>
    /// <param name="folder">The run's output folder, which is there.</param>
    /// <param name="report">The report.</param>
    public static void Write(string folder, RunReport report)
    {
        AtomicFile.Write(Path.Combine(folder, Json), stream => ReportJson.Write(report, stream));
        AtomicFile.Write(Path.Combine(folder, Page), stream => stream.Write(Encoding.UTF8.GetBytes(ReportPage.Render(report))));
    }
}
