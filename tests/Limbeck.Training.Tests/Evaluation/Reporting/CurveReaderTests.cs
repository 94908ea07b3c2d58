using Limbeck.Training.Evaluation.Reporting;

namespace Limbeck.Training.Tests.Evaluation.Reporting;

public sealed class CurveReaderTests
{
    [Fact]
    public void Losses_evaluations_and_others_are_told_apart_by_stage()
    {
        IReadOnlyList<ReportCurve> curves = Read(
            """
            {"step":1,"stage":"a","epoch":0.5,"loss":2,"hidden_loss":"NaN","learning_rate":1,"grad_norm":3,"tokens":5}
            {"step":2,"stage":"a","epoch":1,"loss":1,"hidden_loss":0.5,"masked_share":0.15}
            not json
            [1]
            {"stage":"a"}
            {"step":2,"stage":"a","eval_accuracy":0.5}
            {"step":3,"stage":"b","loss":4}
            {"step":4,"stage":"b","lo
            """);
        Assert.Equal(
            [("a", "loss", ReportCurveKind.Loss, 2), ("a", "hidden_loss", ReportCurveKind.Loss, 2), ("a", "masked_share", ReportCurveKind.Other, 1), ("a", "accuracy", ReportCurveKind.Evaluation, 1), ("b", "loss", ReportCurveKind.Loss, 1)],
            curves.Select(curve => (curve.Stage, curve.Name, curve.Kind, curve.Points.Count)));
        Assert.True(double.IsNaN(curves[1].Points[0].Value));
        Assert.Equal(new ReportPoint(2, 0.5), curves[1].Points[1]);
    }

    [Fact]
    public void A_missing_log_has_no_curves() => Assert.Empty(CurveReader.Read(Path.Combine(Path.GetTempPath(), "no-such-folder", "metrics.jsonl")));

    [Theory]
    [InlineData(241)]
    [InlineData(1000)]
    [InlineData(12_345)]
    public void A_long_curve_is_thinned_but_keeps_its_ends_and_spikes(int count)
    {
        ReportPoint[] points = [.. Enumerable.Range(0, count).Select(i => new ReportPoint(i, Math.Sin(i * 0.01)))];
        points[count / 3] = points[count / 3] with { Value = 50 };
        points[count / 2] = points[count / 2] with { Value = -50 };
        points[count - 5] = points[count - 5] with { Value = double.NaN };
        IReadOnlyList<ReportPoint> thin = CurveReader.Thin(points);
        Assert.InRange(thin.Count, 100, CurveReader.MostPoints);
        Assert.Equal((points[0], points[^1]), (thin[0], thin[^1]));
        Assert.Contains(points[count / 3], thin);
        Assert.Contains(points[count / 2], thin);
        Assert.Contains(thin, point => double.IsNaN(point.Value));
        Assert.Equal(thin.OrderBy(point => point.Step), thin);
        Assert.Equal(thin.Count, thin.DistinctBy(point => point.Step).Count());
    }

    private static IReadOnlyList<ReportCurve> Read(string text)
    {
        string folder = TinyWorld.NewDirectory();
        try
        {
            string path = Path.Combine(folder, "metrics.jsonl");
            File.WriteAllText(path, text);
            return CurveReader.Read(path);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
