using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;
using Limbeck.Tokenization;

namespace Limbeck.Training.Data.Augmentation;

/// <summary>Words with vectors of length 1, and which of them are nearest to each other by cosine.</summary>
/// <remarks>Vectors lie in blocks outside the managed heap, so that a table of millions of words never has to be copied to grow.</remarks>
public sealed unsafe class WordVectors : IDisposable
{
    private const int BlockRows = 4096;
    private const int QueryRows = 256;

    private readonly List<Tensor> blocks = [];
    private readonly List<string> words = [];
    private readonly Dictionary<string, int> places = new(StringComparer.Ordinal);
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>An empty table.</summary>
    /// <param name="dimensions">Numbers of a vector, at least 1.</param>
    public WordVectors(int dimensions)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(dimensions, 1);
        Dimensions = dimensions;
    }

    /// <summary>Numbers of a vector.</summary>
    public int Dimensions { get; }

    /// <summary>Number of words.</summary>
    public int Count => words.Count;

    /// <summary>SHA-256, in hexadecimal, of words and vectors in their order.</summary>
    public string Fingerprint => Convert.ToHexStringLower(hash.GetCurrentHash());

    /// <summary>
    /// Vectors made of a model's own input embeddings: a word's is the mean over its pieces. They cover the vocabulary's whole words that augmentation may replace, and those given.
    /// </summary>
    /// <param name="encoder">The model's encoder.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="more">More words, such as those of the data that are several pieces; a word that the vocabulary cannot spell is left out.</param>
    public static WordVectors OfEmbeddings(BertEncoder encoder, BertTokenizer tokenizer, IEnumerable<string> more)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        ArgumentNullException.ThrowIfNull(tokenizer);
        Tensor table = encoder.WordEmbeddings.Value;
        WordVectors vectors = new(table.Columns);
        float[] mean = new float[table.Columns];
        IEnumerable<string> own = Enumerable.Range(0, tokenizer.VocabularySize).Where(id => WordCandidates.IsWord(tokenizer, id)).Select(tokenizer.IdToToken).Where(TinyBertAugmentation.IsReplaceable);
        foreach (string word in own.Concat(more))
        {
            int[] pieces = tokenizer.Tokenize(word);
            if (pieces.Length == 0 || pieces.Contains(tokenizer.UnknownId))
            {
                continue;
            }

            Array.Clear(mean);
            foreach (int piece in pieces)
            {
                ReadOnlySpan<float> row = table.Row(piece);
                for (int i = 0; i < mean.Length; i++)
                {
                    mean[i] += row[i];
                }
            }

            vectors.TryAdd(word, mean);
        }

        return vectors;
    }

    /// <summary>Adds a word, its vector scaled to length 1.</summary>
    /// <param name="word">The word.</param>
    /// <param name="vector">[Dimensions].</param>
    /// <returns>False, and nothing is added, when the word is there already or the vector has no direction.</returns>
    public bool TryAdd(string word, ReadOnlySpan<float> vector)
    {
        ArgumentNullException.ThrowIfNull(word);
        ArgumentOutOfRangeException.ThrowIfNotEqual(vector.Length, Dimensions);
        double squares = 0;
        foreach (float value in vector)
        {
            squares += (double)value * value;
        }

        if (!(squares > 0) || !double.IsFinite(squares) || !places.TryAdd(word, words.Count))
        {
            return false;
        }

        if (words.Count == blocks.Count * BlockRows)
        {
            blocks.Add(new Tensor(BlockRows, Dimensions));
        }

        Span<float> row = Row(words.Count);
        double scale = 1 / Math.Sqrt(squares);
        for (int i = 0; i < row.Length; i++)
        {
            row[i] = (float)(vector[i] * scale);
        }

        words.Add(word);
        byte[] name = System.Text.Encoding.UTF8.GetBytes(word);
        Span<byte> length = stackalloc byte[sizeof(int)];
        System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(length, name.Length);
        hash.AppendData(length);
        hash.AppendData(name);
        hash.AppendData(MemoryMarshal.AsBytes(row));
        return true;
    }

    /// <summary>Whether a word has a vector.</summary>
    /// <param name="word">The word.</param>
    public bool Contains(string word) => places.ContainsKey(word);

    /// <summary>The words nearest to some of the words, each without itself.</summary>
    /// <param name="queries">Words; those without a vector are passed over.</param>
    /// <param name="most">How many for each.</param>
    /// <param name="team">The threads.</param>
    /// <param name="cancellation">Checked now and then.</param>
    /// <returns>For each query with a vector its nearest words, nearest first; of equally near ones the earlier first.</returns>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Nearest(IEnumerable<string> queries, int most, WorkerTeam team, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(team);
        int[] asked = [.. queries.Distinct(StringComparer.Ordinal).Where(Contains).Select(word => places[word])];
        LargestValues[] largest = [.. asked.Select(_ => new LargestValues(most + 1))];
        using Tensor batch = new(QueryRows, Dimensions);
        using Tensor scores = new(QueryRows, BlockRows);
        for (int block = 0; block < blocks.Count; block++)
        {
            int first = block * BlockRows;
            int rows = Math.Min(BlockRows, Count - first);
            using PackedWeights packed = PackedWeights.Pack(true, rows, Dimensions, blocks[block].Pointer, Dimensions, team);
            for (int q = 0; q < asked.Length; q += QueryRows)
            {
                cancellation.ThrowIfCancellationRequested();
                int count = Math.Min(QueryRows, asked.Length - q);
                for (int i = 0; i < count; i++)
                {
                    Row(asked[q + i]).CopyTo(batch.Row(i));
                }

                Gemm.Multiply(count, batch.Pointer, Dimensions, packed, scores.Pointer, BlockRows, false, default, team);
                team.Run(count, i => largest[q + i].Add(scores.Row(i)[..rows], first));
            }
        }

        Dictionary<string, IReadOnlyList<string>> nearest = new(StringComparer.Ordinal);
        for (int i = 0; i < asked.Length; i++)
        {
            int self = asked[i];
            nearest.Add(words[self], [.. largest[i].Places.ToArray().Where(place => place != self).Take(most).Select(place => words[place])]);
        }

        return nearest;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        hash.Dispose();
        blocks.ForEach(block => block.Dispose());
    }

    private Span<float> Row(int place) => blocks[place / BlockRows].Row(place % BlockRows);
}
