using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.TestData;

namespace Limbeck.Tests.Models;

/// <summary>The masked language model, forward and backward, against transformers and PyTorch.</summary>
public sealed class MaskedLanguageModelGoldenTests
{
    private const double Tolerance = 2e-5;
    private const double ZeroTolerance = 1e-6;

    public static TheoryData<string?> Cases => Golden.Cases("masked-lm", "*.safetensors");

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void Outputs_loss_and_every_gradient_match(string? file)
    {
        using Golden golden = Golden.Open("masked-lm", file);
        BertConfig config = GoldenModels.Config(golden.Sidecar.GetProperty("config"), 2, "tanh");
        using BertModel model = new(config, HeadKind.MaskedLanguageModel);
        golden.Fill(model.Parameters, "model.");
        PackedBatch batch = GoldenModels.Batch(golden);
        int[] rows = golden.Integers("input.packed.labelled_rows");
        int[] labels = golden.Integers("input.packed.labels");
        using Tape tape = new(recording: true);
        Tensor hidden = model.Encoder.Forward(tape, batch).LastHidden;
        Golden.Close(golden.Floats("output.last_hidden_packed"), hidden.Span, Tolerance, "last hidden");
        Tensor logits = model.LanguageModel!.Forward(tape, hidden, rows);
        Golden.Close(golden.Floats("output.logits_at_labels"), logits.Span, Tolerance, "logits");
        double loss = tape.CrossEntropy(logits, [.. rows.Select(row => labels[row])]);
        Assert.Equal(golden.Floats("loss.cross_entropy")[0], loss, Tolerance * loss);
        tape.Backward();
        HashSet<string> zero = [.. golden.Sidecar.GetProperty("zero_in_exact_arithmetic").EnumerateArray().Select(name => name.GetString()!)];
        double largest = model.Parameters.Max(parameter => golden.Floats("grad." + parameter.Name).Max(MathF.Abs));
        foreach (Parameter parameter in model.Parameters)
        {
            string name = "grad." + parameter.Name;
            Assert.True(parameter.HasGradient, $"{name}: no gradient arrived");
            bool isZero = zero.Contains(name);
            Golden.Close(golden.Floats(name), parameter.Gradient.Span, isZero ? ZeroTolerance : Tolerance, name, isZero ? largest : null);
        }
    }
}
