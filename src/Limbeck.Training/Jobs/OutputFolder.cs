using System.IO.Enumeration;
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
    private static readonly string[] RunFiles = ["results.json", "report.html", "report.json", "checkpoint*", "events.out.tfevents*", "best", TinyBert.ProjectionFile, "modules.json", "sentence_bert_config.json", "1_Pooling"];

    // What is there from a run's first moments.
    private static readonly string[] RunsOwn = ["metrics.jsonl", "checkpoint*"];

    /// <summary>Whether two paths lead to the same file or folder.</summary>
    /// <param name="one">A path.</param>
    /// <param name="other">Another.</param>
    public static bool IsSame(string one, string other) => string.Equals(Real(one), Real(other), OperatingSystem.IsWindows() || OperatingSystem.IsMacOS() ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal);

    /// <summary>Refuses a folder that has something in it, unless the run shall go on or start anew; and, whatever is asked, one that a model of the run is read from.</summary>
    /// <param name="settings">The job's settings.</param>
    /// <exception cref="UsageException">The folder may not be written to.</exception>
    public static void Check(TrainingSettings settings)
    {
        string folder = settings.OutputDir!;
        if (File.Exists(folder))
        {
            throw new UsageException($"--output-dir {folder} is a file; needed a folder");
        }

        foreach (string source in settings.ModelFolders.OfType<string>())
        {
            if (IsSame(source, folder))
            {
                throw new UsageException($"--output-dir {folder} is the folder of a model that the run needs, and would replace it: name another folder");
            }

            string below = Path.GetRelativePath(Real(folder), Real(source)).Split(Path.DirectorySeparatorChar)[0];
            if (settings.OverwriteOutputDir && Directory.Exists(source) && RunFiles.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, below)))
            {
                throw new UsageException($"--overwrite-output-dir would remove {source}, a model that the run needs: name another --output-dir");
            }
        }

        bool run = Directory.Exists(folder) && RunsOwn.Any(pattern => Directory.EnumerateFileSystemEntries(folder, pattern).Any());
        if ((settings.Resume || settings.ResumeFromCheckpoint is not null) && !run && File.Exists(Path.Combine(folder, "config.json")))
        {
            throw new UsageException($"--output-dir {folder} has a model in it, but no run to go on with: name another folder, or give --overwrite-output-dir instead to replace it");
        }

        bool free = settings.Resume || settings.ResumeFromCheckpoint is not null || settings.OverwriteOutputDir;
        if (!free && Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
        {
            throw new UsageException($"--output-dir {folder} is not empty: add --resume to go on with the run in it, --overwrite-output-dir to start anew, or name another folder");
        }
    }

    /// <summary>Removes an old run's own files, so that no later resume mistakes them for the new one's, and begins the new one's log.</summary>
    /// <param name="settings">The job's settings.</param>
    public static void Clear(TrainingSettings settings)
    {
        string folder = settings.OutputDir!;
        if (!settings.OverwriteOutputDir || !Directory.Exists(folder))
        {
            return;
        }

        // From now on the folder is this run's, though the old model lies in it until the new one is saved.
        File.WriteAllText(Path.Combine(folder, "metrics.jsonl"), string.Empty);
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

    // Without links, those of folders above included.
    private static string Real(string path)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (Path.GetDirectoryName(full) is not string parent)
        {
            return full;
        }

        string place = Path.Combine(Real(parent), Path.GetFileName(full));
        FileSystemInfo info = Directory.Exists(place) ? new DirectoryInfo(place) : new FileInfo(place);
        return info.Exists && info.ResolveLinkTarget(returnFinalTarget: true) is { } target ? Path.TrimEndingDirectorySeparator(target.FullName) : place;
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
