using System.Text.Json;
using System.Text.Json.Nodes;
using Limbeck.Checkpoints;
using Limbeck.Models;
using Limbeck.Tokenization;
using Limbeck.Training.Compression;

namespace Limbeck.Training.Jobs;

/// <summary>A job's output folder: whether it may be used, and the files that make it a complete Hugging Face directory.</summary>
internal static class OutputFolder
{
    private static readonly string[] RunFiles = ["metrics.jsonl", "results.json", "report.html", "report.json", "checkpoint*", "events.out.tfevents*", "best", TinyBert.ProjectionFile, "modules.json", "sentence_bert_config.json", "1_Pooling"];

    /// <summary>Refuses a folder that has something in it, unless the run shall go on or start anew.</summary>
    /// <param name="settings">The job's settings.</param>
    /// <exception cref="UsageException">The folder is not empty.</exception>
    public static void Check(TrainingSettings settings)
    {
        string folder = settings.OutputDir!;
        if (File.Exists(folder))
        {
            throw new UsageException($"--output-dir {folder} is a file; needed a folder");
        }

        bool free = settings.Resume || settings.ResumeFromCheckpoint is not null || settings.OverwriteOutputDir;
        if (!free && Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
        {
            throw new UsageException($"--output-dir {folder} is not empty: add --resume to go on with the run in it, --overwrite-output-dir to start anew, or name another folder");
        }
    }

    /// <summary>Removes an old run's own files, so that no later resume mistakes them for the new one's.</summary>
    /// <param name="settings">The job's settings.</param>
    public static void Clear(TrainingSettings settings)
    {
        string folder = settings.OutputDir!;
        if (!settings.OverwriteOutputDir || !Directory.Exists(folder))
        {
            return;
        }

        foreach (string pattern in RunFiles)
        {
            foreach (string file in Directory.GetFiles(folder, pattern))
            {
                File.Delete(file);
            }

            foreach (string inner in Directory.GetDirectories(folder, pattern))
            {
                Directory.Delete(inner, recursive: true);
            }
        }
    }

    /// <summary>Writes weights, configuration and tokenizer.</summary>
    /// <param name="folder">Made if it is not there.</param>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="maxLength">The longest input it was trained with, which transformers and Limbeck then cut to.</param>
    /// <param name="dtype">float32 or float16.</param>
    public static void SaveModel(string folder, BertModel model, BertTokenizer tokenizer, int maxLength, string dtype)
    {
        tokenizer.SaveTo(folder);
        string path = Path.Combine(folder, "tokenizer_config.json");
        JsonObject config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        config["model_max_length"] = maxLength;
        AtomicFile.WriteText(path, config.ToJsonString(new JsonSerializerOptions { WriteIndented = true, NewLine = "\n", Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }) + "\n");
        model.Save(folder, dtype == "float16" ? TensorType.F16 : TensorType.F32);
    }
}
