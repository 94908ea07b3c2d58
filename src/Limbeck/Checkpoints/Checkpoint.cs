namespace Limbeck.Checkpoints;

/// <summary>Opens a model's weights, in whichever of Hugging Face's formats they lie.</summary>
public static class Checkpoint
{
    private const string Safetensors = "model.safetensors";
    private const string Pytorch = "pytorch_model.bin";
    private const string IndexSuffix = ".index.json";

    /// <summary>The files looked for in a directory, first one wins: <c>transformers</c>' own order.</summary>
    private static readonly string[] Candidates = [Safetensors, Safetensors + IndexSuffix, Pytorch, Pytorch + IndexSuffix];

    /// <summary>Opens a checkpoint.</summary>
    /// <param name="fileOrDirectory">A <c>.safetensors</c> file, a <c>.bin</c>, <c>.pt</c> or <c>.pth</c> file of PyTorch, an index of shards, or a directory with one of them under its usual name.</param>
    /// <exception cref="CheckpointException">There is none, or it is damaged or refused; the message says where and why.</exception>
    public static ITensorSource Open(string fileOrDirectory)
    {
        ArgumentException.ThrowIfNullOrEmpty(fileOrDirectory);
        if (!Directory.Exists(fileOrDirectory))
        {
            return OpenFile(fileOrDirectory);
        }
        foreach (string candidate in Candidates)
        {
            string path = Path.Combine(fileOrDirectory, candidate);
            if (File.Exists(path))
            {
                return OpenFile(path);
            }
        }
        throw new CheckpointException($"{fileOrDirectory}: has no weights; one of {string.Join(", ", Candidates)} is needed");
    }

    private static ITensorSource OpenFile(string path)
    {
        if (path.EndsWith(IndexSuffix, StringComparison.Ordinal))
        {
            return path.EndsWith(".safetensors" + IndexSuffix, StringComparison.Ordinal)
                ? ShardedCheckpoint.Open(path, SafetensorsFile.Open)
                : ShardedCheckpoint.Open(path, PytorchFile.Open);
        }
        return Path.GetExtension(path) is ".bin" or ".pt" or ".pth" or ".ckpt" ? PytorchFile.Open(path) : SafetensorsFile.Open(path);
    }
}
