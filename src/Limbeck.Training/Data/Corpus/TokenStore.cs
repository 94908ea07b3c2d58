using System.IO.MemoryMappedFiles;
using System.Security.Cryptography;
using System.Text.Json;
using Limbeck.Tokenization;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Data.Corpus;

/// <summary>
/// A corpus as token ids in one memory-mapped file: made once, on all cores, and kept in the cache. It may be larger than memory. Sentences are the corpus's lines (a
/// plain paragraph is one long sentence) without special tokens; lines without any token are left out. Safe to read from many threads.
/// </summary>
public sealed unsafe class TokenStore : IDisposable
{
    private const int PollMilliseconds = 1000;
    private const int CountedAtOnce = 1 << 16;

    private readonly MemoryMappedFile map;
    private readonly MemoryMappedViewAccessor view;
    private readonly TokenStoreHeader header;
    private readonly byte* ids;
    private readonly long* sentences;
    private readonly long* documents;

    private TokenStore(string path, TokenStoreHeader header, MemoryMappedFile map)
    {
        Path = path;
        this.header = header;
        this.map = map;
        view = map.CreateViewAccessor(0, header.FileBytes, MemoryMappedFileAccess.Read);
        byte* start = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        start += view.PointerOffset;
        ids = start + header.Bytes;
        sentences = (long*)(start + header.SentencesAt);
        documents = (long*)(start + header.DocumentsAt);
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>The hash of all that the content depends on: the corpus's bytes, the tokenizer, the format's version.</summary>
    public string Key => header.Key;

    /// <summary>A JSON text that tells what made it.</summary>
    public string Description => header.Description;

    /// <summary>Size of the file.</summary>
    public long Bytes => header.FileBytes;

    /// <summary>Tokens in all.</summary>
    public long TokenCount => header.Tokens;

    /// <summary>Sentences in all; each has at least one token.</summary>
    public long SentenceCount => header.Sentences;

    /// <summary>Documents in all; each has at least one sentence.</summary>
    public long DocumentCount => header.Documents;

    /// <summary>Opens the store of a corpus, or makes it. What is done, and how large it will be, is said first.</summary>
    /// <param name="files">Text files, .gz too: a sentence or paragraph a line, blank lines between documents.</param>
    /// <param name="tokenizer">Whose ids.</param>
    /// <param name="cacheDirectory">The cache's folder; null for the platform's own.</param>
    /// <param name="progress">Shows the work.</param>
    /// <param name="threads">Cores to use; 0 for all. The store is the same for any number.</param>
    /// <param name="cancellation">Checked between pieces of some megabytes; what is done is taken up by the next call.</param>
    /// <exception cref="DataException">A file cannot be used; the message names it and its lines.</exception>
    /// <exception cref="IOException">The cache's folder cannot be written.</exception>
    public static TokenStore OpenOrBuild(
        IReadOnlyList<string> files, BertTokenizer tokenizer, string? cacheDirectory, ProgressDisplay progress, int threads = 0, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(progress);
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        TextCorpus corpus = new(files);
        string key = KeyOf(corpus, tokenizer);
        CacheDirectory directory = new(cacheDirectory);
        Directory.CreateDirectory(directory.DirectoryPath);
        string path = directory.TokensPathOf(key);
        bool waiting = false;
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            if (TryOpen(path, key, progress.Message) is TokenStore store)
            {
                return store;
            }

            using (FileLock? held = FileLock.TryTake(path + ".lock"))
            {
                if (held is null)
                {
                    if (!waiting)
                    {
                        progress.Message($"another process is tokenizing the corpus into {path}: waiting for it");
                        waiting = true;
                    }

                    cancellation.WaitHandle.WaitOne(PollMilliseconds);
                    continue;
                }

                if (!File.Exists(path))
                {
                    TokenStoreBuilder.Build(corpus, tokenizer, new TokenStoreHeader(key, Describe(corpus, tokenizer), IdBytes(tokenizer)), path, progress, threads, cancellation);
                }
            }

            File.Delete(path + ".lock");
        }
    }

    /// <summary>Opens the store of a corpus if it has been made.</summary>
    /// <param name="files">Text files, as for <see cref="OpenOrBuild"/>.</param>
    /// <param name="tokenizer">Whose ids.</param>
    /// <param name="cacheDirectory">The cache's folder; null for the platform's own.</param>
    /// <param name="warn">Hears of a damaged store.</param>
    /// <returns>The store, or null.</returns>
    /// <exception cref="DataException">A file cannot be used.</exception>
    internal static TokenStore? OpenIfThere(IReadOnlyList<string> files, BertTokenizer tokenizer, string? cacheDirectory, Action<string> warn)
    {
        TextCorpus corpus = new(files);
        CacheDirectory directory = new(cacheDirectory);
        if (!Directory.Exists(directory.DirectoryPath) || Directory.GetFiles(directory.DirectoryPath, System.IO.Path.GetFileName(directory.TokensPathOf("*"))).Length == 0)
        {
            return null;
        }

        string key = KeyOf(corpus, tokenizer);
        return TryOpen(directory.TokensPathOf(key), key, warn, readOnly: true);
    }

    /// <summary>The first sentence of a document.</summary>
    /// <param name="document">0 to <see cref="DocumentCount"/>; that number itself gives <see cref="SentenceCount"/>.</param>
    public long DocumentStart(long document) => (ulong)document <= (ulong)header.Documents
        ? documents[document]
        : throw new ArgumentOutOfRangeException(nameof(document), $"{Path} has {header.Documents} documents; number {document} is not among them.");

    /// <summary>The first token of a sentence.</summary>
    /// <param name="sentence">0 to <see cref="SentenceCount"/>; that number itself gives <see cref="TokenCount"/>.</param>
    public long SentenceStart(long sentence) => (ulong)sentence <= (ulong)header.Sentences
        ? sentences[sentence]
        : throw new ArgumentOutOfRangeException(nameof(sentence), $"{Path} has {header.Sentences} sentences; number {sentence} is not among them.");

    /// <summary>Tokens of a sentence.</summary>
    /// <param name="sentence">0 to <see cref="SentenceCount"/>-1.</param>
    public int SentenceLength(long sentence) => (int)(SentenceStart(sentence + 1) - SentenceStart(sentence));

    /// <summary>A sentence's token ids.</summary>
    /// <param name="sentence">0 to <see cref="SentenceCount"/>-1.</param>
    public int[] Sentence(long sentence)
    {
        int[] copy = new int[SentenceLength(sentence)];
        Copy(SentenceStart(sentence), copy);
        return copy;
    }

    /// <summary>Copies token ids that lie one after the other; a document's sentences do.</summary>
    /// <param name="token">The first token.</param>
    /// <param name="into">Receives as many as it has room for.</param>
    public void Copy(long token, Span<int> into)
    {
        if (token < 0 || into.Length > header.Tokens - token)
        {
            throw new ArgumentOutOfRangeException(nameof(token), $"{Path} has {header.Tokens} tokens; {into.Length} from number {token} on are not among them.");
        }

        if (header.IdBytes == sizeof(int))
        {
            new ReadOnlySpan<int>((int*)ids + token, into.Length).CopyTo(into);
            return;
        }

        ushort* from = (ushort*)ids + token;
        for (int i = 0; i < into.Length; i++)
        {
            into[i] = from[i];
        }
    }

    /// <summary>How often the corpus has each id.</summary>
    /// <param name="vocabulary">Number of ids.</param>
    /// <returns>[vocabulary].</returns>
    /// <exception cref="ArgumentException">An id is not below that.</exception>
    public long[] Counts(int vocabulary)
    {
        long[] counts = new long[vocabulary];
        int[] buffer = new int[CountedAtOnce];
        for (long at = 0; at < TokenCount; at += buffer.Length)
        {
            Span<int> part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, TokenCount - at));
            Copy(at, part);
            foreach (int id in part)
            {
                if ((uint)id >= (uint)vocabulary)
                {
                    throw new ArgumentException($"{Path} has the id {id}, but the model knows ids 0 to {vocabulary - 1}: the tokenizer belongs to another model", nameof(vocabulary));
                }

                counts[id]++;
            }
        }

        return counts;
    }

    /// <summary>Unmaps the file.</summary>
    public void Dispose()
    {
        if (!view.SafeMemoryMappedViewHandle.IsClosed)
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
            view.Dispose();
            map.Dispose();
        }
    }

    /// <summary>Bytes of an id: 2 where the vocabulary lets them.</summary>
    internal static int IdBytes(BertTokenizer tokenizer) => tokenizer.VocabularySize <= ushort.MaxValue + 1 ? sizeof(ushort) : sizeof(int);

    /// <summary>Opens a store when it is there and sound. A damaged one is deleted, so that it can be made again, unless nothing on the disk may change.</summary>
    internal static TokenStore? TryOpen(string path, string key, Action<string> warn, bool readOnly = false)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            return Open(path, key, readOnly);
        }
        catch (InvalidDataException error)
        {
            warn(error.Message);
            if (!readOnly)
            {
                File.Delete(path);
                File.Delete(TeacherCacheFile.VerifiedPath(path));
            }

            return null;
        }
    }

    private static TokenStore Open(string path, string key, bool readOnly)
    {
        FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 1 << 20);
        MemoryMappedFile? map = null;
        try
        {
            TokenStoreHeader header = TokenStoreHeader.Read(file);
            if (header.Key != key)
            {
                throw TokenStoreHeader.Damaged(file, $"its key is {header.Key}; needed is {key}");
            }

            if (header.Tokens < 0 || header.Sentences < 0 || header.Documents < 0 || file.Length != header.FileBytes)
            {
                throw TokenStoreHeader.Damaged(file, $"it has {file.Length} bytes; its header needs {header.FileBytes}");
            }

            if (!TeacherCacheFile.IsRememberedVerified(path))
            {
                file.Position = header.Bytes;
                if (!SHA256.HashData(file).AsSpan().SequenceEqual(header.BodyHash))
                {
                    throw TokenStoreHeader.Damaged(file, "its tokens are not what was written (the hash differs)");
                }

                if (!readOnly)
                {
                    TeacherCacheFile.RememberVerified(path);
                }
            }

            if (!readOnly)
            {
                TeacherCacheFile.TouchAccess(path);
            }

            map = MemoryMappedFile.CreateFromFile(file, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            return new TokenStore(path, header, map);
        }
        catch
        {
            map?.Dispose();
            file.Dispose();
            throw;
        }
    }

    private static string KeyOf(TextCorpus corpus, BertTokenizer tokenizer)
    {
        HashBuilder hash = new HashBuilder().Add("format", TokenStoreHeader.Version).Add("tokenizer", tokenizer.Fingerprint).Add("files", corpus.Files.Count);
        for (int i = 0; i < corpus.Files.Count; i++)
        {
            string packed = corpus.Files[i].EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? "gz" : "text";
            hash.Add($"file {i}", $"{packed} {RunHash.OfFile(corpus.Files[i])}");
        }

        return hash.ToKey();
    }

    private static string Describe(TextCorpus corpus, BertTokenizer tokenizer) => JsonSerializer.Serialize(new
    {
        corpus = corpus.Files.Take(4).Select(System.IO.Path.GetFileName),
        files = corpus.Files.Count,
        bytes = corpus.FileBytes,
        vocabulary = tokenizer.VocabularySize,
    });
}
