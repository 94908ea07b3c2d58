using System.Globalization;

namespace Limbeck.Training.Data.Augmentation;

/// <summary>
/// Reads word vectors as text, line by line: a word, then its numbers, with spaces between (GloVe's format), also packed with gzip; a first line of two counts
/// (word2vec's) is passed over. Lines that cannot be used are left out and reported.
/// </summary>
internal static class WordVectorFile
{
    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="most">Read only so many lines; 0 for all.</param>
    /// <param name="wanted">Whether a word may stand in a text: read back, it is the same one word.</param>
    /// <param name="messages">Receives what was left out, with line numbers.</param>
    /// <exception cref="DataException">There is no such file, or no two of its lines are word vectors.</exception>
    public static WordVectors Read(string path, int most, Func<string, bool> wanted, TextWriter messages)
    {
        FaultList faults = new(path);
        WordVectors? vectors = null;
        float[] vector = [];
        int good = 0;
        int unwanted = 0;
        using LineReader reader = new(path, faults);
        while ((most == 0 || reader.Line < most) && reader.Read() is { } line)
        {
            ReadOnlySpan<char> text = line.AsSpan().TrimEnd();
            int numbers = text.Count(' ');
            if (faults.LastLine == reader.Line || text.IsEmpty || (reader.Line == 1 && IsHeader(text)))
            {
                continue;
            }

            if (vectors is null)
            {
                vector = new float[Math.Max(numbers, 1)];
            }

            if (Parse(text, numbers, vector, out ReadOnlySpan<char> word) is { } fault)
            {
                faults.Add(reader.Line, fault);
                continue;
            }

            good++;
            vectors ??= new WordVectors(vector.Length);
            string name = word.ToString();
            if (!wanted(name))
            {
                unwanted++;
            }
            else if (!vectors.TryAdd(name, vector))
            {
                faults.Add(reader.Line, vectors.Contains(name) ? $"the word '{name}' was there before" : $"the vector of '{name}' is all zeros or too long to have a length");
            }
        }

        if (vectors is null || good < 2)
        {
            throw new DataException($"{path}: no two lines are word vectors; needed a word and its numbers on each line, with spaces between, as in GloVe's files{(faults.Message is null ? string.Empty : ".\n" + faults.Message)}");
        }

        if (faults.Message is { } message)
        {
            messages.WriteLine($"warning: {faults.Count:N0} line(s) of the word vectors are left out: {message}");
        }

        messages.WriteLine(
            $"word vectors: {path}, {vectors.Count:N0} of {vectors.Dimensions} numbers{(unwanted == 0 ? string.Empty : $"; {unwanted:N0} more are for what the model's tokenizer does not read as one word")}");
        return vectors;
    }

    /// <summary>What is wrong with a line, or null. The last fields are the numbers; a word with spaces in it, as some files have, is what is before them.</summary>
    private static string? Parse(ReadOnlySpan<char> text, int numbers, float[] vector, out ReadOnlySpan<char> word)
    {
        word = default;
        if (numbers < vector.Length)
        {
            return $"got {numbers} number(s); needed {vector.Length}, as on the lines before";
        }

        for (int i = vector.Length - 1; i >= 0; i--)
        {
            int space = text.LastIndexOf(' ');
            ReadOnlySpan<char> number = text[(space + 1)..];
            if (space < 0 || !float.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out vector[i]))
            {
                return $"'{number}' is not a number";
            }

            if (!float.IsFinite(vector[i]))
            {
                return $"'{number}' is not finite";
            }

            text = text[..space];
        }

        word = text;
        return word.IsEmpty ? "there is no word before the numbers" : null;
    }

    private static bool IsHeader(ReadOnlySpan<char> text)
    {
        int space = text.IndexOf(' ');
        return space > 0 && long.TryParse(text[..space], NumberStyles.None, CultureInfo.InvariantCulture, out _)
            && long.TryParse(text[(space + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out _);
    }
}
