using Limbeck.Tensors;
using Limbeck.Tokenization;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Data.Corpus;

/// <summary>Length-bucketed, shuffled batches of a corpus's sequences, for a corpus of any size: only one block's places are in memory.</summary>
/// <remarks>A batch is a pure function of its epoch and number: the blocks of an epoch come in random order, the sequences of a block as <see cref="LengthBucketedSampler"/> says.</remarks>
public sealed class CorpusBatches : IBatchSource
{
    private const ulong OrderStream = 0x6F72646572UL;

    private readonly CorpusSegments segments;
    private readonly int classId;
    private readonly int separatorId;
    private readonly int batchSize;
    private readonly ulong seed;
    private readonly bool dropLast;
    private readonly Dictionary<int, (int[] Blocks, int[] Ends)> epochs = [];
    private (int Epoch, int Block) loaded = (-1, -1);
    private CorpusExample[] examples = [];
    private int[][] batches = [];

    /// <summary>Batches over a corpus.</summary>
    /// <param name="segments">The sequences.</param>
    /// <param name="tokenizer">Whose special tokens begin and end them.</param>
    /// <param name="batchSize">Sequences of a batch; the last of a block may have fewer.</param>
    /// <param name="seed">Of the order.</param>
    /// <param name="dropLast">Leave a block's incomplete batch out, as TinyBERT's code does.</param>
    /// <exception cref="DataException">There is not one batch.</exception>
    public CorpusBatches(CorpusSegments segments, BertTokenizer tokenizer, int batchSize, ulong seed, bool dropLast = false)
    {
        ArgumentNullException.ThrowIfNull(segments);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        this.segments = segments;
        classId = tokenizer.ClassId;
        separatorId = tokenizer.SeparatorId;
        this.batchSize = batchSize;
        this.seed = seed;
        this.dropLast = dropLast;
        Fingerprint = new HashBuilder().Add("segments", segments.Fingerprint).Add("class", classId).Add("separator", separatorId).Add("batch", batchSize)
            .Add("seed", $"{seed}").Add("drop_last", dropLast).ToKey();
        if (BatchCount(0) == 0)
        {
            throw new DataException($"the corpus makes fewer sequences than one batch of {batchSize}: use more text, or a smaller batch");
        }
    }

    /// <inheritdoc/>
    public string Fingerprint { get; }

    /// <inheritdoc/>
    public int BatchCount(int epoch) => Epoch(epoch).Ends[^1];

    /// <inheritdoc/>
    /// <remarks>Its rows are the sequences' numbers in their block.</remarks>
    public TrainingBatch Batch(int epoch, int index)
    {
        int[] rows = Rows(epoch, index);
        int[] offsets = new int[rows.Length + 1];
        for (int i = 0; i < rows.Length; i++)
        {
            offsets[i + 1] = offsets[i] + examples[rows[i]].Length;
        }

        int[] ids = new int[offsets[^1]];
        int[] typeIds = new int[ids.Length];
        for (int i = 0; i < rows.Length; i++)
        {
            segments.Write(examples[rows[i]], classId, separatorId, ids.AsSpan(offsets[i]), typeIds.AsSpan(offsets[i]));
        }

        return new TrainingBatch(new PackedBatch(ids, typeIds, offsets), rows);
    }

    /// <summary>Sequences and tokens of an epoch, special tokens counted, in the batches that are used.</summary>
    /// <param name="epoch">From 0.</param>
    public (long Sequences, long Tokens) Size(int epoch)
    {
        (long sequences, long tokens) = (0, 0);
        for (int i = 0; i < BatchCount(epoch); i++)
        {
            int[] rows = Rows(epoch, i);
            sequences += rows.Length;
            tokens += rows.Sum(row => (long)examples[row].Length);
        }

        return (sequences, tokens);
    }

    /// <summary>How many updates it takes to read so many tokens.</summary>
    /// <param name="tokens">At least 1.</param>
    /// <param name="accumulation">Batches of an update.</param>
    /// <param name="epochs">Passes that there are at most.</param>
    /// <returns>The number of the update in which they are reached, or that of all updates when there are not so many.</returns>
    public long StepsFor(long tokens, int accumulation, int epochs)
    {
        long steps = 0;
        for (int epoch = 0; epoch < epochs && tokens > 0; epoch++)
        {
            int count = BatchCount(epoch);
            for (int first = 0; first < count && tokens > 0; first += accumulation)
            {
                for (int i = first; i < Math.Min(count, first + accumulation); i++)
                {
                    tokens -= Rows(epoch, i).Sum(row => (long)examples[row].Length);
                }

                steps++;
            }
        }

        return steps;
    }

    /// <summary>The rows of a batch, in the block that is then loaded.</summary>
    private int[] Rows(int epoch, int index)
    {
        (int[] blocks, int[] ends) = Epoch(epoch);
        if ((uint)index >= (uint)ends[^1])
        {
            throw new ArgumentOutOfRangeException(nameof(index), $"epoch {epoch} has {ends[^1]} batches; number {index} is not among them.");
        }

        int place = 0;
        while (ends[place] <= index)
        {
            place++;
        }

        Load(epoch, blocks[place]);
        return batches[index - (place == 0 ? 0 : ends[place - 1])];
    }

    /// <summary>The order of an epoch's blocks, and how many batches there are up to the end of each.</summary>
    private (int[] Blocks, int[] Ends) Epoch(int epoch)
    {
        if (!epochs.TryGetValue(epoch, out (int[] Blocks, int[] Ends) known))
        {
            int[] order = [.. Enumerable.Range(0, segments.BlockCount)];
            new SeededRandom(seed ^ OrderStream, (ulong)epoch).Shuffle(order.AsSpan());
            int[] ends = new int[order.Length];
            int batchCount = 0;
            for (int i = 0; i < order.Length; i++)
            {
                Load(epoch, order[i]);
                ends[i] = batchCount = checked(batchCount + batches.Length);
            }

            known = (order, ends);
            epochs.Add(epoch, known);
        }

        return known;
    }

    private void Load(int epoch, int block)
    {
        if (loaded == (epoch, block))
        {
            return;
        }

        examples = segments.Examples(epoch, block);
        batches = examples.Length < (dropLast ? batchSize : 1)
            ? []
            : new LengthBucketedSampler([.. examples.Select(example => example.Length)], batchSize, new SeededRandom(seed, (ulong)block).NextUInt64(), dropLast).Batches(epoch);
        loaded = (epoch, block);
    }
}
