using Limbeck.Tensors;
using Limbeck.Training.Data.Corpus;

namespace Limbeck.Training.Pretraining;

/// <summary>Which part of a corpus is kept from training: whole documents, or single sentences where documents are few. A pure function of share and seed.</summary>
internal sealed class HeldOut
{
    // Fewer documents than this in the held-out part would be a poor sample.
    private const int LeastDocuments = 10;
    private const ulong SplitStream = 0x73706C6974;

    private readonly double share;
    private readonly ulong seed;

    /// <summary>Chooses a part.</summary>
    /// <param name="store">The corpus.</param>
    /// <param name="share">The share to keep, 0 to 1.</param>
    /// <param name="seed">Any number.</param>
    public HeldOut(TokenStore store, double share, ulong seed)
    {
        this.share = share;
        this.seed = seed ^ SplitStream;
        ByDocuments = store.DocumentCount * share >= LeastDocuments;
    }

    /// <summary>Whether whole documents are kept; else single sentences.</summary>
    public bool ByDocuments { get; }

    /// <summary>What decides the choice, for a run's fingerprint.</summary>
    public string Description => FormattableString.Invariant($"{share:R} {seed} {(ByDocuments ? "documents" : "sentences")}");

    /// <summary>Whether a sentence is kept from training.</summary>
    /// <param name="document">Its document.</param>
    /// <param name="sentence">Its number in the corpus.</param>
    public bool Contains(long document, long sentence) => share > 0 && new SeededRandom(seed, (ulong)(ByDocuments ? document : sentence)).NextDouble() < share;
}
