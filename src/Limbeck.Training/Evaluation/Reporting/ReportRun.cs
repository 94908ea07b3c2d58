namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>What was run, with what, and how to repeat it.</summary>
public sealed record ReportRun
{
    /// <summary>The method's short name, as in results.json: finetune, tinybert, none, ...</summary>
    public required string Method { get; init; }

    /// <summary>When the report was made.</summary>
    public required DateTimeOffset Date { get; init; }

    /// <summary>The folder with the model.</summary>
    public required string OutputDir { get; init; }

    /// <summary>The task's name; null for a run without one.</summary>
    public string? Task { get; init; }

    /// <summary>Name of the data trained on.</summary>
    public string? TrainData { get; init; }

    /// <summary>Rows trained on.</summary>
    public int TrainRows { get; init; }

    /// <summary>Name of the data scored.</summary>
    public string? EvalData { get; init; }

    /// <summary>Rows scored.</summary>
    public int EvalRows { get; init; }

    /// <summary>The model that training started from, or the student's shape.</summary>
    public string? StartModel { get; init; }

    /// <summary>The teacher's folder.</summary>
    public string? TeacherModel { get; init; }

    /// <summary>Seed of everything random.</summary>
    public ulong Seed { get; init; }

    /// <summary>Updates made.</summary>
    public long Steps { get; init; }

    /// <summary>Tokens trained on.</summary>
    public long Tokens { get; init; }

    /// <summary>Seconds spent training.</summary>
    public double Seconds { get; init; }

    /// <summary>Each part of a run of several stages, the last one included, whose counts are those above; empty for a run of one.</summary>
    public IReadOnlyList<ReportPart> Parts { get; init; } = [];

    /// <summary>The most memory that activations and their gradients took.</summary>
    public long PeakActivationBytes { get; init; }

    /// <summary>The longest input in tokens; 0 when it does not apply.</summary>
    public int MaxSeqLength { get; init; }

    /// <summary>The command that repeats the run; null when there is none.</summary>
    public string? Command { get; init; }

    /// <summary>The recipe that repeats the run, a JSON object as text; null when there is none.</summary>
    public string? Recipe { get; init; }
}
