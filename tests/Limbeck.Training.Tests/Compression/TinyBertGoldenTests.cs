using System.Globalization;
using System.Text.Json;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.TestData;
using Limbeck.Training.Compression;
using Limbeck.Training.Loop;
using Limbeck.Training.Optimization;

namespace Limbeck.Training.Tests.Compression;

/// <summary>TinyBERT's losses, gradients and updates against the authors' own code.</summary>
public sealed class TinyBertGoldenTests
{
    private const double Tolerance = 2e-5;
    private const double ZeroTolerance = 1e-6;

    public static TheoryData<string?> Cases => Golden.Cases("tinybert", "*.safetensors");

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void The_intermediate_stage_has_the_authors_losses_and_gradients(string? file)
    {
        using Golden golden = Golden.Open("tinybert", file);
        string losses = golden.Has("loss.packed.intermediate.total") ? "packed.intermediate" : "intermediate";
        Skip.IfNot(golden.Has($"loss.{losses}.total"), "this case has no intermediate losses");
        using Setting setting = new(golden);
        using Tape tape = new(recording: true);
        double[] values = new double[3];
        using GoldenTeacher teacher = new(setting.Teacher, setting.Batch);
        setting.Method.Intermediate(teacher).Compute(tape, new TrainingBatch(setting.Batch, []), 1f, values);
        string[] names = ["total", "rep", "att"];
        for (int i = 0; i < 3; i++)
        {
            double expected = golden.Floats($"loss.{losses}.{names[i]}")[0];
            Assert.Equal(expected, values[i], Tolerance * Math.Abs(expected));
        }

        tape.Backward();
        setting.CheckGradients($"grad.{losses}.", $"{losses}");
    }

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void Every_hidden_state_score_and_logit_matches(string? file)
    {
        using Golden golden = Golden.Open("tinybert", file);
        Skip.IfNot(golden.Has("output.student.hidden.0"), "this case has no outputs");
        using Setting setting = new(golden);
        foreach ((string who, BertModel model) in new[] { ("teacher", setting.Teacher), ("student", setting.Student) })
        {
            using Tape tape = new(recording: false);
            BertOutput output = model.Encoder.Forward(tape, setting.Batch, withHidden: true, _ => true);
            for (int i = 0; i < output.Hidden.Count; i++)
            {
                string name = $"output.{who}.hidden.{i}";
                Golden.Close(Packed(golden, name, setting.Batch), output.Hidden[i].Span, Tolerance, name);
            }

            for (int i = 0; i < output.Scores.Count; i++)
            {
                string name = $"output.{who}.attention_scores.{i}";
                Golden.Close(PackedScores(golden, name, setting.Batch), output.Scores[i]!.Span, Tolerance, name);
            }

            if (golden.Has($"output.{who}.logits"))
            {
                Golden.Close(golden.Floats($"output.{who}.logits"), model.Logits(tape, output, setting.Batch).Span, Tolerance, $"output.{who}.logits");
            }
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void The_prediction_stage_has_the_authors_losses_and_gradients(string? file)
    {
        using Golden golden = Golden.Open("tinybert", file);
        string[] stages = [.. golden.Names.Where(name => name.StartsWith("loss.prediction.", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
        Skip.If(stages.Length == 0, "this case has no prediction losses");
        foreach (string name in stages)
        {
            string stage = name["loss.prediction.".Length..];
            int dot = stage.LastIndexOf('.');
            (string kind, string formula) = (stage[..dot], stage[(dot + 1)..]);
            TinyBertOptions options = new()
            {
                LayerMap = LayerMap.Parse("0:0", 1, 1),
                Temperature = kind.StartsWith('t') && float.TryParse(kind[1..], CultureInfo.InvariantCulture, out float t) ? t : 1f,
                MeanOverClasses = formula == "soft_cross_entropy",
                GoldRegression = kind == "gold",
            };
            using Setting setting = new(golden, options);
            float[] gold = golden.Has("input.labels") && kind is "gold" or "teacher" ? golden.Floats("input.labels") : [];
            using Tape tape = new(recording: true);
            using GoldenTeacher teacher = new(setting.Teacher, setting.Batch, logits: true);
            double value;
            if (kind == "gold")
            {
                value = tape.MeanSquaredError(setting.Student.Logits(tape, setting.Batch), gold);
            }
            else
            {
                double[] values = new double[1];
                setting.Method.Prediction(teacher, null!).Compute(tape, new TrainingBatch(setting.Batch, []), 1f, values);
                value = values[0];
            }

            double expected = golden.Floats(name)[0];
            Assert.Equal(expected, value, Tolerance * Math.Abs(expected));
            tape.Backward();
            string gradients = $"grad.prediction.{kind}.";
            if (formula != "sum_over_classes_mean_over_batch" && golden.Names.Any(other => other.StartsWith(gradients, StringComparison.Ordinal)))
            {
                setting.CheckGradients(gradients, $"prediction.{kind}");
            }
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void A_short_training_ends_with_the_authors_weights(string? file)
    {
        using Golden golden = Golden.Open("tinybert", file);
        Skip.IfNot(golden.Has("loss.11"), "this case is no training");
        JsonElement config = golden.Sidecar.GetProperty("config");
        using Setting setting = new(golden, batch: 0);
        int steps = config.GetProperty("steps_per_stage").GetInt32();
        for (int stage = 1; stage <= 2; stage++)
        {
            JsonElement settings = config.GetProperty($"stage{stage}");
            OptimizerSettings rule = OptimizerSettings.TinyBert(settings.GetProperty("lr").GetDouble());
            LearningRateSchedule schedule = LearningRateSchedule.Parse(
                settings.GetProperty("schedule").GetString()!, settings.TryGetProperty("warmup", out JsonElement warmup) ? warmup.GetDouble() : -1);
            using Optimizer optimizer = new(rule, setting.Method.Parameters);
            Dictionary<string, float[]> before = setting.Method.Parameters.ToDictionary(p => p.Name, p => p.Value.ToArray());
            for (int i = 0; i < steps; i++)
            {
                int number = ((stage - 1) * steps) + i;
                PackedBatch batch = Setting.BatchOf(golden, number);
                using Tape tape = new(recording: true);
                using GoldenTeacher teacher = new(setting.Teacher, batch, logits: stage == 2);
                double[] values = new double[3];
                IObjective objective = stage == 1 ? setting.Method.Intermediate(teacher) : setting.Method.Prediction(teacher, null!);
                objective.Compute(tape, new TrainingBatch(batch, []), 1f, values);
                double expected = golden.Floats($"loss.{number}")[0];
                Assert.Equal(expected, values[0], Tolerance * Math.Abs(expected));
                tape.Backward();
                optimizer.Step(schedule.Multiplier(i, steps));
            }

            foreach (Parameter parameter in setting.Method.Parameters)
            {
                string name = $"after.stage{stage}.{parameter.Name}";
                Golden.Close(golden.Floats(name), parameter.Value.Span, Tolerance, name);
            }

            foreach (string untouched in golden.Sidecar.GetProperty("untouched").GetProperty($"stage{stage}").EnumerateArray().Select(name => name.GetString()!.TrimEnd('*')))
            {
                foreach (Parameter parameter in setting.Method.Parameters.Where(p => p.Name.StartsWith(untouched, StringComparison.Ordinal)))
                {
                    Assert.True(before[parameter.Name].AsSpan().SequenceEqual(parameter.Value.Span), $"{parameter.Name} has no gradient in stage {stage} and must not change");
                }
            }
        }
    }

    private static float[] Packed(Golden golden, string name, PackedBatch batch)
    {
        int[] shape = golden.Shape(name);
        float[] padded = golden.Floats(name);
        List<float> rows = [];
        for (int s = 0; s < batch.Sequences; s++)
        {
            rows.AddRange(padded.AsSpan(s * shape[1] * shape[2], batch.LengthOf(s) * shape[2]));
        }

        return [.. rows];
    }

    private static float[] PackedScores(Golden golden, string name, PackedBatch batch)
    {
        int[] shape = golden.Shape(name);
        float[] padded = golden.Floats(name);
        List<float> scores = [];
        for (int s = 0; s < batch.Sequences; s++)
        {
            for (int h = 0; h < shape[1]; h++)
            {
                for (int q = 0; q < batch.LengthOf(s); q++)
                {
                    scores.AddRange(padded.AsSpan(((((s * shape[1]) + h) * shape[2]) + q) * shape[3], batch.LengthOf(s)));
                }
            }
        }

        return [.. scores];
    }

    private sealed class Setting : IDisposable
    {
        private readonly Golden golden;

        public Setting(Golden golden, TinyBertOptions? options = null, int? batch = null)
        {
            this.golden = golden;
            JsonElement config = golden.Sidecar.GetProperty("config");
            int labels = config.TryGetProperty("num_labels", out JsonElement count) && count.ValueKind == JsonValueKind.Number ? count.GetInt32() : 0;
            HeadKind head = labels > 0 ? HeadKind.Classifier : HeadKind.None;
            Teacher = new BertModel(GoldenModels.Config(config.GetProperty("teacher"), Math.Max(1, labels), "relu"), head);
            Student = new BertModel(GoldenModels.Config(config.GetProperty("student"), Math.Max(1, labels), "relu"), head);
            golden.Fill(Teacher.Parameters, "teacher.");
            golden.Fill(Student.Parameters, "student.");
            LayerMap map = LayerMap.Uniform(Student.Config.LayerCount, Teacher.Config.LayerCount);
            CheckMap(config, map);
            Method = new TinyBert(Teacher.Config, Student, (options ?? new TinyBertOptions { LayerMap = map, MeanOverClasses = true }) with { LayerMap = map }, new SeededRandom(1));
            golden.Fill(Method.Parameters.Skip(Student.Parameters.Count), "student.");
            Batch = batch is int number ? BatchOf(golden, number) : GoldenModels.Batch(golden);
        }

        public BertModel Teacher { get; }

        public BertModel Student { get; }

        public TinyBert Method { get; }

        public PackedBatch Batch { get; }

        /// <summary>One batch of a training case: ids [steps, B, L], all sequences as long as the offsets say.</summary>
        public static PackedBatch BatchOf(Golden golden, int number)
        {
            int[] shape = golden.Shape("input.ids");
            int[] offsets = golden.Integers("input.offsets");
            int[] ids = golden.Integers("input.ids");
            int[] types = golden.Integers("input.type_ids");
            List<(int[] Ids, int[] TypeIds)> sequences = [];
            for (int s = 0; s < shape[1]; s++)
            {
                int start = ((number * shape[1]) + s) * shape[2];
                int length = offsets[s + 1] - offsets[s];
                sequences.Add((ids[start..(start + length)], types[start..(start + length)]));
            }

            return PackedBatch.Pack(sequences);
        }

        public void CheckGradients(string prefix, string group)
        {
            HashSet<string> zero = [.. golden.Sidecar.GetProperty("zero_in_exact_arithmetic").EnumerateArray().Select(name => name.GetString()!)];
            float largest = golden.Names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).Max(name => golden.Floats(name).Max(MathF.Abs));
            foreach (Parameter parameter in Method.Parameters)
            {
                string name = prefix + parameter.Name;
                Assert.True(golden.Has(name) == parameter.HasGradient, $"{group}: {parameter.Name} {(parameter.HasGradient ? "got a gradient, the authors' code gives none" : "got no gradient")}");
                if (parameter.HasGradient)
                {
                    bool isZero = zero.Contains(name);
                    Golden.Close(golden.Floats(name), parameter.Gradient.Span, isZero ? ZeroTolerance : Tolerance, name, isZero ? largest : null);
                }
            }
        }

        public void Dispose()
        {
            Method.Dispose();
            Teacher.Dispose();
            Student.Dispose();
        }

        private static void CheckMap(JsonElement config, LayerMap map)
        {
            if (config.TryGetProperty("rep_map", out JsonElement rep))
            {
                foreach (JsonProperty pair in rep.EnumerateObject())
                {
                    Assert.Equal(pair.Value.GetInt32(), map.Pairs[int.Parse(pair.Name, CultureInfo.InvariantCulture)]);
                }
            }

            if (config.TryGetProperty("attention_map", out JsonElement attention))
            {
                foreach (JsonProperty pair in attention.EnumerateObject())
                {
                    Assert.Equal(pair.Value.GetInt32() + 1, map.Pairs[int.Parse(pair.Name, CultureInfo.InvariantCulture) + 1]);
                }
            }
        }
    }

    private sealed class GoldenTeacher(BertModel model, PackedBatch batch, bool logits = false) : ITeacher
    {
        private readonly Tape tape = new(recording: false);

        public TeacherBatch Get(TrainingBatch rows)
        {
            tape.Reset();
            BertOutput output = model.Encoder.Forward(tape, batch, withHidden: true, _ => true);
            return new TeacherBatch(
                logits ? model.Logits(tape, output, batch).ToArray() : [],
                output.Hidden.Select((hidden, i) => (hidden, i)).ToDictionary(pair => pair.i, pair => pair.hidden),
                output.Scores.Select((scores, i) => (scores!, i)).ToDictionary(pair => pair.i + 1, pair => pair.Item1));
        }

        public void Dispose() => tape.Dispose();
    }
}
