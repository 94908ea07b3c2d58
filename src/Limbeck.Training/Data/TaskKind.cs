namespace Limbeck.Training.Data;

/// <summary>What a task asks of a text or a pair.</summary>
public enum TaskKind
{
    /// <summary>One of C labels, known by name.</summary>
    Classification,

    /// <summary>A finite number.</summary>
    Regression,
}
