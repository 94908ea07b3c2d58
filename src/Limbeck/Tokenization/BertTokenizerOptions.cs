namespace Limbeck.Tokenization;

/// <summary>How a <see cref="BertTokenizer"/> reads text. The defaults are those of the uncased BERT models.</summary>
public sealed record BertTokenizerOptions
{
    /// <summary>Whether text is put in lower case, code point by code point.</summary>
    public bool LowerCase { get; init; } = true;

    /// <summary>Whether text is decomposed and loses its non-spacing marks; null means: as <see cref="LowerCase"/>.</summary>
    public bool? StripAccents { get; init; }

    /// <summary>Whether each Chinese character is a word of its own.</summary>
    public bool HandleChineseChars { get; init; } = true;

    /// <summary>Whether control, format and private characters are dropped and every kind of space becomes a space.</summary>
    public bool CleanText { get; init; } = true;

    /// <summary>The token that stands for a word that the vocabulary cannot spell.</summary>
    public string UnknownToken { get; init; } = "[UNK]";

    /// <summary>The token that begins every encoding.</summary>
    public string ClassToken { get; init; } = "[CLS]";

    /// <summary>The token that ends each text of an encoding.</summary>
    public string SeparatorToken { get; init; } = "[SEP]";

    /// <summary>The token other tools pad with.</summary>
    public string PadToken { get; init; } = "[PAD]";

    /// <summary>The token that masks a word.</summary>
    public string MaskToken { get; init; } = "[MASK]";

    /// <summary>What the vocabulary puts before a piece that continues a word.</summary>
    public string ContinuationPrefix { get; init; } = "##";

    /// <summary>Words of more code points than this, counted after normalisation, are unknown.</summary>
    public int MaxCharactersPerWord { get; init; } = 100;

    /// <summary>Whether decoding takes away the space before <c>. ? ! ,</c> (and a few English clippings), token by token.</summary>
    public bool CleanUpDecodedText { get; init; } = true;
}
