using Limbeck.Tensors;

namespace Limbeck.Training.Data.Corpus;

/// <summary>
/// Cuts a corpus into training sequences, anew each epoch, as <c>pregenerate_training_data.py</c> of TinyBERT's authors does once and for all into files. Nothing is
/// written: the sequences of an epoch and block are a pure function of store, options, seed and epoch, so any of them can be had at any time.
/// </summary>
/// <remarks>
/// A block is a part of the corpus whose sequences are in memory at once, so that corpora larger than memory work. It ends where a document does, unless that is huge.
/// As in the authors' code: a document's sentences are gathered up to a target length, which is the longest one or, for a share of the documents, a random shorter one;
/// they are parted at a random sentence; with one sentence, or half of the time, B is taken from another document (chosen by its number of sentences, from a random
/// sentence on) and what came after A is used again; of A and B the longer loses tokens from either end until both fit.
/// Departures: no token is masked (theirs masks one in each sequence even at probability 0); all is seeded (theirs is not); a line that is longer than a sequence, such
/// as a paragraph, is used as pieces of a quarter of one, so that nothing of it is lost (theirs cuts it off); every epoch has sequences of its own.
/// </remarks>
public sealed class CorpusSegments
{
    private const long StandardBlockTokens = 1L << 26;
    private const int DocumentsAtOnce = 256;
    private const ulong SegmentStream = 0x7365676D656E7473UL;

    private readonly TokenStore store;
    private readonly SegmentOptions options;
    private readonly ulong seed;
    private readonly int threads;
    private readonly int piece;
    private readonly long[] blocks;

    /// <summary>Prepares the cutting of a corpus.</summary>
    /// <param name="store">The corpus's tokens.</param>
    /// <param name="options">How to cut.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="threads">Cores to use; 0 for all. The sequences are the same for any number.</param>
    /// <param name="blockTokens">Tokens of a block, about.</param>
    /// <exception cref="DataException">Pairs are wanted and there is only one document.</exception>
    public CorpusSegments(TokenStore store, SegmentOptions options, ulong seed, int threads = 0, long blockTokens = StandardBlockTokens)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxSequenceLength, SegmentOptions.LeastLength);
        ArgumentOutOfRangeException.ThrowIfLessThan(blockTokens, 1);
        if (options.Kind == SegmentKind.Pairs && store.DocumentCount < 2)
        {
            throw new DataException("the corpus is one document, but pairs need a second one to take random segments from: put blank lines between documents, or use --segments single");
        }

        this.store = store;
        this.options = options;
        this.seed = seed;
        this.threads = threads == 0 ? Environment.ProcessorCount : threads;
        piece = options.Kind == SegmentKind.Lines ? options.Capacity : Math.Max(1, options.Capacity / 4);
        blocks = Blocks(blockTokens);
        Fingerprint = $"{store.Key} {options} {seed} {blocks.Length}";
    }

    /// <summary>Everything that decides the sequences.</summary>
    public string Fingerprint { get; }

    /// <summary>Number of blocks; 1 for all but large corpora.</summary>
    public int BlockCount => blocks.Length - 1;

    /// <summary>The sequences of a block in an epoch, in the corpus's order.</summary>
    /// <param name="epoch">From 0.</param>
    /// <param name="block">0 to <see cref="BlockCount"/>-1.</param>
    public CorpusExample[] Examples(int epoch, int block)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        long from = blocks[block];
        long to = blocks[block + 1];
        long firstDocument = DocumentOf(from);
        long documents = DocumentOf(to - 1) + 1 - firstDocument;
        ulong epochSeed = new SeededRandom(seed ^ SegmentStream, (ulong)epoch).NextUInt64();
        List<CorpusExample>[] parts = new List<CorpusExample>[(documents + DocumentsAtOnce - 1) / DocumentsAtOnce];
        Parallel.For(0, parts.Length, new ParallelOptions { MaxDegreeOfParallelism = threads }, part =>
        {
            parts[part] = [];
            long end = Math.Min(documents, (part + 1L) * DocumentsAtOnce);
            for (long d = (long)part * DocumentsAtOnce; d < end; d++)
            {
                Document document = new(store.DocumentStart(firstDocument + d), store.DocumentStart(firstDocument + d + 1));
                long first = Math.Max(document.First, from);
                Cut(document, first, Math.Min(document.End, to), new SeededRandom(epochSeed, (ulong)first), parts[part]);
            }
        });
        return [.. parts.SelectMany(examples => examples)];
    }

    /// <summary>Writes a sequence's ids and segment ids.</summary>
    /// <param name="example">The sequence.</param>
    /// <param name="classId">[CLS].</param>
    /// <param name="separatorId">[SEP].</param>
    /// <param name="ids">Room for its length.</param>
    /// <param name="typeIds">Room for its length; 0 up to the first [SEP], 1 behind it.</param>
    public void Write(CorpusExample example, int classId, int separatorId, Span<int> ids, Span<int> typeIds)
    {
        int firstEnd = example.FirstLength + 2;
        ids[0] = classId;
        store.Copy(example.First, ids.Slice(1, example.FirstLength));
        ids[firstEnd - 1] = separatorId;
        typeIds[..firstEnd].Clear();
        if (example.SecondLength > 0)
        {
            store.Copy(example.Second, ids.Slice(firstEnd, example.SecondLength));
            ids[firstEnd + example.SecondLength] = separatorId;
            typeIds.Slice(firstEnd, example.SecondLength + 1).Fill(1);
        }
    }

    private void Cut(Document document, long first, long end, SeededRandom random, List<CorpusExample> examples)
    {
        switch (options.Kind)
        {
            case SegmentKind.Lines:
                CutLines(first, end, examples);
                break;
            case SegmentKind.Single:
                CutSingle(first, end, Target(random), examples);
                break;
            default:
                CutPairs(document, first, end, Target(random), random, examples);
                break;
        }
    }

    /// <summary>The length that a document's sequences aim at, drawn once for all of them.</summary>
    private int Target(SeededRandom random) =>
        random.NextDouble() < options.ShortSequenceProbability ? 2 + random.NextInt(options.Capacity - 1) : options.Capacity;

    private void CutLines(long first, long end, List<CorpusExample> examples)
    {
        Cursor cursor = new(first, 0);
        while (cursor.Sentence < end)
        {
            int length = Next(ref cursor, out long start);
            examples.Add(new CorpusExample(start, length, 0, 0, false));
        }
    }

    private void CutSingle(long first, long end, int target, List<CorpusExample> examples)
    {
        Cursor cursor = new(first, 0);
        long from = 0;
        int gathered = 0;
        while (cursor.Sentence < end)
        {
            int length = Next(ref cursor, out long start);
            if (gathered > 0 && gathered + length > target)
            {
                examples.Add(new CorpusExample(from, gathered, 0, 0, false));
                gathered = 0;
            }

            from = gathered == 0 ? start : from;
            gathered += length;
        }

        if (gathered > 0)
        {
            examples.Add(new CorpusExample(from, gathered, 0, 0, false));
        }
    }

    private void CutPairs(Document document, long first, long end, int target, SeededRandom random, List<CorpusExample> examples)
    {
        List<(long Start, int Gathered, Cursor After)> chunk = [];
        Cursor cursor = new(first, 0);
        int gathered = 0;
        while (cursor.Sentence < end)
        {
            gathered += Next(ref cursor, out long start);
            chunk.Add((start, gathered, cursor));
            if (cursor.Sentence < end && gathered < target)
            {
                continue;
            }

            int parts = chunk.Count > 1 ? 1 + random.NextInt(chunk.Count - 1) : 1;
            (long a, int aLength) = (chunk[0].Start, chunk[parts - 1].Gathered);
            bool isRandomNext = chunk.Count == 1 || random.NextDouble() < 0.5;
            (long b, int bLength) = isRandomNext ? Elsewhere(document, target - aLength, random) : (chunk[parts].Start, gathered - aLength);
            if (isRandomNext)
            {
                cursor = chunk[parts - 1].After;
            }

            Fit(ref a, ref aLength, ref b, ref bLength, random);
            examples.Add(new CorpusExample(a, aLength, b, bLength, isRandomNext));
            chunk.Clear();
            gathered = 0;
        }
    }

    /// <summary>A segment of another document from a random sentence on, which makes each document as likely as it has sentences.</summary>
    private (long Start, int Length) Elsewhere(Document document, int target, SeededRandom random)
    {
        long others = store.SentenceCount - (document.End - document.First);
        long sentence = Math.Min((long)(random.NextDouble() * others), others - 1);
        sentence += sentence >= document.First ? document.End - document.First : 0;
        long end = store.DocumentStart(DocumentOf(sentence) + 1);
        int length = store.SentenceLength(sentence);
        Cursor cursor = new(sentence, length > options.Capacity ? piece * random.NextInt((length + piece - 1) / piece) : 0);
        int gathered = Next(ref cursor, out long start);
        while (gathered < target && cursor.Sentence < end)
        {
            gathered += Next(ref cursor, out _);
        }

        return (start, gathered);
    }

    /// <summary>Takes tokens from the longer segment, at either end by chance, until both fit.</summary>
    private void Fit(ref long a, ref int aLength, ref long b, ref int bLength, SeededRandom random)
    {
        while (aLength + bLength > options.Capacity)
        {
            int front = random.NextDouble() < 0.5 ? 1 : 0;
            if (aLength > bLength)
            {
                a += front;
                aLength--;
            }
            else
            {
                b += front;
                bLength--;
            }
        }
    }

    /// <summary>The next sentence, or the next piece of one that is longer than a sequence.</summary>
    private int Next(ref Cursor cursor, out long start)
    {
        long from = store.SentenceStart(cursor.Sentence);
        int length = store.SentenceLength(cursor.Sentence);
        if (length <= options.Capacity)
        {
            start = from;
            cursor = new Cursor(cursor.Sentence + 1, 0);
            return length;
        }

        start = from + cursor.Offset;
        int taken = Math.Min(piece, length - cursor.Offset);
        cursor = cursor.Offset + taken == length ? new Cursor(cursor.Sentence + 1, 0) : cursor with { Offset = cursor.Offset + taken };
        return taken;
    }

    private long DocumentOf(long sentence) => Last(store.DocumentCount, document => store.DocumentStart(document) <= sentence);

    /// <summary>First sentences of the blocks, and the number of sentences.</summary>
    private long[] Blocks(long blockTokens)
    {
        List<long> starts = [0];
        long start = 0;
        while (store.TokenCount - store.SentenceStart(start) > blockTokens)
        {
            long target = store.SentenceStart(start) + blockTokens;
            long cut = Math.Max(start + 1, Last(store.SentenceCount, sentence => store.SentenceStart(sentence) <= target));
            long end = store.DocumentStart(DocumentOf(cut - 1) + 1);
            start = store.SentenceStart(end) - store.SentenceStart(start) <= 2 * blockTokens ? end : cut;
            if (start >= store.SentenceCount)
            {
                break;
            }

            starts.Add(start);
        }

        return [.. starts, store.SentenceCount];
    }

    /// <summary>The last of 0 to count-1 for which something holds that holds for the first ones only.</summary>
    private static long Last(long count, Func<long, bool> holds)
    {
        long low = 0;
        long high = count - 1;
        while (low < high)
        {
            long middle = low + ((high - low + 1) / 2);
            (low, high) = holds(middle) ? (middle, high) : (low, middle - 1);
        }

        return low;
    }

    private readonly record struct Document(long First, long End);

    private readonly record struct Cursor(long Sentence, int Offset);
}
