using Limbeck.Tensors;
using Limbeck.Tokenization;

namespace Limbeck.Training.Data;

/// <summary>A data set as token ids.</summary>
public sealed class EncodedDataset
{
    private EncodedDataset(Dataset source, Encoding[] encodings, int maxSequenceLength)
    {
        Source = source;
        Encodings = encodings;
        MaxSequenceLength = maxSequenceLength;
        Lengths = [.. encodings.Select(encoding => encoding.Ids.Length)];
        Truncated = encodings.Count(encoding => encoding.Truncated);
    }

    /// <summary>Where the rows came from.</summary>
    public Dataset Source { get; }

    /// <summary>Token ids of each row.</summary>
    public IReadOnlyList<Encoding> Encodings { get; }

    /// <summary>Tokens of each row.</summary>
    public int[] Lengths { get; }

    /// <summary>The length that rows were cut to.</summary>
    public int MaxSequenceLength { get; }

    /// <summary>Number of rows that were cut.</summary>
    public int Truncated { get; }

    /// <summary>Number of rows.</summary>
    public int Count => Lengths.Length;

    /// <summary>Tokens in all.</summary>
    public long Tokens => Lengths.Sum(length => (long)length);

    /// <summary>Tokenizes a data set on all cores.</summary>
    /// <param name="source">The rows.</param>
    /// <param name="tokenizer">The tokenizer of the model to be trained.</param>
    /// <param name="maxSequenceLength">Longest sequence, special tokens included.</param>
    /// <param name="threads">Cores to use; 0 for all.</param>
    public static EncodedDataset Encode(Dataset source, BertTokenizer tokenizer, int maxSequenceLength, int threads = 0) =>
        new(source, tokenizer.EncodeBatch([.. source.Examples.Select(example => (example.Text, example.Pair))], maxSequenceLength, threads: threads), maxSequenceLength);

    /// <summary>Rows as one packed batch.</summary>
    /// <param name="rows">Row numbers.</param>
    public PackedBatch Pack(int[] rows) => PackedBatch.Pack([.. rows.Select(row => (Encodings[row].Ids, Encodings[row].TypeIds))]);

    /// <summary>The classes of rows.</summary>
    /// <param name="rows">Row numbers.</param>
    public int[] Labels(int[] rows) => [.. rows.Select(row => Source.Examples[row].Label)];

    /// <summary>The scores of rows, for regression.</summary>
    /// <param name="rows">Row numbers.</param>
    public float[] Scores(int[] rows) => [.. rows.Select(row => (float)Source.Examples[row].Score)];
}
