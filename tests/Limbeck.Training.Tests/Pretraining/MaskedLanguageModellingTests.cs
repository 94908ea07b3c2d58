using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using Limbeck.Tokenization;
using Limbeck.Training.Pretraining;

namespace Limbeck.Training.Tests.Pretraining;

public sealed class MaskedLanguageModellingTests
{
    private const int First = 5;
    private const int Words = 60;
    private const ulong Seed = 7;

    // Of a share estimated from some 100,000 draws; three standard deviations are 0.005.
    private const double ShareError = 0.007;

    // Words, then pieces that continue one.
    private static readonly BertTokenizer Tokenizer = BertTokenizer.FromVocabulary(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", .. Enumerable.Range(0, Words).Select(i => $"w{i}"), .. Enumerable.Range(0, 20).Select(i => $"##p{i}"), "##"]);

    [Theory]
    [InlineData(0.15)]
    [InlineData(0.4)]
    public void Tokens_are_chosen_and_replaced_in_berts_shares(double probability)
    {
        MaskedLanguageModelling masking = new(Tokenizer, probability, seed: Seed);
        int tokens = 0;
        int chosen = 0;
        int masked = 0;
        int kept = 0;
        int[] random = new int[Tokenizer.VocabularySize];
        for (int example = 0; example < 6000; example++)
        {
            int[] ids = Sequence(example);
            int[] before = [.. ids];
            int[] labels = new int[ids.Length];
            int count = masking.Mask(ids, 0, example, labels);
            Assert.Equal(count, labels.Count(label => label != Losses.IgnoredLabel));
            for (int t = 0; t < ids.Length; t++)
            {
                Assert.True(labels[t] == Losses.IgnoredLabel ? ids[t] == before[t] : labels[t] == before[t]);
                tokens += before[t] >= First ? 1 : 0;
                Assert.True(before[t] >= First || labels[t] == Losses.IgnoredLabel);
                if (labels[t] != Losses.IgnoredLabel)
                {
                    chosen++;
                    masked += ids[t] == Tokenizer.MaskId ? 1 : 0;
                    kept += ids[t] == before[t] ? 1 : 0;
                    random[ids[t]] += ids[t] == before[t] || ids[t] == Tokenizer.MaskId ? 0 : 1;
                }
            }
        }

        Assert.InRange((double)chosen / tokens, probability - ShareError, probability + ShareError);
        double other = 1.0 / Tokenizer.VocabularySize;
        Assert.InRange((double)masked / chosen, 0.8 + (0.1 * other) - ShareError, 0.8 + (0.1 * other) + ShareError);
        Assert.InRange((double)kept / chosen, 0.1 + (0.1 * other) - ShareError, 0.1 + (0.1 * other) + ShareError);
        double each = random.Sum() / (double)(random.Length - 1);
        Assert.All(Enumerable.Range(0, random.Length).Where(id => id != Tokenizer.MaskId), id => Assert.InRange(random[id], each - (5 * Math.Sqrt(each)), each + (5 * Math.Sqrt(each))));
    }

    [Fact]
    public void Masks_are_a_pure_function_of_seed_epoch_and_example()
    {
        MaskedLanguageModelling masking = new(Tokenizer, 0.3, seed: Seed);
        (int[] ids, int[] labels) = Masked(masking, 3, 17);
        (int[] sameIds, int[] sameLabels) = Masked(new MaskedLanguageModelling(Tokenizer, 0.3, seed: Seed), 3, 17);
        Assert.Equal(ids, sameIds);
        Assert.Equal(labels, sameLabels);
        Masked(masking, 0, 5);
        Assert.Equal(labels, Masked(masking, 3, 17).Labels);
        Assert.NotEqual(labels, Masked(masking, 4, 17).Labels);
        Assert.NotEqual(labels, Masked(masking, MaskedLanguageModelling.FixedEpoch, 17).Labels);
        Assert.NotEqual(Places(labels), Places(Masked(masking, 3, 18).Labels));
        Assert.NotEqual(labels, Masked(new MaskedLanguageModelling(Tokenizer, 0.3, seed: Seed + 1), 3, 17).Labels);
    }

    [Fact]
    public void The_pieces_of_a_word_are_chosen_together()
    {
        MaskedLanguageModelling masking = new(Tokenizer, 0.25, wholeWords: true, seed: Seed);
        int words = 0;
        int chosen = 0;
        int mixed = 0;
        for (int example = 0; example < 4000; example++)
        {
            int[] ids = Sequence(example);
            int[] before = [.. ids];
            int[] labels = new int[ids.Length];
            masking.Mask(ids, 0, example, labels);
            for (int t = 0; t < ids.Length; t++)
            {
                bool continues = before[t] >= First + Words && Tokenizer.Vocabulary[before[t]] != "##";
                bool follows = t > 0 && before[t - 1] >= First;
                if (continues && follows)
                {
                    Assert.Equal(labels[t - 1] == Losses.IgnoredLabel, labels[t] == Losses.IgnoredLabel);
                    mixed += labels[t] != Losses.IgnoredLabel && ids[t] == Tokenizer.MaskId != (ids[t - 1] == Tokenizer.MaskId) ? 1 : 0;
                }
                else if (before[t] >= First)
                {
                    words++;
                    chosen += labels[t] == Losses.IgnoredLabel ? 0 : 1;
                }
            }
        }

        Assert.InRange((double)chosen / words, 0.25 - ShareError, 0.25 + ShareError);

        // Each piece is replaced by itself, as in transformers.
        Assert.NotEqual(0, mixed);
    }

    [Fact]
    public void A_vocabulary_without_a_masking_token_is_refused()
    {
        BertTokenizer none = BertTokenizer.FromVocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"]);
        Assert.Contains("[MASK]", Assert.Throws<ArgumentException>(() => new MaskedLanguageModelling(none)).Message, StringComparison.Ordinal);
    }

    private static (int[] Ids, int[] Labels) Masked(MaskedLanguageModelling masking, int epoch, long example)
    {
        int[] ids = Sequence(1);
        int[] labels = new int[ids.Length];
        masking.Mask(ids, epoch, example, labels);
        return (ids, labels);
    }

    private static bool[] Places(int[] labels) => [.. labels.Select(label => label != Losses.IgnoredLabel)];

    /// <summary>[CLS], 60 tokens among them an unknown one, [SEP].</summary>
    private static int[] Sequence(int example)
    {
        SeededRandom random = new(Seed, (ulong)example);
        int[] ids = [Tokenizer.ClassId, .. Enumerable.Range(0, 60).Select(_ => First + random.NextInt(Tokenizer.VocabularySize - First)), Tokenizer.SeparatorId];
        ids[20] = Tokenizer.UnknownId;
        return ids;
    }
}
