namespace Limbeck.Tokenization;

/// <summary>Where a token came from: <c>text[Start..End]</c> of the text it belongs to.</summary>
/// <param name="Start">First UTF-16 code unit.</param>
/// <param name="End">One past the last UTF-16 code unit.</param>
public readonly record struct TokenOffset(int Start, int End);
