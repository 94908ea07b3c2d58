namespace Limbeck.Tokenization;

/// <summary>What a tokenizer is made of, wherever it was read.</summary>
/// <param name="Source">The file, for messages.</param>
/// <param name="Vocabulary">Every token; the index is the id.</param>
/// <param name="IsPiece">Which of them words may be spelled with; the others are only found as added tokens.</param>
/// <param name="Added">The added tokens, special ones included.</param>
/// <param name="Options">How text is read.</param>
/// <param name="ModelMaxLength">What <c>tokenizer_config.json</c> says of the longest input, or null.</param>
internal sealed record TokenizerDefinition(
    string Source, string[] Vocabulary, bool[] IsPiece, IReadOnlyList<AddedToken> Added, BertTokenizerOptions Options, int? ModelMaxLength);
