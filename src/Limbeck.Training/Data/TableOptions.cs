namespace Limbeck.Training.Data;

/// <summary>How to read a table of the user's own. What is not said is found out.</summary>
public sealed record TableOptions
{
    /// <summary>Column of the text; by default sentence1, sentence, text or text1, whichever is there first.</summary>
    public string? TextColumn { get; init; }

    /// <summary>Column of the second text; by default sentence2, text2 or pair. Naming <see cref="TextColumn"/> alone means single texts.</summary>
    public string? PairColumn { get; init; }

    /// <summary>Column of the label or score; by default label or score.</summary>
    public string? LabelColumn { get; init; }

    /// <summary>
    /// What separates columns; by default a tab for .tsv, a comma for .csv, and for any other ending whichever the first line has.
    /// Tab-separated files have no quoting: a double quote is an ordinary character, as in GLUE. All others are quoted as RFC 4180 says.
    /// </summary>
    public char? Delimiter { get; init; }

    /// <summary>True: labels are numbers to predict. False: they are names, also if they look like numbers. Null: numbers when all are and not all are whole.</summary>
    public bool? Regression { get; init; }

    /// <summary>Whether a file without a column of labels is an error (it is, by default) or a data set without labels.</summary>
    public bool RequireLabels { get; init; } = true;
}
