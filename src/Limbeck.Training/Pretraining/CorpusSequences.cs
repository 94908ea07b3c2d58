using Limbeck.Tensors;
using Limbeck.Training.Data.Corpus;

namespace Limbeck.Training.Pretraining;

/// <summary>A corpus cut into sequences: as many whole sentences of one document as fit between [CLS] and [SEP]. A longer sentence is cut.</summary>
/// <remarks>Nothing is padded, so a document's short last sequence costs nothing. What is kept in memory is twelve bytes a sequence.</remarks>
internal sealed class CorpusSequences
{
    private const int SpecialTokens = 2;

    private readonly TokenStore store;
    private readonly List<long> starts = [];
    private readonly List<int> lengths = [];

    private CorpusSequences(TokenStore store, int maxLength, string description)
    {
        this.store = store;
        MaxLength = maxLength;
        Description = description;
    }

    /// <summary>Number of sequences.</summary>
    public int Count => starts.Count;

    /// <summary>The longest that a sequence may be, [CLS] and [SEP] included.</summary>
    public int MaxLength { get; }

    /// <summary>What decides the sequences, for a run's fingerprint.</summary>
    public string Description { get; }

    /// <summary>Tokens in all, [CLS] and [SEP] included.</summary>
    public long Tokens => lengths.Sum(length => (long)length + SpecialTokens);

    /// <summary>Tokens of each sequence, [CLS] and [SEP] included.</summary>
    public int[] Lengths => [.. lengths.Select(length => length + SpecialTokens)];

    /// <summary>Cuts a corpus.</summary>
    /// <param name="store">The corpus.</param>
    /// <param name="maxLength">The longest sequence, 3 or more.</param>
    /// <param name="lineByLine">One sentence a sequence.</param>
    /// <param name="part">Which sentences, by document and number.</param>
    /// <param name="description">What decides <paramref name="part"/>.</param>
    public static CorpusSequences Cut(TokenStore store, int maxLength, bool lineByLine, Func<long, long, bool> part, string description)
    {
        CorpusSequences sequences = new(store, maxLength, $"{store.Key} {maxLength} {lineByLine} {description}");
        int room = maxLength - SpecialTokens;
        for (long document = 0; document < store.DocumentCount; document++)
        {
            long start = 0;
            int held = 0;
            long end = store.DocumentStart(document + 1);
            for (long sentence = store.DocumentStart(document); sentence < end; sentence++)
            {
                bool mine = part(document, sentence);
                int length = store.SentenceLength(sentence);
                if (held > 0 && (!mine || lineByLine || held + length > room))
                {
                    sequences.Add(start, held);
                    held = 0;
                }

                if (!mine)
                {
                    continue;
                }

                start = held == 0 ? store.SentenceStart(sentence) : start;
                held += length;
                for (; held > room; held -= room, start += room)
                {
                    sequences.Add(start, room);
                }
            }

            if (held > 0)
            {
                sequences.Add(start, held);
            }
        }

        return sequences;
    }

    /// <summary>Evenly spaced sequences.</summary>
    /// <param name="most">How many; 0 for all.</param>
    public CorpusSequences Sample(int most)
    {
        if (most == 0 || most >= Count)
        {
            return this;
        }

        CorpusSequences sample = new(store, MaxLength, $"{Description} {most}");
        for (int i = 0; i < most; i++)
        {
            int row = (int)((long)i * Count / most);
            sample.Add(starts[row], lengths[row]);
        }

        return sample;
    }

    /// <summary>How often each token is there, special ones left out.</summary>
    /// <param name="vocabulary">V.</param>
    public long[] CountTokens(int vocabulary)
    {
        long[] counts = new long[vocabulary];
        int[] ids = new int[MaxLength];
        for (int i = 0; i < Count; i++)
        {
            Span<int> sequence = ids.AsSpan(0, lengths[i]);
            store.Copy(starts[i], sequence);
            foreach (int id in sequence)
            {
                counts[id]++;
            }
        }

        return counts;
    }

    /// <summary>Lays sequences end to end.</summary>
    /// <param name="rows">Their numbers.</param>
    /// <param name="classId">Id of [CLS].</param>
    /// <param name="separatorId">Id of [SEP].</param>
    public PackedBatch Pack(int[] rows, int classId, int separatorId)
    {
        int[] offsets = new int[rows.Length + 1];
        for (int i = 0; i < rows.Length; i++)
        {
            offsets[i + 1] = offsets[i] + lengths[rows[i]] + SpecialTokens;
        }

        int[] ids = new int[offsets[^1]];
        for (int i = 0; i < rows.Length; i++)
        {
            Span<int> sequence = ids.AsSpan(offsets[i]..offsets[i + 1]);
            sequence[0] = classId;
            store.Copy(starts[rows[i]], sequence[1..^1]);
            sequence[^1] = separatorId;
        }

        return new PackedBatch(ids, new int[ids.Length], offsets);
    }

    private void Add(long start, int length)
    {
        starts.Add(start);
        lengths.Add(length);
    }
}
