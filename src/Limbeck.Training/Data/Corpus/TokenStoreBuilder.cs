using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Limbeck.Tokenization;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Data.Corpus;

/// <summary>Tokenizes a corpus into a <see cref="TokenStore"/>'s file, block by block, so that memory stays small and a killed run's blocks are not done again.</summary>
/// <remarks>
/// Ids go into PATH.part at their final place. PATH.journal has a record for each block: where in the corpus it ended, its sentences' lengths, and a hash over these and the
/// block's ids. A later run reads the journal up to the first record that is torn or another's, passes over the lines that are done, and goes on. When all is there the
/// journal's lengths are written behind the ids, then the header, and the part gets its name. Who calls holds PATH.lock.
/// </remarks>
internal sealed class TokenStoreBuilder : IDisposable
{
    private const int BlockCharacters = 1 << 20;
    private const int BlocksPerThread = 2;
    private const int SampleLines = 2000;
    private const int RecordBytes = 24;
    private const int StartsDocument = int.MinValue;

    private readonly TokenStoreHeader header;
    private readonly FileStream part;
    private readonly FileStream journal;
    private readonly int blockCharacters;
    private (int File, int Line) done = (-1, 0);
    private bool pendingDocument;
    private long tokens;
    private long sentences;
    private long documents;

    private TokenStoreBuilder(TokenStoreHeader header, string path, int blockCharacters)
    {
        this.header = header;
        this.blockCharacters = blockCharacters;
        part = new FileStream(path + ".part", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete, 1 << 20);
        journal = new FileStream(JournalPath(path), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete, 1 << 20);
    }

    /// <summary>Makes a store, or finishes one that a killed run began.</summary>
    /// <param name="corpus">The texts.</param>
    /// <param name="tokenizer">Whose ids.</param>
    /// <param name="header">Key, description and size of an id.</param>
    /// <param name="path">The file to be.</param>
    /// <param name="progress">Shows the work.</param>
    /// <param name="threads">Cores to use; 0 for all.</param>
    /// <param name="cancellation">Checked between rounds of blocks.</param>
    /// <param name="blockCharacters">Least text of a block; the finished file does not depend on it.</param>
    public static void Build(
        TextCorpus corpus, BertTokenizer tokenizer, TokenStoreHeader header, string path, ProgressDisplay progress, int threads, CancellationToken cancellation,
        int blockCharacters = BlockCharacters)
    {
        try
        {
            using (TokenStoreBuilder builder = new(header, path, blockCharacters))
            {
                builder.TakeUp();
                progress.Message(builder.done.File < 0
                    ? $"tokenizing {corpus.FileBytes / 1e6:N1} MB of text into about {Estimate(corpus, tokenizer) / 1e6:N1} MB: {path}"
                    : $"tokenizing goes on after {builder.sentences:N0} sentences of {path}");
                builder.Tokenize(corpus, tokenizer, progress, threads == 0 ? Environment.ProcessorCount : threads, cancellation);
                builder.Complete();
                progress.Message($"corpus: {builder.documents:N0} documents, {builder.sentences:N0} sentences, {builder.tokens:N0} tokens");
            }

            File.Move(path + ".part", path, overwrite: true);
            TeacherCacheFile.RememberVerified(path);
            File.Delete(JournalPath(path));
        }
        catch (IOException error)
        {
            throw new IOException($"{path}: the corpus's tokens could not be written: {error.Message}. Free some space, or use --cache-dir on another disk; what is done is kept.", error);
        }
    }

    /// <summary>Where a store's journal lies while it is made.</summary>
    internal static string JournalPath(string path) => path + ".journal";

    /// <inheritdoc/>
    public void Dispose()
    {
        part.Dispose();
        journal.Dispose();
    }

    /// <summary>A guess at the file's size from the first lines. Packed text is taken to be three times as long.</summary>
    private static double Estimate(TextCorpus corpus, BertTokenizer tokenizer)
    {
        double text = corpus.Files.Sum(file => (double)new FileInfo(file).Length * (file.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? 3 : 1));
        long sampled = 0;
        long bytes = 0;
        foreach (CorpusLine line in corpus.Lines().Take(SampleLines))
        {
            sampled += System.Text.Encoding.UTF8.GetByteCount(line.Text) + 1;
            bytes += ((long)tokenizer.Tokenize(line.Text).Length * TokenStore.IdBytes(tokenizer)) + sizeof(long);
        }

        return sampled == 0 ? 0 : text * bytes / sampled;
    }

    private void Tokenize(TextCorpus corpus, BertTokenizer tokenizer, ProgressDisplay progress, int threads, CancellationToken cancellation)
    {
        using IEnumerator<CorpusLine> lines = corpus.Lines().GetEnumerator();
        ParallelOptions options = new() { MaxDegreeOfParallelism = threads };
        long already = 0;
        bool begun = false;
        List<Block> round = Read(lines, BlocksPerThread * threads);
        while (round.Count > 0)
        {
            cancellation.ThrowIfCancellationRequested();
            if (!begun)
            {
                already = round[0].Begin / 1000;
                progress.Begin("tokenizing (kB)", corpus.FileBytes / 1000, already);
                begun = true;
            }

            // The next round is read while this one is tokenized.
            Task<List<Block>> next = Task.Run(() => Read(lines, BlocksPerThread * threads), CancellationToken.None);
            try
            {
                Parallel.ForEach(round, options, block => block.Encode(tokenizer, header.IdBytes));
                foreach (Block block in round)
                {
                    long before = tokens;
                    Write(block);
                    progress.Report(block.End / 1000, null, tokens - before);
                }
            }
            finally
            {
                ((IAsyncResult)next).AsyncWaitHandle.WaitOne();
            }

            round = next.GetAwaiter().GetResult();
        }

        progress.Finish();
    }

    /// <summary>The next blocks of lines that are not done yet.</summary>
    private List<Block> Read(IEnumerator<CorpusLine> lines, int count)
    {
        List<Block> blocks = [];
        int characters = 0;
        Block block = new();
        while (blocks.Count < count && lines.MoveNext())
        {
            CorpusLine line = lines.Current;
            if (line.File < done.File || (line.File == done.File && line.Line <= done.Line))
            {
                continue;
            }

            block.Add(line);
            characters += line.Text.Length;
            if (characters >= blockCharacters)
            {
                blocks.Add(block);
                block = new Block();
                characters = 0;
            }
        }

        if (block.Count > 0)
        {
            blocks.Add(block);
        }

        return blocks;
    }

    /// <summary>Writes a block's ids, then its record.</summary>
    private void Write(Block block)
    {
        List<int> lengths = [];
        for (int i = 0; i < block.Count; i++)
        {
            pendingDocument |= block.StartsDocument(i);
            int length = block.Lengths[i];
            if (length > 0)
            {
                lengths.Add(pendingDocument ? length | StartsDocument : length);
                documents += pendingDocument ? 1 : 0;
                pendingDocument = false;
                tokens += length;
            }
        }

        sentences += lengths.Count;
        byte[] record = new byte[RecordBytes + (lengths.Count * sizeof(int))];
        BinaryPrimitives.WriteInt32LittleEndian(record, lengths.Count);
        BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(4), block.LastFile);
        BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(8), block.LastLine);
        BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(12), pendingDocument ? 1 : 0);
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(16), block.Ids.Length);
        for (int i = 0; i < lengths.Count; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(RecordBytes + (i * sizeof(int))), lengths[i]);
        }

        part.Write(block.Ids);
        part.Flush();
        journal.Write(record);
        journal.Write(Hash(record, block.Ids));
        journal.Flush();
    }

    /// <summary>Reads the journal of a killed run up to the last block that is whole, and stands behind it; begins anew when it is another's.</summary>
    private void TakeUp()
    {
        long goodJournal = 0;
        long goodPart = header.Bytes;
        if (IsOwn())
        {
            while (ReadRecord() is byte[] record)
            {
                long bytes = BinaryPrimitives.ReadInt64LittleEndian(record.AsSpan(16));
                if (bytes < 0 || bytes > part.Length - goodPart || bytes > Array.MaxLength)
                {
                    break;
                }

                byte[] ids = new byte[bytes];
                byte[] hash = new byte[TokenStoreHeader.HashBytes];
                part.Position = goodPart;
                part.ReadExactly(ids);
                if (journal.ReadAtLeast(hash, hash.Length, throwOnEndOfStream: false) < hash.Length || !Hash(record, ids).AsSpan().SequenceEqual(hash))
                {
                    break;
                }

                goodPart += bytes;
                goodJournal = journal.Position;
                done = (BinaryPrimitives.ReadInt32LittleEndian(record.AsSpan(4)), BinaryPrimitives.ReadInt32LittleEndian(record.AsSpan(8)));
                pendingDocument = BinaryPrimitives.ReadInt32LittleEndian(record.AsSpan(12)) != 0;
                foreach (int length in LengthsOf(record))
                {
                    sentences++;
                    documents += length < 0 ? 1 : 0;
                    tokens += length & ~StartsDocument;
                }
            }
        }
        else
        {
            part.SetLength(0);
            part.Position = 0;
            part.Write(header.ToBytes());
            part.Flush();
        }

        part.SetLength(goodPart);
        part.Position = goodPart;
        journal.SetLength(goodJournal);
        journal.Position = goodJournal;
    }

    /// <summary>Whether the part is of this corpus; it may have its counts already, when the run was killed just before the end.</summary>
    private bool IsOwn()
    {
        try
        {
            TokenStoreHeader found = TokenStoreHeader.Read(part);
            return found.Key == header.Key && found.Bytes == header.Bytes;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    /// <summary>Writes what lies behind the ids, and the header with the counts.</summary>
    private void Complete()
    {
        if (tokens == 0)
        {
            throw new DataException("the corpus has lines but not one token; is it text?");
        }

        TokenStoreHeader whole = header with { Tokens = tokens, Sentences = sentences, Documents = documents };
        part.Position = header.Bytes + (tokens * header.IdBytes);
        part.Write(new byte[whole.SentencesAt - part.Position]);
        long at = 0;
        foreach (int length in JournalLengths())
        {
            WriteLong(at);
            at += length & ~StartsDocument;
        }

        WriteLong(at);
        at = 0;
        foreach (int length in JournalLengths())
        {
            if (length < 0)
            {
                WriteLong(at);
            }

            at++;
        }

        WriteLong(at);
        part.Flush();
        part.Position = header.Bytes;
        byte[] hash = SHA256.HashData(part);
        part.Position = 0;
        part.Write((whole with { BodyHash = hash }).ToBytes());
        part.Flush(flushToDisk: true);
    }

    private IEnumerable<int> JournalLengths()
    {
        journal.Position = 0;
        while (ReadRecord() is byte[] record)
        {
            foreach (int length in LengthsOf(record))
            {
                yield return length;
            }

            journal.Position += TokenStoreHeader.HashBytes;
        }
    }

    private static IEnumerable<int> LengthsOf(byte[] record)
    {
        for (int at = RecordBytes; at < record.Length; at += sizeof(int))
        {
            yield return BinaryPrimitives.ReadInt32LittleEndian(record.AsSpan(at));
        }
    }

    /// <summary>The next record of the journal, or null at its end or where it is torn.</summary>
    private byte[]? ReadRecord()
    {
        byte[] head = new byte[RecordBytes];
        if (journal.ReadAtLeast(head, RecordBytes, throwOnEndOfStream: false) < RecordBytes)
        {
            return null;
        }

        int count = BinaryPrimitives.ReadInt32LittleEndian(head);
        if (count < 0 || (long)count * sizeof(int) > journal.Length - journal.Position)
        {
            return null;
        }

        byte[] record = new byte[RecordBytes + (count * sizeof(int))];
        head.CopyTo(record, 0);
        journal.ReadExactly(record.AsSpan(RecordBytes));
        return record;
    }

    private void WriteLong(long value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        part.Write(bytes);
    }

    private static byte[] Hash(byte[] record, byte[] ids)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(record);
        hash.AppendData(ids);
        return hash.GetHashAndReset();
    }

    /// <summary>Lines that are tokenized together, on one core.</summary>
    private sealed class Block
    {
        private readonly List<CorpusLine> lines = [];

        /// <summary>Tokens of each line; it may be none.</summary>
        public int[] Lengths { get; private set; } = [];

        /// <summary>The ids of all lines as bytes.</summary>
        public byte[] Ids { get; private set; } = [];

        public int Count => lines.Count;

        public int LastFile => lines[^1].File;

        public int LastLine => lines[^1].Line;

        /// <summary>Bytes of the corpus that had been read at its first line.</summary>
        public long Begin => lines[0].Position;

        /// <summary>Bytes of the corpus that had been read at its last line.</summary>
        public long End => lines[^1].Position;

        public void Add(CorpusLine line) => lines.Add(line);

        public bool StartsDocument(int line) => lines[line].StartsDocument;

        public void Encode(BertTokenizer tokenizer, int idBytes)
        {
            Lengths = new int[lines.Count];
            MemoryStream bytes = new();
            ushort[] narrow = [];
            for (int i = 0; i < lines.Count; i++)
            {
                int[] ids = tokenizer.Tokenize(lines[i].Text);
                Lengths[i] = ids.Length;
                if (idBytes == sizeof(int))
                {
                    bytes.Write(MemoryMarshal.AsBytes(ids.AsSpan()));
                    continue;
                }

                if (narrow.Length < ids.Length)
                {
                    narrow = new ushort[2 * ids.Length];
                }

                for (int k = 0; k < ids.Length; k++)
                {
                    narrow[k] = (ushort)ids[k];
                }

                bytes.Write(MemoryMarshal.AsBytes(narrow.AsSpan(0, ids.Length)));
            }

            Ids = bytes.ToArray();
        }
    }
}
