using Limbeck.Models;

namespace Limbeck.Cli.Quickstart;

/// <summary>The quickstart's sizes: chosen once, on several seeds, so that the whole takes well under three minutes on two cores.</summary>
internal sealed record QuickstartPlan
{
    /// <summary>Reviews to train on.</summary>
    public int TrainRows { get; init; } = 4000;

    /// <summary>Reviews to score.</summary>
    public int TestRows { get; init; } = 1000;

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
    };

    /// <summary>The student's shape.</summary>
    public string Student { get; init; } = "2/32/4/128";

    /// <summary>Passes of the teacher.</summary>
    public int TeacherEpochs { get; init; } = 10;

    /// <summary>Learning rate of the teacher.</summary>
    public double TeacherRate { get; init; } = 5e-4;

    /// <summary>Passes of the intermediate stage.</summary>
    public int IntermediateEpochs { get; init; } = 8;

    /// <summary>Learning rate of the intermediate stage.</summary>
    public double IntermediateRate { get; init; } = 1e-3;

    /// <summary>Passes of the prediction stage.</summary>
    public int PredictionEpochs { get; init; } = 6;

    /// <summary>Learning rate of the prediction stage.</summary>
    public double PredictionRate { get; init; } = 1e-3;

    /// <summary>Learning rate of the student without a teacher.</summary>
    public double AloneRate { get; init; } = 1e-3;
}
