using Limbeck.Models;
using Limbeck.Training.Jobs;

namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>A model's shape and size.</summary>
/// <param name="Name">What the reader knows it by.</param>
/// <param name="Role">Whose.</param>
/// <param name="Layers">L.</param>
/// <param name="Hidden">H.</param>
/// <param name="Heads">A.</param>
/// <param name="Intermediate">I.</param>
/// <param name="Vocabulary">V.</param>
/// <param name="Size">Weights, split into embeddings and encoder.</param>
/// <param name="Bytes">The weights' files on disk; 0 when there are none.</param>
public sealed record ReportModel(string Name, ReportRole Role, int Layers, int Hidden, int Heads, int Intermediate, int Vocabulary, ModelSize Size, long Bytes)
{
    /// <summary>Layers, width, heads, inner width, as in 3/312/12/1200.</summary>
    public string Shape => $"{Layers}/{Hidden}/{Heads}/{Intermediate}";

    /// <summary>Describes a model.</summary>
    /// <param name="name">What the reader knows it by.</param>
    /// <param name="role">Whose.</param>
    /// <param name="model">The model.</param>
    /// <param name="folder">Where its weights lie.</param>
    public static ReportModel Of(string name, ReportRole role, BertModel model, string folder)
    {
        ArgumentNullException.ThrowIfNull(model);
        BertConfig config = model.Config;
        return new(name, role, config.LayerCount, config.HiddenSize, config.HeadCount, config.IntermediateSize, config.VocabularySize, ModelSize.Of(model), BytesOf(folder));
    }

    private static long BytesOf(string folder)
    {
        string[] files = Directory.Exists(folder) ? Directory.GetFiles(folder, "model*.safetensors") : [];
        files = files.Length == 0 && Directory.Exists(folder) ? Directory.GetFiles(folder, "pytorch_model*.bin") : files;
        return files.Sum(file => new FileInfo(file).Length);
    }
}
