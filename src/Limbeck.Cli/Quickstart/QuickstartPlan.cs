using Limbeck.Models;

namespace Limbeck.Cli.Quickstart;

/// <summary>The quickstart's sizes: chosen once, on several seeds, so that the whole takes well under three minutes on two cores.</summary>
internal sealed record QuickstartPlan
{
    /// <summary>Reviews to train on.</summary>
    public int TrainRows { get; init; } = int.Parse(Environment.GetEnvironmentVariable("QS_TrainRows") ?? "4000");

    /// <summary>Reviews to score.</summary>
    public int TestRows { get; init; } = int.Parse(Environment.GetEnvironmentVariable("QS_TestRows") ?? "1000");

    /// <summary>Longest review in tokens.</summary>
    public int Length { get; init; } = int.Parse(Environment.GetEnvironmentVariable("QS_Length") ?? "48");

    /// <summary>The teacher's shape.</summary>
    public BertConfig Teacher { get; init; } = new()
    {
        InitializerRange = float.Parse(Environment.GetEnvironmentVariable("QS_Init") ?? "0.06"),
        LayerCount = 4,
        HiddenSize = 128,
        HeadCount = 4,
        IntermediateSize = 512,
        MaxPositions = 64,
    };

    /// <summary>The student's shape.</summary>
    public string Student { get; init; } = Environment.GetEnvironmentVariable("QS_Student") ?? "2/32/4/128";

    /// <summary>Passes of the teacher.</summary>
    public int TeacherEpochs { get; init; } = int.Parse(Environment.GetEnvironmentVariable("QS_TeacherEpochs") ?? "10");

    /// <summary>Learning rate of the teacher.</summary>
    public double TeacherRate { get; init; } = double.Parse(Environment.GetEnvironmentVariable("QS_TeacherRate") ?? "5e-4");

    /// <summary>Passes of the intermediate stage.</summary>
    public int IntermediateEpochs { get; init; } = int.Parse(Environment.GetEnvironmentVariable("QS_IntermediateEpochs") ?? "8");

    /// <summary>Learning rate of the intermediate stage.</summary>
    public double IntermediateRate { get; init; } = double.Parse(Environment.GetEnvironmentVariable("QS_IntermediateRate") ?? "1e-3");

    /// <summary>Passes of the prediction stage.</summary>
    public int PredictionEpochs { get; init; } = int.Parse(Environment.GetEnvironmentVariable("QS_PredictionEpochs") ?? "6");

    /// <summary>Learning rate of the prediction stage.</summary>
    public double PredictionRate { get; init; } = double.Parse(Environment.GetEnvironmentVariable("QS_PredictionRate") ?? "1e-3");

    /// <summary>Learning rate of the student without a teacher.</summary>
    public double AloneRate { get; init; } = double.Parse(Environment.GetEnvironmentVariable("QS_AloneRate") ?? "1e-3");
}
