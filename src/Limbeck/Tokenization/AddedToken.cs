namespace Limbeck.Tokenization;

/// <summary>A token that is found in the text itself, before words are split: the special ones and those a user has added.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text.</param>
/// <param name="Special">Whether decoding skips it when asked to skip special tokens.</param>
/// <param name="SingleWord">Whether it counts only where no word character touches it.</param>
/// <param name="StripLeft">Whether it swallows the white space before it.</param>
/// <param name="StripRight">Whether it swallows the white space after it.</param>
/// <param name="Normalized">Whether its normalised form is looked for in normalised text, rather than its text in raw text.</param>
internal sealed record AddedToken(int Id, string Content, bool Special, bool SingleWord, bool StripLeft, bool StripRight, bool Normalized);
