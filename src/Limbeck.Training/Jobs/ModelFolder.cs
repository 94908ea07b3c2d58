using Limbeck.Checkpoints;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tokenization;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Jobs;

/// <summary>A model on disk, as jobs look at it before they load it.</summary>
internal static class ModelFolder
{
    /// <summary>Where the weights are: the folder itself, or the one that sentence-transformers' modules.json names.</summary>
    /// <param name="folder">A model's directory.</param>
    /// <exception cref="UsageException">There is no such folder.</exception>
    public static string Weights(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new UsageException($"{folder}: there is no such folder; needed a Hugging Face model's directory, with config.json, weights and tokenizer files");
        }

        return SentenceTransformerFiles.Read(folder) is { WeightsDirectory.Length: > 0 } settings ? Path.Combine(folder, settings.WeightsDirectory) : folder;
    }

    /// <summary>Whether a checkpoint has a trained classifier.</summary>
    /// <param name="weights">The folder of the weights.</param>
    public static bool HasClassifier(string weights)
    {
        using ITensorSource source = Checkpoint.Open(weights);
        return new NamedWeights(source).Contains("classifier.weight");
    }

    /// <summary>Opens a model whose own classifier is for other labels: encoder and pooler are the checkpoint's, the classifier is new.</summary>
    /// <param name="weights">The folder of the weights.</param>
    /// <param name="config">With the new labels.</param>
    /// <param name="seed">Of the new classifier.</param>
    public static BertModel WithNewHead(string weights, BertConfig config, ulong seed)
    {
        using BertModel encoder = BertModel.Load(weights, HeadKind.None, out _, null, config);
        BertModel model = new(config, HeadKind.Classifier);
        model.Initialize(new SeededRandom(seed));
        Dictionary<string, Parameter> trained = encoder.Parameters.ToDictionary(parameter => parameter.Name);
        foreach (Parameter parameter in model.Parameters)
        {
            if (trained.TryGetValue(parameter.Name, out Parameter? source))
            {
                source.Value.Span.CopyTo(parameter.Value.Span);
                parameter.Changed();
            }
        }

        return model;
    }

    /// <summary>The longest input a model takes: what its tokenizer's files say, or else its positions.</summary>
    /// <param name="config">The model's configuration.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    public static int MaxLength(BertConfig config, BertTokenizer tokenizer) => Math.Min(config.MaxPositions, tokenizer.ModelMaxLength ?? config.MaxPositions);

    /// <summary>Checks a length against the model.</summary>
    /// <param name="length">Tokens.</param>
    /// <param name="config">The model's configuration.</param>
    /// <param name="folder">For the message.</param>
    public static int CheckLength(int length, BertConfig config, string folder) => length <= config.MaxPositions
        ? length
        : throw new UsageException($"--max-seq-length is {length}, but {folder} reads {config.MaxPositions} tokens at most");

    /// <summary>A hash of a model's weights.</summary>
    /// <param name="model">The model.</param>
    public static string Hash(BertModel model)
    {
        HashBuilder hash = new();
        foreach (Parameter parameter in model.Parameters)
        {
            hash.Add(parameter.Name, RunHash.OfBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes(parameter.Value.Span)));
        }

        return hash.ToKey();
    }
}
