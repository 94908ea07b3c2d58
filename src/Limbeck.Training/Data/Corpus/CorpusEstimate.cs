using Limbeck.Tokenization;

namespace Limbeck.Training.Data.Corpus;

/// <summary>About how much a corpus is, from its beginning: for a plan made before it is tokenized.</summary>
/// <param name="Tokens">Tokens of the text.</param>
/// <param name="MeanDocument">Tokens of a document.</param>
/// <param name="MeanLine">Tokens of a line.</param>
internal readonly record struct CorpusEstimate(double Tokens, double MeanDocument, double MeanLine)
{
    private const long SampledBytes = 2 << 20;

    // A random second segment lets the sentences behind the first one be used again, half of the time: of two sequences the corpus gives one and a half.
    private const double UsedUpByPairs = 0.75;

    /// <summary>Tokenizes the first megabytes.</summary>
    /// <param name="files">The corpus's files.</param>
    /// <param name="tokenizer">Whose tokens.</param>
    /// <exception cref="DataException">A file cannot be used.</exception>
    public static CorpusEstimate Of(IReadOnlyList<string> files, BertTokenizer tokenizer)
    {
        TextCorpus corpus = new(files);
        double tokens = 0;
        long lines = 0;
        long documents = 0;
        long bytes = 0;
        foreach (CorpusLine line in corpus.Lines())
        {
            tokens += tokenizer.Tokenize(line.Text).Length;
            lines++;
            documents += line.StartsDocument ? 1 : 0;
            bytes = line.Position;
            if (bytes > SampledBytes)
            {
                // What stands in the reader's buffer has been read too, but not given yet: a small part of the sample.
                return new CorpusEstimate(tokens * corpus.FileBytes / bytes, tokens / documents, tokens / lines);
            }
        }

        return new CorpusEstimate(tokens, tokens / Math.Max(1, documents), tokens / Math.Max(1, lines));
    }

    /// <summary>Sequences and tokens of an epoch.</summary>
    /// <param name="options">How the corpus is cut.</param>
    public (long Sequences, long Tokens) Epoch(SegmentOptions options)
    {
        // A document's last sequence is half full, on average.
        double target = options.Capacity * (1 - (options.ShortSequenceProbability / 2));
        double perDocument = Math.Max(1, (MeanDocument / target) + 0.5);
        double fill = options.Kind == SegmentKind.Lines ? Math.Min(options.Capacity, MeanLine) : Math.Min(options.Capacity, MeanDocument / perDocument);
        double sequences = Math.Ceiling(Tokens / Math.Max(1, options.Kind == SegmentKind.Pairs ? UsedUpByPairs * fill : fill));
        int special = options.MaxSequenceLength - options.Capacity;
        return ((long)sequences, (long)(sequences * (fill + special)));
    }
}
