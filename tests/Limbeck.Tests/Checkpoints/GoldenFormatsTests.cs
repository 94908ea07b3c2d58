using System.Text.Json;
using Limbeck.Checkpoints;
using Limbeck.Models;
using Limbeck.TestData;

namespace Limbeck.Tests.Checkpoints;

/// <summary>One model in every coat that real checkpoints wear; the README beside the files says what each tries.</summary>
public class GoldenFormatsTests
{
    /// <summary>The README's; the worst error seen is 3e-13, of a reference in double precision.</summary>
    private const double LogitTolerance = 1e-5;

    private static string Formats => SharedData.Require("golden", "formats");

    private static IEnumerable<string> Folders(Func<string, bool> kind) =>
        Directory.GetDirectories(Formats).Where(folder => Path.GetFileName(folder) != "damaged" && kind(Path.GetFileName(folder))).Order();

    private static bool IsEvil(string name) => name.StartsWith("evil", StringComparison.Ordinal);

    [SkippableFact]
    public void Every_folder_that_is_not_evil_opens_and_its_weights_give_the_expected_logits()
    {
        using JsonDocument expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Formats, "expected.json")));
        int[][] inputs = [.. expected.RootElement.GetProperty("input_ids").EnumerateArray().Select(row => row.EnumerateArray().Select(id => id.GetInt32()).ToArray())];
        int compared = 0;
        double worst = 0;
        foreach (string folder in Folders(name => !IsEvil(name)))
        {
            if (!expected.RootElement.TryGetProperty(Path.GetFileName(folder), out JsonElement rows) || rows.ValueKind != JsonValueKind.Array)
            {
                OpensOrSaysWhyNot(folder);
                continue;
            }
            using ITensorSource source = Checkpoint.Open(folder);
            BertConfig config = BertConfig.Read(folder);
            var model = new ReferenceClassifier(config, new NamedWeights(source));
            foreach ((int[] ids, JsonElement row) in inputs.Zip(rows.EnumerateArray()))
            {
                double[] needed = [.. row.EnumerateArray().Select(value => value.GetDouble())];
                double[] got = model.Logits(ids);
                worst = Math.Max(worst, needed.Zip(got, (a, b) => Math.Abs(a - b)).Max());
                Assert.True(worst <= LogitTolerance, $"{folder}: [{string.Join(", ", got)}], needed [{string.Join(", ", needed)}]");
            }
            compared++;
        }
        Console.WriteLine($"golden/formats: {compared} folders, worst logit error {worst:g2}");
        Assert.True(compared > 0);
    }

    [SkippableFact]
    public void Every_full_precision_coat_of_the_model_holds_the_same_numbers()
    {
        using ITensorSource reference = Checkpoint.Open(Path.Combine(Formats, "safetensors-f32"));
        foreach (string name in (string[])["safetensors-sharded", "bin-zip", "bin-legacy", "bin-gamma-beta"])
        {
            using ITensorSource source = Checkpoint.Open(SharedData.Require("golden", "formats", name));
            var weights = new NamedWeights(source);
            Assert.Equal(reference.Entries.Keys.Order(), weights.Entries.Keys.Order());
            foreach (TensorEntry entry in reference.Entries.Values)
            {
                Assert.Equal(entry.Shape, weights.Entries[entry.Name].Shape);
                Assert.True(reference.Bytes(entry.Name).SequenceEqual(source.Bytes(weights.Entries[entry.Name].Name)), $"{name}: {entry.Name}");
            }
        }
    }

    [SkippableTheory]
    [InlineData("safetensors-f16", 1.0 / 2048)]
    [InlineData("bin-f16", 1.0 / 2048)]
    [InlineData("safetensors-bf16", 1.0 / 256)]
    public void Half_precision_coats_are_the_full_ones_but_for_rounding(string name, double unit)
    {
        const double SubnormalStep = 6e-8;
        using ITensorSource reference = Checkpoint.Open(Path.Combine(Formats, "safetensors-f32"));
        using ITensorSource source = Checkpoint.Open(SharedData.Require("golden", "formats", name));
        foreach (TensorEntry entry in reference.Entries.Values)
        {
            float[] needed = Numbers(reference, entry.Name), got = Numbers(source, entry.Name);
            for (int i = 0; i < needed.Length; i++)
            {
                Assert.True(Math.Abs(needed[i] - got[i]) <= Math.Max(SubnormalStep, Math.Abs(needed[i]) * unit), $"{entry.Name}[{i}]: {got[i]}, needed {needed[i]}");
            }
        }
    }

    [SkippableFact]
    public void Every_damaged_file_is_refused_with_its_name_and_without_a_large_allocation()
    {
        const long MostBytes = 4 << 20; // A hundred times the files, which are 34 kB.
        string[] files = Directory.GetFiles(Path.Combine(Formats, "damaged"));
        Assert.NotEmpty(files);
        foreach (string file in files)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            var error = Assert.Throws<CheckpointException>(() => Checkpoint.Open(file).Dispose());
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostBytes);
            Assert.Contains(file, error.Message, StringComparison.Ordinal);
            Console.WriteLine(error.Message.Replace(file, Path.GetFileName(file), StringComparison.Ordinal));
        }
    }

    [SkippableFact]
    public void Every_evil_pickle_is_refused_with_the_name_of_its_global_and_runs_nothing()
    {
        foreach (string folder in Folders(IsEvil))
        {
            var error = Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder).Dispose());
            Assert.Contains(folder, error.Message, StringComparison.Ordinal);
            Assert.Matches("names the global '[A-Za-z0-9_]+\\.[A-Za-z0-9_.]+' at byte", error.Message);
            if (Path.GetFileName(folder) is "evil-zip" or "evil-legacy")
            {
                Assert.Contains("'posix.mkdir'", error.Message, StringComparison.Ordinal);
            }
            Assert.False(Directory.Exists("limbeck-was-here"));
        }
    }

    [SkippableFact]
    public void A_bare_encoder_lacks_a_head_and_the_error_names_its_tensors()
    {
        string folder = SharedData.Require("golden", "formats", "encoder-only");
        using ITensorSource source = Checkpoint.Open(folder);
        var weights = new NamedWeights(source);
        Assert.True(weights.Contains("bert.embeddings.word_embeddings.weight"));
        var error = Assert.Throws<CheckpointException>(() => weights.Require([("classifier.weight", [3, 16]), ("classifier.bias", [3])], "config.json (3 labels)"));
        Assert.Contains("model.safetensors", error.Message, StringComparison.Ordinal);
        Assert.Contains("'classifier.weight'; config.json (3 labels) needs it as [3, 16]", error.Message, StringComparison.Ordinal);
        Assert.Contains("'classifier.bias'", error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Writing_the_model_again_gives_the_same_file_to_the_byte()
    {
        foreach (string name in (string[])["safetensors-f32", "safetensors-f16", "safetensors-bf16", "encoder-only"])
        {
            using var temporary = new TemporaryFolder();
            string original = SharedData.Require("golden", "formats", name, "model.safetensors");
            using (SafetensorsFile source = SafetensorsFile.Open(original))
            {
                // In another order than the file's, to see that the writer's own order is meant.
                SafetensorsWriter.Write(temporary["model.safetensors"], source.Entries.Keys.Reverse().Select(tensor => SafetensorsTensor.From(source, tensor)), source.Metadata);
            }
            Assert.Equal(File.ReadAllBytes(original), File.ReadAllBytes(temporary["model.safetensors"]));
        }
    }

    [SkippableFact]
    public void Writing_float32_numbers_gives_the_reference_files_of_both_precisions_to_the_byte()
    {
        using SafetensorsFile source = SafetensorsFile.Open(SharedData.Require("golden", "formats", "safetensors-f32", "model.safetensors"));
        using var temporary = new TemporaryFolder();
        foreach ((TensorType type, string name) in (ReadOnlySpan<(TensorType, string)>)[(TensorType.F32, "safetensors-f32"), (TensorType.F16, "safetensors-f16")])
        {
            SafetensorsWriter.Write(temporary["model.safetensors"], source.Entries.Values.Select(entry => SafetensorsTensor.OfFloats(entry.Name, entry.Shape, () => Numbers(source, entry.Name), type)));
            Assert.Equal(File.ReadAllBytes(SharedData.Require("golden", "formats", name, "model.safetensors")), File.ReadAllBytes(temporary["model.safetensors"]));
        }
    }

    [SkippableFact]
    public void Writing_the_configuration_again_keeps_every_key_and_value_in_order()
    {
        foreach (string folder in (string[])[SharedData.Require("golden", "formats", "safetensors-f32"), SharedData.Require("models", "all-MiniLM-L6-v2")])
        {
            using var temporary = new TemporaryFolder();
            BertConfig.Read(folder).Write(temporary.Path);
            using JsonDocument needed = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "config.json")));
            using JsonDocument got = JsonDocument.Parse(File.ReadAllBytes(temporary["config.json"]));
            Assert.True(JsonElement.DeepEquals(needed.RootElement, got.RootElement), folder);
            Assert.Equal(needed.RootElement.EnumerateObject().Select(key => key.Name), got.RootElement.EnumerateObject().Select(key => key.Name));
        }
    }

    [SkippableFact]
    public void The_pretrained_checkpoint_opens_with_its_constant_ignored()
    {
        string folder = SharedData.Require("models", "all-MiniLM-L6-v2");
        using ITensorSource source = Checkpoint.Open(folder);
        var weights = new NamedWeights(source);
        Assert.Equal(["embeddings.position_ids"], weights.Ignored);
        Assert.Equal([30522L, 384L], weights.Entries["bert.embeddings.word_embeddings.weight"].Shape);
        Assert.Equal(new SentenceTransformerConfig(PoolingMode.Mean, true, 256), SentenceTransformerFiles.Read(folder));
    }

    /// <summary>A case without logits is a bare encoder, or something to be refused: either way nothing else than the one exception, and it names the place.</summary>
    private static void OpensOrSaysWhyNot(string folder)
    {
        try
        {
            using ITensorSource source = Checkpoint.Open(folder);
            BertConfig.Read(folder);
            Assert.NotEmpty(new NamedWeights(source).Entries);
        }
        catch (CheckpointException error)
        {
            Assert.Contains(folder, error.Message, StringComparison.Ordinal);
        }
    }

    private static float[] Numbers(ITensorSource source, string name)
    {
        var numbers = new float[source.Entries[name].Count];
        source.Read(name, numbers);
        return numbers;
    }
}
