using System.Text.Json;
using Limbeck.Checkpoints;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.TestData;

namespace Limbeck.Tests.Models;

/// <summary>One classifier in every coat that checkpoints wear, opened, run by the engine, and written again.</summary>
public sealed class FormatsGoldenTests
{
    private const double Tolerance = 1e-5;

    public static TheoryData<string?> Folders
    {
        get
        {
            TheoryData<string?> folders = [];
            string? root = SharedData.Root is null ? null : Path.Combine(SharedData.Root, "golden", "formats");
            if (root is null || !File.Exists(Path.Combine(root, "expected.json")))
            {
                folders.Add((string?)null);
                return folders;
            }

            using JsonDocument expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(root, "expected.json")));
            foreach (JsonProperty property in expected.RootElement.EnumerateObject().Where(p => p.Name is not ("input_ids" or "labels")))
            {
                folders.Add(property.Name);
            }

            return folders;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void Every_coat_gives_the_expected_logits_and_label_names(string? folder)
    {
        Skip.If(folder is null, "LIMBECK_SHARED does not name a folder of reference data");
        (JsonElement expected, string directory) = Open(folder!);
        using BertModel model = BertModel.Load(directory, HeadKind.Classifier, out LoadReport report);
        Assert.Empty(report.New);
        Assert.Equal(expected.GetProperty("labels").EnumerateArray().Select(label => label.GetString()), model.Config.Labels);
        Check(model, expected, folder!);
    }

    [SkippableFact]
    public void A_written_model_has_the_files_tensors_and_configuration_it_was_read_from()
    {
        (JsonElement expected, string directory) = Open("safetensors-f32");
        string copy = Directory.CreateTempSubdirectory("limbeck-test-").FullName;
        using (BertModel model = BertModel.Load(directory, HeadKind.Classifier, out _))
        {
            model.Save(copy);
        }

        Assert.Equal(File.ReadAllBytes(Path.Combine(directory, "model.safetensors")), File.ReadAllBytes(Path.Combine(copy, "model.safetensors")));
        using JsonDocument before = JsonDocument.Parse(File.ReadAllText(Path.Combine(directory, "config.json")));
        using JsonDocument after = JsonDocument.Parse(File.ReadAllText(Path.Combine(copy, "config.json")));
        Dictionary<string, string> were = before.RootElement.EnumerateObject().ToDictionary(p => p.Name, p => Canonical(p.Value));
        Dictionary<string, string> are = after.RootElement.EnumerateObject().Where(p => p.Name != "architectures").ToDictionary(p => p.Name, p => Canonical(p.Value));
        Assert.Equal(were, are);
        using BertModel again = BertModel.Load(copy, HeadKind.Classifier, out _);
        Check(again, expected, "safetensors-f32");
    }

    [SkippableFact]
    public void A_model_written_in_half_precision_reads_back_within_rounding()
    {
        (JsonElement expected, string directory) = Open("safetensors-f16");
        string copy = Directory.CreateTempSubdirectory("limbeck-test-").FullName;
        using (BertModel model = BertModel.Load(directory, HeadKind.Classifier, out _))
        {
            model.Save(copy, TensorType.F16);
        }

        using BertModel again = BertModel.Load(copy, HeadKind.Classifier, out _);
        Check(again, expected, "safetensors-f16");
    }

    [SkippableFact]
    public void A_checkpoint_without_the_head_names_what_is_missing_unless_a_seed_is_given()
    {
        string directory = SharedData.Require("golden", "formats", "encoder-only");
        CheckpointException exception = Assert.Throws<CheckpointException>(() => BertModel.Load(directory, HeadKind.Classifier, out _));
        Assert.Contains("classifier.weight", exception.Message, StringComparison.Ordinal);
        Assert.Contains("classifier.bias", exception.Message, StringComparison.Ordinal);
        using BertModel model = BertModel.Load(directory, HeadKind.Classifier, out LoadReport report, newHeadSeed: 1);
        Assert.Contains("classifier.weight", report.New);
        Assert.Contains(model["classifier.weight"].Value.ToArray(), value => value != 0f);
    }

    [Theory]
    [InlineData(12, 768, 12, 3072, 109_482_240)]
    [InlineData(6, 768, 12, 3072, 66_955_008)]
    [InlineData(4, 312, 12, 1200, 14_350_248)]
    [InlineData(4, 512, 8, 2048, 28_763_648)]
    [InlineData(4, 768, 12, 3072, 52_779_264)]
    [InlineData(3, 768, 12, 3072, 45_691_392)]
    public void Parameter_counts_are_the_papers(int layers, int hidden, int heads, int intermediate, long expected)
    {
        using BertModel model = new(new BertConfig { LayerCount = layers, HiddenSize = hidden, HeadCount = heads, IntermediateSize = intermediate }, HeadKind.None);
        Assert.Equal(expected, model.ParameterCount);
    }

    private static (JsonElement Expected, string Directory) Open(string folder)
    {
        string directory = SharedData.Require("golden", "formats", folder);
        return (JsonDocument.Parse(File.ReadAllText(SharedData.Require("golden", "formats", "expected.json"))).RootElement, directory);
    }

    private static void Check(BertModel model, JsonElement expected, string folder)
    {
        PackedBatch batch = PackedBatch.Pack([.. expected.GetProperty("input_ids").EnumerateArray()
            .Select(row => row.EnumerateArray().Select(id => id.GetInt32()).ToArray()).Select(ids => (ids, new int[ids.Length]))]);
        using Tape tape = new(recording: false);
        float[] logits = model.Logits(tape, batch).ToArray();
        double[] wanted = [.. expected.GetProperty(folder).EnumerateArray().SelectMany(row => row.EnumerateArray()).Select(value => value.GetDouble())];
        for (int i = 0; i < wanted.Length; i++)
        {
            Assert.Equal(wanted[i], logits[i], Tolerance);
        }
    }

    private static string Canonical(JsonElement value) => System.Text.RegularExpressions.Regex.Replace(value.GetRawText(), @"\s", string.Empty);
}
