using System.Text.Json;
using Limbeck.Tensors;
using Limbeck.TestData;
using Limbeck.Training.Optimization;

namespace Limbeck.Training.Tests.Optimization;

/// <summary>The optimizer's trajectories against PyTorch, transformers 2.4.0 and TinyBERT's BertAdam.</summary>
public sealed class OptimizerGoldenTests
{
    private const double Tolerance = 2e-5;

    public static TheoryData<string?> Cases => Golden.Cases("optim", "*.safetensors");

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void Every_update_of_a_trajectory_matches(string? file)
    {
        using Golden golden = Golden.Open("optim", file);
        JsonElement config = golden.Sidecar.GetProperty("config");
        Skip.IfNot(config.TryGetProperty("optimizer", out JsonElement optimizerName), "this case is no trajectory");
        string name = optimizerName.GetString()!;
        OptimizerKind kind = name.Contains("Bert", StringComparison.Ordinal) ? OptimizerKind.BertAdam
            : name.Contains("transformers", StringComparison.Ordinal) ? OptimizerKind.AdamWTransformers : OptimizerKind.AdamW;
        bool clips = kind == OptimizerKind.BertAdam
            ? !(config.GetProperty("max_grad_norm").ValueKind == JsonValueKind.Number && config.GetProperty("max_grad_norm").GetDouble() < 0)
                && !file!.Contains("unclipped", StringComparison.Ordinal)
            : config.TryGetProperty("clip", out JsonElement clip) && clip.GetString()!.StartsWith("global", StringComparison.Ordinal);
        OptimizerSettings settings = new()
        {
            Kind = kind,
            LearningRate = config.GetProperty("lr").GetDouble(),
            Beta1 = Number("b1", 0.9),
            Beta2 = Number("b2", 0.999),
            Epsilon = config.TryGetProperty("eps", out JsonElement eps) ? eps.GetDouble() : Number("e", 1e-6),
            WeightDecay = Number("weight_decay", 0.01),
            DecayAll = false,
            MaxGradNorm = clips ? 1.0 : 0,
        };
        double[] multipliers = golden.Sidecar.TryGetProperty("learning_rates", out JsonElement rates)
            ? [.. rates.EnumerateArray().Select(rate => rate.GetDouble() / settings.LearningRate)]
            : [.. Enumerable.Repeat(1.0, config.GetProperty("steps").GetInt32())];
        Parameter[] parameters = [.. golden.Names.Where(n => n.StartsWith("start.", StringComparison.Ordinal))
            .Select(n => new Parameter(n["start.".Length..], golden.Shape(n) is { Length: > 0 } shape ? shape : [1]))];
        golden.Fill(parameters, "start.");
        using Optimizer optimizer = new(settings, parameters);
        for (int step = 0; step < multipliers.Length; step++)
        {
            foreach (Parameter parameter in parameters)
            {
                float[] all = golden.Floats("grad." + parameter.Name);
                int n = (int)parameter.Value.Length;
                parameter.SetGradient(all.AsSpan(step * n, n));
            }

            optimizer.Step(multipliers[step]);
            foreach (Parameter parameter in parameters)
            {
                float[] all = golden.Floats("after." + parameter.Name);
                int n = (int)parameter.Value.Length;
                Golden.Close(all.AsSpan(step * n, n), parameter.Value.Span, Tolerance, $"{parameter.Name} after update {step + 1}");
            }
        }

        double Number(string key, double otherwise) =>
            config.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : otherwise;
    }

    [Fact]
    public void A_parameter_without_a_gradient_is_left_alone_weight_decay_included()
    {
        Parameter with = new("dense.weight", 2);
        Parameter without = new("other.weight", 2);
        with.Value.Span.Fill(1f);
        without.Value.Span.Fill(1f);
        using Optimizer optimizer = new(new OptimizerSettings { LearningRate = 0.1, WeightDecay = 0.5 }, [with, without]);
        with.SetGradient([1f, -1f]);
        optimizer.Step(1);
        Assert.NotEqual(1f, with.Value.Span[0]);
        Assert.Equal([1f, 1f], without.Value.ToArray());
        Assert.False(with.HasGradient);
    }
}
