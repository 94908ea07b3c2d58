namespace Limbeck.Checkpoints;

/// <summary>What a sentence-transformers directory says of how its encoder is used.</summary>
/// <param name="Pooling">How token states become one vector.</param>
/// <param name="Normalize">Whether that vector is scaled to length 1.</param>
/// <param name="MaxSequenceLength">The most tokens of a text, [CLS] and [SEP] included; null leaves it to the encoder's positions.</param>
/// <param name="WeightsDirectory">Where the encoder's files lie, relative to the directory; empty for the directory itself.</param>
/// <param name="LowerCase">Whether texts are put in lower case before they are tokenized, whatever the tokenizer does.</param>
public sealed record SentenceTransformerConfig(PoolingMode Pooling, bool Normalize, int? MaxSequenceLength, string WeightsDirectory = "", bool LowerCase = false);
