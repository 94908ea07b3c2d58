using System.Text.RegularExpressions;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.TestData;

namespace Limbeck.Tests.Models;

/// <summary>The encoder against what transformers computes from the same checkpoint in float64.</summary>
public sealed class EncoderGoldenTests
{
    private const double Tolerance = 2e-5; // worst seen is printed in the message; the golden's README allows 2e-5 of the largest magnitude

    public static TheoryData<string?> Cases => Golden.Cases("encoder", "*.safetensors");

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void Every_output_matches_transformers(string? file)
    {
        using Golden golden = Golden.Open("encoder", file);
        string directory = SharedData.Require("models", Path.GetFileNameWithoutExtension(file!));
        using BertModel model = BertModel.Load(directory, HeadKind.None, out _);
        PackedBatch batch = GoldenModels.Batch(golden);
        using Tape tape = new(recording: false);
        BertOutput output = model.Encoder.Forward(tape, batch, withHidden: true, _ => true);
        for (int i = 0; i < output.Hidden.Count; i++)
        {
            Golden.Close(golden.Floats($"output.hidden.{i}"), output.Hidden[i].Span, Tolerance, $"hidden {i}");
        }

        int heads = model.Config.HeadCount;
        foreach (string name in golden.Names)
        {
            Match match = Regex.Match(name, @"^output\.attention_scores\.(\d+)\.(\d+)$");
            if (match.Success)
            {
                int sequence = int.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
                int layer = int.Parse(match.Groups[2].Value, System.Globalization.CultureInfo.InvariantCulture);
                int start = 0;
                for (int s = 0; s < sequence; s++)
                {
                    start += heads * batch.LengthOf(s) * batch.LengthOf(s);
                }

                int count = heads * batch.LengthOf(sequence) * batch.LengthOf(sequence);
                Golden.Close(golden.Floats(name), output.Scores[layer]!.Span.Slice(start, count), Tolerance, name);
            }
        }

        Tensor pooled = model.Pooler!.Forward(tape, output.LastHidden, batch);
        Golden.Close(golden.Floats("output.pooled"), pooled.Span, Tolerance, "pooled");
        Tensor sentence = tape.Normalize(tape.MeanPool(output.LastHidden, batch));
        Golden.Close(golden.Floats("output.sentence_embedding"), sentence.Span, Tolerance, "sentence embedding");
        int[] shape = golden.Shape("head.classifier.weight");
        using Parameter weight = new("classifier.weight", shape);
        using Parameter bias = new("classifier.bias", shape[0]);
        golden.Fill([weight, bias], "head.");
        Golden.Close(golden.Floats("output.logits"), tape.Linear(pooled, weight, bias).Span, Tolerance, "logits");
    }
}
