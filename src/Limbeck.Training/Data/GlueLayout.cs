namespace Limbeck.Training.Data;

/// <summary>The columns of a GLUE task: their names where a file has a header, their places (from 0) in a labelled file where it has none.</summary>
/// <param name="TextHeader">Header of the text.</param>
/// <param name="PairHeader">Header of the second text; null for a single text.</param>
/// <param name="LabelHeader">Header of the label or score.</param>
/// <param name="Columns">Columns of a labelled file.</param>
/// <param name="Text">Place of the text.</param>
/// <param name="Pair">Place of the second text; -1 for a single text.</param>
/// <param name="Label">Place of the label or score.</param>
internal sealed record GlueLayout(string TextHeader, string? PairHeader, string LabelHeader, int Columns, int Text, int Pair, int Label)
{
    /// <summary>Columns of MNLI's development files, which have the labels of five annotators before the gold label.</summary>
    private const int MnliDevelopmentColumns = 16;

    /// <summary>The layout for a labelled row of that many fields; null when the task has none.</summary>
    public GlueLayout? WithColumns(int fields) =>
        fields == Columns ? this
        : LabelHeader == "gold_label" && fields == MnliDevelopmentColumns ? this with { Columns = fields, Label = fields - 1 }
        : null;
}
