using System.Collections.Concurrent;

namespace Limbeck.Tokenization;

public sealed partial class BertTokenizer
{
    private const int AddedToText = 2;
    private const int AddedToPair = 3;

    /// <summary>The ids of a text, without the special tokens a model's input begins and ends with.</summary>
    /// <param name="text">Any text; special tokens written in it become their ids.</param>
    public int[] Tokenize(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        TokenBuffer buffer = TokenBuffer.Take();
        Append(text, buffer);
        int[] ids = buffer.Ids.AsSpan(0, buffer.Count).ToArray();
        buffer.Return();
        return ids;
    }

    /// <summary>Encodes a text as <c>[CLS] text [SEP]</c>, or a pair as <c>[CLS] text [SEP] pair [SEP]</c>.</summary>
    /// <param name="text">The first text.</param>
    /// <param name="pair">The second text; null for none. An empty one is a pair all the same.</param>
    /// <param name="maxLength">
    /// Most tokens of the result, special ones counted; null for no limit. A pair loses tokens from the end of the longer text first; when both are longer than half, the
    /// first gets half, rounded down if it is not the longer, and the other the rest.
    /// </param>
    /// <param name="withOffsets">Whether <see cref="Encoding.Offsets"/> is wanted.</param>
    /// <exception cref="ArgumentOutOfRangeException">The maximum length does not even hold the special tokens (2, for a pair 3).</exception>
    public Encoding Encode(string text, string? pair = null, int? maxLength = null, bool withOffsets = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        CheckLength(pair, maxLength);
        TokenBuffer buffer = TokenBuffer.Take();
        Append(text, buffer);
        int first = buffer.Count;
        if (pair is not null)
        {
            Append(pair, buffer);
        }

        Encoding encoding = Assemble(buffer, first, pair is not null, maxLength, withOffsets);
        buffer.Return();
        return encoding;
    }

    /// <summary>Encodes many texts or pairs, each as <see cref="Encode"/> does.</summary>
    /// <param name="texts">Texts, each with its second text or null.</param>
    /// <param name="maxLength">Most tokens of each, or null.</param>
    /// <param name="withOffsets">Whether offsets are wanted.</param>
    /// <param name="threads">Threads to use; 0 for all cores.</param>
    /// <returns>The encodings in the order of the texts, the same for any number of threads.</returns>
    /// <exception cref="ArgumentException">A text is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The maximum length does not even hold the special tokens, or the number of threads is negative.</exception>
    public Encoding[] EncodeBatch(IReadOnlyList<(string Text, string? Pair)> texts, int? maxLength, bool withOffsets = false, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        for (int i = 0; i < texts.Count; i++)
        {
            (string text, string? pair) = texts[i];
            if (text is null)
            {
                throw new ArgumentException($"Text {i} of the batch is null.", nameof(texts));
            }

            CheckLength(pair, maxLength);
        }

        Encoding[] encodings = new Encoding[texts.Count];
        int team = Math.Min(threads == 0 ? Environment.ProcessorCount : threads, texts.Count);
        if (team <= 1)
        {
            EncodeRange(texts, encodings, 0, texts.Count, maxLength, withOffsets);
            return encodings;
        }

        int chunk = Math.Clamp(texts.Count / (team * 8), 1, 1024);
        Parallel.ForEach(
            Partitioner.Create(0, texts.Count, chunk),
            new ParallelOptions { MaxDegreeOfParallelism = team },
            range => EncodeRange(texts, encodings, range.Item1, range.Item2, maxLength, withOffsets));
        return encodings;
    }

    private static void CheckLength(string? pair, int? maxLength)
    {
        int added = pair is null ? AddedToText : AddedToPair;
        if (maxLength < added)
        {
            throw new ArgumentOutOfRangeException(
                nameof(maxLength), maxLength, $"The special tokens of a {(pair is null ? "text" : "pair")} alone are {added}; the maximum length must be at least that.");
        }
    }

    private void EncodeRange(IReadOnlyList<(string Text, string? Pair)> texts, Encoding[] encodings, int from, int to, int? maxLength, bool withOffsets)
    {
        for (int i = from; i < to; i++)
        {
            encodings[i] = Encode(texts[i].Text, texts[i].Pair, maxLength, withOffsets);
        }
    }

    private Encoding Assemble(TokenBuffer buffer, int first, bool isPair, int? maxLength, bool withOffsets)
    {
        int second = buffer.Count - first;
        (int keptFirst, int keptSecond) = Truncate(first, second, isPair, maxLength);
        int length = keptFirst + keptSecond + (isPair ? AddedToPair : AddedToText);
        int[] ids = new int[length];
        int[] types = new int[length];
        TokenOffset[]? offsets = withOffsets ? new TokenOffset[length] : null;

        ids[0] = ClassId;
        Copy(buffer, 0, keptFirst, ids, offsets, 1);
        ids[keptFirst + 1] = SeparatorId;
        if (isPair)
        {
            int start = keptFirst + AddedToText;
            Copy(buffer, first, keptSecond, ids, offsets, start);
            ids[length - 1] = SeparatorId;
            types.AsSpan(start).Fill(1);
        }

        return new Encoding(ids, types, offsets, buffer.Count - keptFirst - keptSecond);
    }

    private static (int First, int Second) Truncate(int first, int second, bool isPair, int? maxLength)
    {
        if (maxLength is not int limit)
        {
            return (first, second);
        }

        int budget = limit - (isPair ? AddedToPair : AddedToText);
        if (first + second <= budget)
        {
            return (first, second);
        }

        if (!isPair)
        {
            return (budget, 0);
        }

        // The shorter text (the first, when they are equal) stays whole if it fits into half of the budget, rounded down.
        int shorter = Math.Min(Math.Min(first, second), budget / 2);
        return first <= second ? (shorter, budget - shorter) : (budget - shorter, shorter);
    }

    private static void Copy(TokenBuffer buffer, int from, int count, int[] ids, TokenOffset[]? offsets, int to)
    {
        buffer.Ids.AsSpan(from, count).CopyTo(ids.AsSpan(to));
        if (offsets is not null)
        {
            for (int i = 0; i < count; i++)
            {
                offsets[to + i] = new TokenOffset(buffer.Starts[from + i], buffer.Ends[from + i]);
            }
        }
    }

    private void Append(string text, TokenBuffer buffer)
    {
        rawTokens.Split(text, buffer.Stretches);
        foreach (AddedTokenMatcher.Stretch stretch in buffer.Stretches)
        {
            if (stretch.Id >= 0)
            {
                buffer.Add(stretch.Id, stretch.Start, stretch.End);
            }
            else if (normalizedTokens.IsEmpty)
            {
                AppendStretch(text, stretch.Start, stretch.End, buffer);
            }
            else
            {
                AppendNormalizedWithTokens(text, stretch.Start, stretch.End, buffer);
            }
        }
    }

    // Runs of ASCII are split, lowered and spelled in one pass. ASCII white space and punctuation come through normalisation as they are and let nothing through from one
    // side to the other, so only from the beginning of a word with another character to the next ASCII space the long way has to be taken.
    private void AppendStretch(ReadOnlySpan<char> text, int from, int to, TokenBuffer buffer)
    {
        if (buffer.Word.Length < to - from)
        {
            buffer.Word = new char[Math.Max(to - from, 2 * buffer.Word.Length)];
        }

        char[] word = buffer.Word;
        int i = from;
        while (i < to)
        {
            int wordStart = i;
            int length = 0;
            AsciiAction action = AsciiAction.Keep;
            bool ascii = true;
            while (i < to)
            {
                char c = text[i];
                if (c >= AsciiCount)
                {
                    ascii = false;
                    break;
                }

                action = asciiActions[c];
                if (action != AsciiAction.Keep)
                {
                    break;
                }

                word[length++] = asciiLower[c];
                i++;
            }

            if (!ascii || (action == AsciiAction.Remove && length > 0))
            {
                i = AsciiSpaceFrom(text, i, to);
                normalizer.Normalize(text, wordStart, i, buffer.Normalizer, buffer.Normalized);
                AppendWords(buffer, 0, buffer.Normalized.Count);
                continue;
            }

            if (length > 0)
            {
                AppendAsciiWord(word.AsSpan(0, length), wordStart, buffer);
            }

            if (i < to)
            {
                if (action == AsciiAction.Punctuation)
                {
                    AppendAsciiWord(text.Slice(i, 1), i, buffer);
                }

                i++;
            }
        }
    }

    private int AsciiSpaceFrom(ReadOnlySpan<char> text, int i, int to)
    {
        while (i < to && !(text[i] < AsciiCount && asciiActions[text[i]] == AsciiAction.Space))
        {
            i++;
        }

        return i;
    }

    private void AppendAsciiWord(ReadOnlySpan<char> word, int start, TokenBuffer buffer)
    {
        int before = buffer.Count;
        AppendPieces(word, buffer);
        for (int i = before; i < buffer.Count; i++)
        {
            buffer.Starts[i] += start;
            buffer.Ends[i] += start;
        }
    }

    private void AppendNormalizedWithTokens(ReadOnlySpan<char> text, int from, int to, TokenBuffer buffer)
    {
        NormalizedText normalized = buffer.Normalized;
        normalizer.Normalize(text, from, to, buffer.Normalizer, normalized);
        normalizedTokens.Split(normalized.Chars.AsSpan(0, normalized.Count), buffer.NormalizedStretches);
        foreach (AddedTokenMatcher.Stretch stretch in buffer.NormalizedStretches)
        {
            if (stretch.Id >= 0)
            {
                buffer.Add(stretch.Id, normalized.Starts[stretch.Start], normalized.Ends[stretch.End - 1]);
            }
            else
            {
                AppendWords(buffer, stretch.Start, stretch.End);
            }
        }
    }

    private void AppendWords(TokenBuffer buffer, int from, int to)
    {
        for (int at = from; NextWord(buffer.Normalized.Chars, ref at, to, out int start);)
        {
            AppendNormalizedWord(buffer, start, at);
        }
    }

    private void AppendNormalizedWord(TokenBuffer buffer, int start, int end)
    {
        NormalizedText normalized = buffer.Normalized;
        int before = buffer.Count;
        AppendPieces(normalized.Chars.AsSpan(start, end - start), buffer);
        for (int i = before; i < buffer.Count; i++)
        {
            buffer.Starts[i] = normalized.Starts[start + buffer.Starts[i]];
            buffer.Ends[i] = normalized.Ends[start + buffer.Ends[i] - 1];
        }
    }

    // Spells a word, longest piece first; positions are those in the word.
    private void AppendPieces(ReadOnlySpan<char> word, TokenBuffer buffer)
    {
        int before = buffer.Count;
        if (word.Length > Options.MaxCharactersPerWord && CodePoints(word) > Options.MaxCharactersPerWord)
        {
            buffer.Add(UnknownId, 0, word.Length);
            return;
        }

        if (buffer.Hashes.Length < pieces.LongestPiece)
        {
            buffer.Hashes = new uint[pieces.LongestPiece];
        }

        int start = 0;
        while (start < word.Length)
        {
            int id = pieces.Longest(word[start..], start > 0, buffer.Hashes, out int length);
            if (id < 0)
            {
                buffer.Count = before;
                buffer.Add(UnknownId, 0, word.Length);
                return;
            }

            buffer.Add(id, start, start + length);
            start += length;
        }
    }

    private static int CodePoints(ReadOnlySpan<char> word)
    {
        int count = 0;
        foreach (char c in word)
        {
            count += char.IsLowSurrogate(c) ? 0 : 1;
        }

        return count;
    }
}
