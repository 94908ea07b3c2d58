using Limbeck.Tensors;
using Limbeck.Training.Data.Corpus;
using Limbeck.Training.Loop;
using Limbeck.Training.Pretraining;

namespace Limbeck.Training.Tests.Pretraining;

public sealed class CorpusSequencesTests : IDisposable
{
    private readonly string folder = TinyWorld.NewDirectory();

    [Fact]
    public void Sentences_are_packed_within_their_document_and_long_ones_are_cut()
    {
        using TokenStore store = Store("the film was good\nnot bad\nvery fine\n\nfood\n\nthe the the the the the the the the the was\nis\n");
        CorpusSequences packed = CorpusSequences.Cut(store, 8, false, (_, _) => true, "all");
        Assert.Equal(["the film was good not bad", "very fine", "food", "the the the the the the", "the the the the was is"], Texts(packed));
        Assert.Equal([8, 4, 3, 8, 8], packed.Lengths);
        Assert.Equal(31, packed.Tokens);
        long[] counts = packed.CountTokens(TinyWorld.Tokenizer.VocabularySize);
        Assert.Equal((11L, 1L, 21L), (counts[TinyWorld.Tokenizer.TokenToId("the")!.Value], counts[TinyWorld.Tokenizer.TokenToId("food")!.Value], counts.Sum()));
        Assert.Equal(["the film was good", "not bad", "very fine", "food", "the the the the the the", "the the the the was", "is"], Texts(CorpusSequences.Cut(store, 8, true, (_, _) => true, "all")));
        Assert.Equal(["the film was good", "very fine", "food", "the the the the the the", "the the the the was is"], Texts(CorpusSequences.Cut(store, 8, false, (_, sentence) => sentence != 1, "but one")));
        Assert.Equal(["the film was good not bad", "food"], Texts(packed.Sample(2)));
    }

    [Theory]
    [InlineData(400, true)]
    [InlineData(3, false)]
    public void Held_out_and_training_text_have_nothing_in_common_and_leave_nothing_out(int documents, bool byDocuments)
    {
        string text = string.Join("\n\n", Enumerable.Range(0, documents).Select(d => string.Join('\n', TinyWorld.Data(1200 / documents, (ulong)d).Examples.Select(example => example.Text))));
        using TokenStore store = Store(text);
        HeldOut held = new(store, 0.1, 42);
        Assert.Equal(byDocuments, held.ByDocuments);
        int kept = 0;
        for (long document = 0; document < store.DocumentCount; document++)
        {
            for (long sentence = store.DocumentStart(document); sentence < store.DocumentStart(document + 1); sentence++)
            {
                bool mine = held.Contains(document, sentence);
                Assert.Equal(mine, new HeldOut(store, 0.1, 42).Contains(document, sentence));
                Assert.True(!byDocuments || mine == held.Contains(document, store.DocumentStart(document)));
                kept += mine ? 1 : 0;
            }
        }

        Assert.InRange(kept, 0.05 * store.SentenceCount, 0.16 * store.SentenceCount);
        CorpusSequences train = CorpusSequences.Cut(store, 32, false, (d, s) => !held.Contains(d, s), "train");
        CorpusSequences validation = CorpusSequences.Cut(store, 32, false, held.Contains, "validation");
        long tokens = train.Tokens + validation.Tokens - (2 * (train.Count + validation.Count));
        Assert.Equal(store.TokenCount, tokens);
        Assert.False(new HeldOut(store, 0, 42).Contains(0, 0));
    }

    [Fact]
    public void A_batch_knows_its_masked_places_and_epochs_differ()
    {
        using TokenStore store = Store(string.Join('\n', TinyWorld.Data(200, 4).Examples.Select(example => example.Text)));
        CorpusSequences sequences = CorpusSequences.Cut(store, 32, false, (_, _) => true, "all");
        MaskedLanguageModelling masking = new(TinyWorld.Tokenizer);
        MaskedBatches batches = new(sequences, masking, TinyWorld.Tokenizer, 8, 42);
        HashSet<int> seen = [];
        for (int i = 0; i < batches.BatchCount(1); i++)
        {
            TrainingBatch batch = batches.Batch(1, i);
            PackedBatch plain = sequences.Pack(batch.Rows, TinyWorld.Tokenizer.ClassId, TinyWorld.Tokenizer.SeparatorId);
            Assert.Equal(plain.Offsets, batch.Packed.Offsets);
            Assert.Equal(batch.MaskedIds, batch.MaskedRows.Select(row => plain.Ids[row]));
            Assert.Equal(plain.Ids.Where((_, t) => !batch.MaskedRows.Contains(t)), batch.Packed.Ids.Where((_, t) => !batch.MaskedRows.Contains(t)));
            seen.UnionWith(batch.Rows);
        }

        Assert.Equal(sequences.Count, seen.Count);
        TrainingBatch again = new MaskedBatches(sequences, masking, TinyWorld.Tokenizer, 8, 42).Batch(1, 2);
        Assert.Equal(batches.Batch(1, 2).Packed.Ids, again.Packed.Ids);
        Assert.NotEqual(batches.Batch(0, 2).Packed.Ids, again.Packed.Ids);
        Assert.NotEqual(batches.Fingerprint, new MaskedBatches(sequences, new MaskedLanguageModelling(TinyWorld.Tokenizer, wholeWords: true), TinyWorld.Tokenizer, 8, 42).Fingerprint);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static List<string> Texts(CorpusSequences sequences) => Pick(sequences, [.. Enumerable.Range(0, sequences.Count)]);

    private static List<string> Pick(CorpusSequences sequences, params int[] rows)
    {
        PackedBatch batch = sequences.Pack(rows, TinyWorld.Tokenizer.ClassId, TinyWorld.Tokenizer.SeparatorId);
        return [.. rows.Select((_, i) => string.Join(' ', batch.Ids[(batch.Offsets[i] + 1)..(batch.Offsets[i + 1] - 1)].Select(TinyWorld.Tokenizer.IdToToken)))];
    }

    private TokenStore Store(string text)
    {
        string file = Path.Combine(folder, $"{Guid.NewGuid():N}.txt");
        File.WriteAllText(file, text + "\n");
        return TokenStore.OpenOrBuild([file], TinyWorld.Tokenizer, Path.Combine(folder, "cache"), new ProgressDisplay(TextWriter.Null, terminal: false));
    }
}
