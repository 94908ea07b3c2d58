using System.Globalization;
using System.Text.Json;

namespace Limbeck.Training.Loop;

/// <summary>The checkpoints of a run: folders <c>checkpoint-STEP</c> below its output folder, each whole or not there.</summary>
/// <remarks>
/// A checkpoint is written into a temporary sibling, every file is flushed to the disk, and the folder is renamed last, so that a process
/// killed at any moment, or a full disk, leaves the checkpoints before it as they were. Sizes and SHA-256 of all files lie in its
/// <c>manifest.json</c> and are checked when it is opened. One process writes at a time (see <see cref="FileLock"/>); not thread-safe.
/// </remarks>
public sealed class CheckpointStore
{
    private const string Prefix = "checkpoint-";
    private const string TemporaryPrefix = ".writing-";
    private const string ReplacedPrefix = ".replaced-";
    private const string RemovedPrefix = ".removing-";

    private readonly string directory;
    private readonly int? saveTotalLimit;
    private readonly Action<string> warn;

    /// <summary>The store of an output folder. Nothing is read or written yet.</summary>
    /// <param name="directory">The run's output folder; made by the first save.</param>
    /// <param name="saveTotalLimit">How many of the last checkpoints stay, at least 1; the best one stays beside them. Null: all.</param>
    /// <param name="warn">Told of checkpoints that are damaged and passed over; null for no one.</param>
    public CheckpointStore(string directory, int? saveTotalLimit = null, Action<string>? warn = null)
    {
        ArgumentNullException.ThrowIfNull(directory);
        if (saveTotalLimit < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(saveTotalLimit), $"the limit of saved checkpoints is {saveTotalLimit}; it must be 1 or more, or left out to keep all.");
        }

        this.directory = Path.GetFullPath(directory);
        this.saveTotalLimit = saveTotalLimit;
        this.warn = warn ?? (static _ => { });
    }

    /// <summary>The folder of a step's checkpoint, whether it is there or not.</summary>
    /// <param name="step">Updates done.</param>
    public string PathOf(long step) => Path.Combine(directory, Prefix + step.ToString(CultureInfo.InvariantCulture));

    /// <summary>The steps that have a checkpoint folder, rising. Whether they are undamaged shows when they are opened.</summary>
    public IReadOnlyList<long> Steps()
    {
        List<long> steps = [];
        if (Directory.Exists(directory))
        {
            foreach (string path in Directory.EnumerateDirectories(directory, Prefix + "*"))
            {
                string digits = Path.GetFileName(path)[Prefix.Length..];
                if (long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long step) && PathOf(step) == path)
                {
                    steps.Add(step);
                }
            }
        }

        steps.Sort();
        return steps;
    }

    /// <summary>Saves a checkpoint, then removes those that need not stay: beyond the limit, and of later steps (a future that this run left by going back).</summary>
    /// <param name="step">Updates done; a checkpoint of the same step is replaced.</param>
    /// <param name="write">Writes the parts.</param>
    /// <param name="score">How good the model is, higher is better; the best checkpoint is kept (the earliest of equals). Null or NaN: not known.</param>
    /// <returns>The checkpoint's folder.</returns>
    /// <exception cref="IOException">It could not be written (a full disk, for one); the message names the path and the last good checkpoint, which is untouched.</exception>
    public string Save(long step, Action<CheckpointWriter> write, double? score = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentNullException.ThrowIfNull(write);
        string path = PathOf(step);
        string temporary = Path.Combine(directory, TemporaryPrefix + Path.GetFileName(path));
        try
        {
            Directory.CreateDirectory(directory);
            RemoveLeftovers();
            Directory.CreateDirectory(temporary);
            using (CheckpointWriter writer = new(temporary))
            {
                write(writer);
                writer.Complete(step, score is double number && double.IsFinite(number) ? number : null);
            }

            if (Directory.Exists(path))
            {
                Directory.Move(path, Path.Combine(directory, ReplacedPrefix + Path.GetFileName(path)));
            }

            Directory.Move(temporary, path);
        }
        catch (Exception error)
        {
            TryDelete(temporary);
            if (error is IOException or UnauthorizedAccessException)
            {
                IReadOnlyList<long> steps = Steps();
                string last = steps.Count > 0 ? $"The last checkpoint, {PathOf(steps[^1])}, is untouched" : "There is no earlier checkpoint";
                throw new IOException($"{path}: the checkpoint could not be written ({error.Message}). {last}; free some space or mend the folder, then continue with --resume.", error);
            }

            throw;
        }

        RemoveLeftovers();
        Prune(step);
        return path;
    }

    /// <summary>The last undamaged checkpoint; damaged ones are passed over, with a warning. Leftovers of killed saves are removed.</summary>
    /// <returns>An open checkpoint, or null when the folder has none at all.</returns>
    /// <exception cref="InvalidDataException">There are checkpoints, but each is damaged; the message has what is wrong with each.</exception>
    public CheckpointReader? OpenLatest()
    {
        RemoveLeftovers();
        List<string> faults = [];
        foreach (long step in Steps().Reverse())
        {
            try
            {
                CheckpointReader reader = Open(PathOf(step));
                foreach (string fault in faults)
                {
                    warn($"{fault} Going back to {PathOf(step)}.");
                }

                return reader;
            }
            catch (Exception error) when (error is InvalidDataException or IOException)
            {
                faults.Add(error.Message);
            }
        }

        return faults.Count == 0
            ? null
            : throw new InvalidDataException($"{directory}: no checkpoint is whole. {string.Join(" ", faults)} Start the run anew with --overwrite-output-dir.");
    }

    /// <summary>The last undamaged checkpoint of a run that may be under way: nothing is cleaned up and nobody warned.</summary>
    /// <returns>An open checkpoint, or null when there is none that is whole.</returns>
    public CheckpointReader? PeekLatest()
    {
        foreach (long step in Steps().Reverse())
        {
            try
            {
                return Open(PathOf(step));
            }
            catch (Exception error) when (error is InvalidDataException or IOException)
            {
                // The run itself says what is wrong with it.
            }
        }

        return null;
    }

    /// <summary>Opens a checkpoint and checks all of its files.</summary>
    /// <param name="path">The checkpoint's folder.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">A file is missing, has another size or other bytes than the manifest says; the message names it.</exception>
    public static CheckpointReader Open(string path) => CheckpointReader.Open(Path.GetFullPath(path));

    /// <summary>The folder of the checkpoint with the highest score, the earliest of equals; null when none has a score.</summary>
    public string? Best() => BestStep() is long step ? PathOf(step) : null;

    private long? BestStep()
    {
        (long Step, double Score)? best = null;
        foreach (long step in Steps())
        {
            if (ScoreOf(PathOf(step)) is double score && (best is null || score > best.Value.Score))
            {
                best = (step, score);
            }
        }

        return best?.Step;
    }

    /// <summary>A checkpoint's score, read without checking the checkpoint; null where it has none or cannot be read.</summary>
    private static double? ScoreOf(string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(path, CheckpointWriter.IndexFile)));
            return document.RootElement.TryGetProperty("score", out JsonElement score) ? score.GetDouble() : null;
        }
        catch (Exception error) when (error is IOException or JsonException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    private void Prune(long saved)
    {
        List<long> steps = [.. Steps()];
        foreach (long step in steps.Where(step => step > saved))
        {
            Remove(PathOf(step));
        }

        if (saveTotalLimit is not int limit)
        {
            return;
        }

        long? best = BestStep();
        steps.RemoveAll(step => step > saved);
        foreach (long step in steps.SkipLast(limit).Where(step => step != best))
        {
            Remove(PathOf(step));
        }
    }

    /// <summary>Removes a checkpoint; it loses its name first, so that a kill in between leaves no half checkpoint.</summary>
    private void Remove(string path)
    {
        string doomed = Path.Combine(directory, RemovedPrefix + Path.GetFileName(path));
        TryDelete(doomed);
        Directory.Move(path, doomed);
        TryDelete(doomed);
    }

    /// <summary>Removes what killed saves left; a checkpoint that was moved aside and not yet replaced gets its name back.</summary>
    private void RemoveLeftovers()
    {
        if (!Directory.Exists(directory))
        {
            return;
        }

        foreach (string replaced in Directory.GetDirectories(directory, ReplacedPrefix + Prefix + "*"))
        {
            string path = Path.Combine(directory, Path.GetFileName(replaced)[ReplacedPrefix.Length..]);
            if (Directory.Exists(path))
            {
                TryDelete(replaced);
            }
            else
            {
                Directory.Move(replaced, path);
            }
        }

        foreach (string prefix in (string[])[TemporaryPrefix, RemovedPrefix])
        {
            foreach (string leftover in Directory.GetDirectories(directory, prefix + Prefix + "*"))
            {
                TryDelete(leftover);
            }
        }
    }

    /// <summary>Deletes a folder where it can; what stays is tried again by the next save.</summary>
    private static void TryDelete(string path)
    {
        try
        {
            if (Directory.Exists(path))
            {
                Directory.Delete(path, recursive: true);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
        }
    }
}
