using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Limbeck.Tokenization;

/// <summary>The WordPiece tokenizer of the BERT models, equal to Hugging Face's <c>tokenizers</c> in ids, type ids, offsets, truncation and decoding.</summary>
/// <remarks>Immutable and safe to use from any number of threads at once. Steady work allocates only its results.</remarks>
public sealed partial class BertTokenizer
{
    private const int AsciiCount = 128;

    private readonly TokenizerDefinition definition;
    private readonly string[] vocabulary;
    private readonly Dictionary<string, int> idOfToken;
    private readonly bool[] isSpecial;
    private readonly PieceTable pieces;
    private readonly BertNormalizer normalizer;
    private readonly AddedTokenMatcher rawTokens;
    private readonly AddedTokenMatcher normalizedTokens;
    private readonly AsciiAction[] asciiActions = new AsciiAction[AsciiCount];
    private readonly char[] asciiLower = new char[AsciiCount];
    private readonly Lazy<string> fingerprint;

    private enum AsciiAction : byte
    {
        Keep,
        Space,
        Punctuation,
        Remove,
    }

    private BertTokenizer(TokenizerDefinition definition)
    {
        this.definition = definition;
        vocabulary = definition.Vocabulary;
        Options = definition.Options;
        Vocabulary = Array.AsReadOnly(vocabulary);
        CheckOptions(Options);
        idOfToken = Index(vocabulary, definition.Source);

        List<string> missing = [];
        UnknownId = Required(Options.UnknownToken, missing);
        ClassId = Required(Options.ClassToken, missing);
        SeparatorId = Required(Options.SeparatorToken, missing);
        if (missing.Count > 0)
        {
            throw new TokenizerException(
                $"{definition.Source}: the vocabulary of {vocabulary.Length} tokens has no {string.Join(", ", missing)}, which every BERT model needs. " +
                "Use the vocabulary saved with the model, or name its own special tokens in the options or in tokenizer_config.json.");
        }

        PadId = TokenToId(Options.PadToken) ?? -1;
        MaskId = TokenToId(Options.MaskToken) ?? -1;

        isSpecial = new bool[vocabulary.Length];
        foreach (AddedToken token in definition.Added)
        {
            isSpecial[token.Id] |= token.Special;
        }

        pieces = new PieceTable(vocabulary, definition.IsPiece, Options.ContinuationPrefix);
        normalizer = new BertNormalizer(Options);
        rawTokens = new AddedTokenMatcher(definition.Added.Where(t => !t.Normalized).Select(t => (t.Content, t)));
        normalizedTokens = new AddedTokenMatcher(definition.Added.Where(t => t.Normalized).Select(t => (Normalize(t.Content), t)).Where(t => t.Item1.Length > 0));
        for (int c = 0; c < AsciiCount; c++)
        {
            asciiActions[c] = ActionOf(CharacterClasses.Of(c), Options.CleanText);
            asciiLower[c] = (char)(Options.LowerCase ? CharacterClasses.ToLower(c) : c);
        }

        fingerprint = new Lazy<string>(ComputeFingerprint);
    }

    /// <summary>How text is read.</summary>
    public BertTokenizerOptions Options { get; }

    /// <summary>[V] every token; the index is the id.</summary>
    public IReadOnlyList<string> Vocabulary { get; }

    /// <summary>V, the number of tokens, added ones included.</summary>
    public int VocabularySize => vocabulary.Length;

    /// <summary>Id of the token that begins every encoding.</summary>
    public int ClassId { get; }

    /// <summary>Id of the token that ends each text of an encoding.</summary>
    public int SeparatorId { get; }

    /// <summary>Id of the padding token; -1 when the vocabulary has none.</summary>
    public int PadId { get; }

    /// <summary>Id of the token for words that cannot be spelled.</summary>
    public int UnknownId { get; }

    /// <summary>Id of the masking token; -1 when the vocabulary has none.</summary>
    public int MaskId { get; }

    /// <summary>The longest input the model was made for, when the directory's <c>tokenizer_config.json</c> says it. Encoding does not apply it unasked.</summary>
    public int? ModelMaxLength => definition.ModelMaxLength;

    /// <summary>SHA-256, in hexadecimal, of everything that decides which ids a text gets: vocabulary, added tokens, options.</summary>
    public string Fingerprint => fingerprint.Value;

    /// <summary>Makes a tokenizer of a list of tokens.</summary>
    /// <param name="vocabulary">Every token; the index is the id. Those that the options call special are special.</param>
    /// <param name="options">How text is read; null for the uncased defaults.</param>
    /// <exception cref="TokenizerException">A token is empty, comes twice or is not valid UTF-16, or the unknown, class or separator token is missing.</exception>
    public static BertTokenizer FromVocabulary(IReadOnlyList<string> vocabulary, BertTokenizerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        return FromPieces("vocabulary", [.. vocabulary], options ?? new BertTokenizerOptions());
    }

    /// <summary>Makes a tokenizer of a <c>vocab.txt</c>: one token a line, the line number (from 0) is the id.</summary>
    /// <param name="path">The file, UTF-8; lines end at <c>\n</c>, one <c>\r</c> before it is dropped.</param>
    /// <param name="options">How text is read; null for the uncased defaults.</param>
    /// <exception cref="TokenizerException">The file cannot be read or is no vocabulary; the message names the line.</exception>
    public static BertTokenizer FromVocabularyFile(string path, BertTokenizerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(path);
        return FromPieces(path, TokenizerReader.ReadVocabulary(path), options ?? new BertTokenizerOptions());
    }

    /// <summary>Reads the tokenizer of a model directory.</summary>
    /// <param name="directory">
    /// Has <c>tokenizer.json</c>; or else <c>vocab.txt</c> and, if they are there, <c>tokenizer_config.json</c>, <c>special_tokens_map.json</c> and <c>added_tokens.json</c>.
    /// </param>
    /// <remarks>The padding and truncation settings of <c>tokenizer.json</c> are not used: the caller gives the maximum length, and nothing is padded.</remarks>
    /// <exception cref="TokenizerException">A file is missing, damaged, or describes a tokenizer other than BERT's WordPiece; the message names every such part.</exception>
    public static BertTokenizer FromDirectory(string directory)
    {
        ArgumentNullException.ThrowIfNull(directory);
        return new BertTokenizer(TokenizerReader.Read(directory));
    }

    /// <summary>The id of a token, or null when the vocabulary does not have it.</summary>
    /// <param name="token">A token as it stands in the vocabulary, continuation prefix included.</param>
    public int? TokenToId(string token)
    {
        ArgumentNullException.ThrowIfNull(token);
        return idOfToken.TryGetValue(token, out int id) ? id : null;
    }

    /// <summary>The token of an id.</summary>
    /// <param name="id">0..V-1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The vocabulary has no such id.</exception>
    public string IdToToken(int id)
    {
        CheckId(id, nameof(id));
        return vocabulary[id];
    }

    /// <summary>What the normaliser alone makes of a text: special tokens written in it are treated like any text.</summary>
    /// <param name="text">Any text.</param>
    public string Normalize(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        TokenBuffer buffer = TokenBuffer.Take();
        normalizer.Normalize(text, 0, text.Length, buffer.Normalizer, buffer.Normalized);
        string result = new(buffer.Normalized.Chars, 0, buffer.Normalized.Count);
        buffer.Return();
        return result;
    }

    private static BertTokenizer FromPieces(string source, string[] vocabulary, BertTokenizerOptions options)
    {
        bool[] isPiece = new bool[vocabulary.Length];
        Array.Fill(isPiece, true);
        List<AddedToken> added = [];
        foreach (string content in TokenizerReader.SpecialTokens(options))
        {
            int id = Array.IndexOf(vocabulary, content);
            if (id >= 0)
            {
                added.Add(new AddedToken(id, content, true, false, false, false, false));
            }
        }

        return new BertTokenizer(new TokenizerDefinition(source, vocabulary, isPiece, added, options, null));
    }

    private static void CheckOptions(BertTokenizerOptions options)
    {
        foreach (string? token in (string?[])[options.UnknownToken, options.ClassToken, options.SeparatorToken, options.PadToken, options.MaskToken])
        {
            if (string.IsNullOrEmpty(token))
            {
                throw new ArgumentException("A special token of the tokenizer's options is empty; each of the five needs a text of its own.", nameof(options));
            }
        }

        ArgumentNullException.ThrowIfNull(options.ContinuationPrefix, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxCharactersPerWord, 1, nameof(options));
    }

    private static Dictionary<string, int> Index(string[] vocabulary, string source)
    {
        Dictionary<string, int> index = new(vocabulary.Length, StringComparer.Ordinal);
        for (int id = 0; id < vocabulary.Length; id++)
        {
            string token = vocabulary[id];
            if (string.IsNullOrEmpty(token))
            {
                throw new TokenizerException($"{source}: the token of id {id} (line {id + 1} of a vocab.txt) is empty. Give the id a token; deleting the line would shift every id after it.");
            }

            if (!index.TryAdd(token, id))
            {
                throw new TokenizerException($"{source}: the token '{token}' is there twice, as id {index[token]} and as id {id}. Every token needs one id: use the vocabulary saved with the model.");
            }

            if (!IsWellFormed(token))
            {
                throw new TokenizerException($"{source}: the token of id {id} holds half of a surrogate pair, which no text can match. Use the vocabulary saved with the model.");
            }
        }

        return index;
    }

    private static bool IsWellFormed(string token)
    {
        for (int i = 0; i < token.Length; i++)
        {
            if (char.IsSurrogate(token[i]) && !(i + 1 < token.Length && char.IsSurrogatePair(token[i], token[++i])))
            {
                return false;
            }
        }

        return true;
    }

    private static AsciiAction ActionOf(CharacterFlags flags, bool cleanText)
    {
        if (cleanText && (flags & CharacterFlags.Removed) != 0)
        {
            return AsciiAction.Remove;
        }

        if ((flags & CharacterFlags.WhiteSpace) != 0 || (cleanText && (flags & CharacterFlags.MadeSpace) != 0))
        {
            return AsciiAction.Space;
        }

        return (flags & CharacterFlags.Punctuation) != 0 ? AsciiAction.Punctuation : AsciiAction.Keep;
    }

    private int Required(string token, List<string> missing)
    {
        if (idOfToken.TryGetValue(token, out int id))
        {
            return id;
        }

        missing.Add(token);
        return -1;
    }

    private void CheckId(int id, string parameter)
    {
        if ((uint)id >= (uint)vocabulary.Length)
        {
            throw new ArgumentOutOfRangeException(parameter, id, $"The vocabulary has ids 0 to {vocabulary.Length - 1}. The id is of another tokenizer, or of a model with more rows than tokens.");
        }
    }

    private string ComputeFingerprint()
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        AppendText(hash, "limbeck tokenizer 1");
        AppendNumber(hash, Options.LowerCase ? 1 : 0);
        AppendNumber(hash, Options.StripAccents ?? Options.LowerCase ? 1 : 0);
        AppendNumber(hash, Options.HandleChineseChars ? 1 : 0);
        AppendNumber(hash, Options.CleanText ? 1 : 0);
        AppendNumber(hash, Options.MaxCharactersPerWord);
        AppendText(hash, Options.ContinuationPrefix);
        foreach (int id in (int[])[UnknownId, ClassId, SeparatorId, PadId, MaskId])
        {
            AppendNumber(hash, id);
        }

        AppendNumber(hash, vocabulary.Length);
        for (int id = 0; id < vocabulary.Length; id++)
        {
            AppendText(hash, vocabulary[id]);
            AppendNumber(hash, definition.IsPiece[id] ? 1 : 0);
        }

        foreach (AddedToken token in definition.Added.OrderBy(t => t.Id))
        {
            AppendNumber(hash, token.Id);
            AppendNumber(hash, (token.Special ? 1 : 0) | (token.SingleWord ? 2 : 0) | (token.StripLeft ? 4 : 0) | (token.StripRight ? 8 : 0) | (token.Normalized ? 16 : 0));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void AppendNumber(IncrementalHash hash, int value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        hash.AppendData(bytes);
    }

    private static void AppendText(IncrementalHash hash, string text)
    {
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(text);
        AppendNumber(hash, bytes.Length);
        hash.AppendData(bytes);
    }
}
