using Limbeck.Inference;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;
using Limbeck.Training.Data.Augmentation;

namespace Limbeck.Training.Tests.Data.Augmentation;

public sealed class TinyBertAugmentationTests
{
    [Theory]
    [InlineData("film", true)]
    [InlineData("Film", true)]
    [InlineData("the", false)]
    [InlineData("The", false)]
    [InlineData("don", false)]
    [InlineData("yourselves", false)]
    [InlineData("x2", false)]
    [InlineData("'", false)]
    [InlineData("café", false)]
    [InlineData("", false)]
    public void Only_words_of_small_letters_that_are_no_stop_words_are_replaced(string word, bool expected) => Assert.Equal(expected, TinyBertAugmentation.IsReplaceable(word));

    [Theory]
    [InlineData("CoLA", 30)]
    [InlineData("MNLI", 10)]
    [InlineData("MRPC", 30)]
    [InlineData("SST-2", 20)]
    [InlineData("STS-B", 30)]
    [InlineData("QQP", 10)]
    [InlineData("QNLI", 20)]
    [InlineData("RTE", 30)]
    [InlineData("WNLI", 30)]
    [InlineData(null, 30)]
    public void The_number_of_draws_is_that_of_the_authors_table(string? task, int expected) => Assert.Equal(expected, AugmentationOptions.VariantsOf(task));

    [Fact]
    public void With_probability_0_nothing_is_new()
    {
        Assert.Empty(Variants(new() { Probability = 0 }, Sentence("Good film!", "good|film|!", "bad,food", "food", null)));
        Assert.Equal([("Good film!", null)], new TinyBertAugmentation(new() { Probability = 0 }).Rows(Sentence("Good film!", "good|film|!", "bad", "food", null), null, 0));
    }

    [Fact]
    public void With_probability_1_every_word_with_candidates_is_replaced_and_no_other() =>
        Assert.Equal(["bad , food"], Variants(new() { Probability = 1 }, Sentence("good, film", "good|,|film", "bad", null, "food")));

    [Fact]
    public void Equal_variants_count_once_and_there_are_at_most_as_many_as_draws()
    {
        AugmentedSentence sentence = Sentence("the good film", "the|good|film", null, "bad,poor,good", "food,story,film");
        for (int n = 1; n <= 40; n++)
        {
            IReadOnlyList<string> variants = Variants(new() { Variants = n }, sentence);
            Assert.InRange(variants.Count, 0, Math.Min(n, 8));
            Assert.Equal(variants.Count, variants.Distinct().Count());
            Assert.DoesNotContain("the good film", variants);
            Assert.All(variants, variant => Assert.Equal(3, variant.Split(' ').Length));
            Assert.All(variants, variant => Assert.StartsWith("the ", variant, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Words_are_replaced_as_often_as_the_probability_says_and_by_all_candidates_alike()
    {
        // 200,000 draws: five standard deviations are below 0.6 %.
        const int Draws = 200_000;
        SeededRandom random = new(5);
        AugmentedSentence sentence = Sentence("w", "w", "a,b,c,d");
        TinyBertAugmentation augmentation = new(new() { Variants = 1 });
        Dictionary<string, int> counts = [];
        for (int i = 0; i < Draws; i++)
        {
            string word = augmentation.Variants(sentence, random) is [string only] ? only : "w";
            counts[word] = counts.GetValueOrDefault(word) + 1;
        }

        Assert.Equal(0.6, counts["w"] / (double)Draws, 0.006);
        Assert.All(["a", "b", "c", "d"], (Action<string>)(word => Assert.Equal(0.1, counts[word] / (double)Draws, 0.006)));
    }

    [Fact]
    public void Draws_depend_on_seed_and_row_alone()
    {
        AugmentedSentence sentence = Sentence("good film", "good|film", "a,b,c,d,e", "f,g,h,i,j");
        string Rows(ulong seed, int row) => string.Join('|', new TinyBertAugmentation(new() { Seed = seed }).Rows(sentence, null, row));
        Assert.Equal(Rows(1, 3), Rows(1, 3));
        Assert.NotEqual(Rows(1, 3), Rows(1, 4));
        Assert.NotEqual(Rows(1, 3), Rows(2, 3));
    }

    [Fact]
    public void The_second_text_is_varied_beside_the_first_itself_and_the_row_comes_once()
    {
        AugmentedSentence a = Sentence("A one", "a|one", null, "two");
        AugmentedSentence b = Sentence("B big", "b|big", null, "small");
        Assert.Equal(
            [("A one", "B big"), ("a two", "B big"), ("A one", "b small")],
            new TinyBertAugmentation(new() { Probability = 1 }).Rows(a, b, 0));
    }

    [Fact]
    public void The_switch_gives_the_order_of_the_authors_code()
    {
        AugmentedSentence a = Sentence("A one", "a|one", null, "two");
        AugmentedSentence b = Sentence("B big", "b|big", null, "small");
        Assert.Equal(
            [("A one", "B big"), ("a two", "B big"), ("a two", "B big"), ("a two", "b small")],
            new TinyBertAugmentation(new() { Probability = 1, PairAfterLastVariant = true }).Rows(a, b, 0));
    }

    [Fact]
    public void A_word_of_one_piece_gets_the_best_whole_words_of_the_model_at_its_place()
    {
        using AugmentWorld world = new();
        AugmentationOptions options = new() { Candidates = 5 };
        AugmentedSentence sentence = Find(world, options, "The film was good .");
        int[] pieces = world.Tokenizer.Tokenize("the film was good .");
        int[] expected = [.. Scores(world, [world.Tokenizer.ClassId, pieces[0], world.Tokenizer.MaskId, .. pieces[2..], world.Tokenizer.SeparatorId], 0, 2).Where(id => WordCandidates.IsWord(world.Tokenizer, id)).Take(5)];
        Assert.Equal(expected.Select(world.Tokenizer.IdToToken), sentence.Candidates[1]!);
        Assert.Equal(["the", "film", "was", "good", "."], sentence.Words);
        Assert.Equal([false, true, false, true, false], sentence.Candidates.Select(candidates => candidates is not null));
    }

    [Fact]
    public void The_switch_shows_the_model_the_sentence_without_the_mask_as_second_segment()
    {
        using AugmentWorld world = new();
        AugmentationOptions options = new() { Candidates = 5, SeeOriginal = true };
        int[] pieces = world.Tokenizer.Tokenize("film was good");
        int[] ids = [world.Tokenizer.ClassId, world.Tokenizer.MaskId, .. pieces[1..], world.Tokenizer.SeparatorId, .. pieces, world.Tokenizer.SeparatorId];
        int[] expected = [.. Scores(world, ids, pieces.Length + 1, 1).Where(id => WordCandidates.IsWord(world.Tokenizer, id)).Take(5)];
        Assert.Equal(expected.Select(world.Tokenizer.IdToToken), Find(world, options, "film was good").Candidates[0]!);
    }

    [Fact]
    public void The_switch_drops_continuations_after_the_best_were_taken()
    {
        using AugmentWorld world = new();
        int[] pieces = world.Tokenizer.Tokenize("film was good");
        int[] best = [.. Scores(world, [world.Tokenizer.ClassId, world.Tokenizer.MaskId, .. pieces[1..], world.Tokenizer.SeparatorId], 0, 1).Take(20)];
        string[] expected = [.. best.Where(id => WordCandidates.IsWord(world.Tokenizer, id)).Select(world.Tokenizer.IdToToken)];
        Assert.NotEqual(20, expected.Length);
        Assert.Equal(expected, Find(world, new() { Candidates = 20, FilterAfterwards = true }, "film was good").Candidates[0]!);
    }

    [Fact]
    public void No_candidate_is_a_continuation_a_special_token_or_anything_that_does_not_read_back_as_itself()
    {
        using AugmentWorld world = new();
        string[] words = [.. Find(world, new() { Candidates = 1000 }, "good film").Candidates[0]!];
        Assert.DoesNotContain(words, word => word.StartsWith("##", StringComparison.Ordinal) || word.StartsWith('['));
        Assert.All(words, word => Assert.Equal([word], world.Tokenizer.Words(word)));
        Assert.Contains("table", words);
    }

    [Fact]
    public void Content_words_alone_leaves_out_stop_words_marks_and_the_word_itself()
    {
        using AugmentWorld world = new();
        int[] pieces = world.Tokenizer.Tokenize("film was good");
        int[] best = Scores(world, [world.Tokenizer.ClassId, world.Tokenizer.MaskId, .. pieces[1..], world.Tokenizer.SeparatorId], 0, 1);
        string[] expected = [.. best.Where(id => WordCandidates.IsWord(world.Tokenizer, id)).Select(world.Tokenizer.IdToToken).Where(TinyBertAugmentation.IsReplaceable).Where(word => word != "film").Take(8)];
        Assert.Equal(expected, Find(world, new() { Candidates = 8, ContentWords = true }, "film was good").Candidates[0]!);
        Assert.DoesNotContain("film", Find(world, new() { Candidates = 1000, ContentWords = true }, "film was good").Candidates[0]!);
        Assert.Contains("film", Find(world, new() { Candidates = 1000 }, "film was good").Candidates[0]!);
    }

    [Fact]
    public void A_word_that_nothing_is_like_stays()
    {
        using AugmentWorld world = new();
        AugmentedSentence sentence = Find(world, new(), "ungood films");
        Assert.Equal(["ungood"], sentence.Candidates[0]!);
        Assert.Equal(["films"], sentence.Candidates[1]!);
        Assert.Empty(Variants(new(), sentence));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Words_behind_the_longest_input_stay_and_those_before_it_do_not(bool seeOriginal)
    {
        using AugmentWorld world = new();
        string text = string.Join(' ', Enumerable.Repeat("film", 40));
        using MaskFiller filler = new(world.Model);
        WordCandidates candidates = new(filler, world.Tokenizer, new Dictionary<string, IReadOnlyList<string>>(), new() { SeeOriginal = seeOriginal }, 12);
        List<MaskedWord> work = [];
        AugmentedSentence sentence = candidates.Begin(text, work);
        Assert.All(work, word => Assert.True(word.Input.Ids.Length <= 12 && word.Input.Ids[word.Input.Position] == world.Tokenizer.MaskId));
        Assert.Equal(seeOriginal ? 11 : 10, work.Count);
        candidates.Complete(work);
        Assert.Equal(["film"], sentence.Candidates[^1]!);
        Assert.Equal(15, sentence.Candidates[0]!.Count);
    }

    [Fact]
    public void Each_place_of_a_sentence_goes_through_the_model_once_however_often_the_sentence_comes()
    {
        using AugmentWorld world = new();
        using MaskFiller filler = new(world.Model);
        WordCandidates candidates = new(filler, world.Tokenizer, new Dictionary<string, IReadOnlyList<string>>(), new(), 64);
        List<MaskedWord> work = [];
        AugmentedSentence first = candidates.Begin("the good film", work);
        Assert.Same(first, candidates.Begin("the good film", work));
        Assert.Equal(2, work.Count);
        candidates.Complete(work);
        Assert.Same(first, candidates.Begin("the good film", work));
        Assert.Empty(work);
        Assert.Equal(2, candidates.MaskedWords);
    }

    [Fact]
    public void A_cased_model_keeps_its_capitals()
    {
        using AugmentWorld world = new(cased: true);
        AugmentedSentence sentence = Find(world, new(), "Good film");
        Assert.Equal(["Good", "film"], sentence.Words);
        Assert.Contains(Find(world, new() { Candidates = 1000 }, "film").Candidates[0]!, word => word == "Table");
        using WordVectors vectors = new(2);
        Assert.True(vectors.TryAdd("heros", [1, 0]));
        Assert.True(vectors.TryAdd("hero", [1, 0.1f]));
        IReadOnlyDictionary<string, IReadOnlyList<string>> nearest = Neighbours.Of(["Heros", "heros"], vectors, world.Tokenizer, 3, WorkerTeam.Default, default);
        Assert.Equal(["Hero"], nearest["Heros"]);
        Assert.Equal(["hero"], nearest["heros"]);
    }

    private static IReadOnlyList<string> Variants(AugmentationOptions options, AugmentedSentence sentence) => new TinyBertAugmentation(options).Variants(sentence, new SeededRandom(3));

    private static AugmentedSentence Sentence(string text, string words, params string?[] candidates) => new(text, words.Split('|'), [.. candidates.Select(list => list?.Split(','))]);

    private static AugmentedSentence Find(AugmentWorld world, AugmentationOptions options, string text)
    {
        using MaskFiller filler = new(world.Model);
        WordCandidates candidates = new(filler, world.Tokenizer, new Dictionary<string, IReadOnlyList<string>>(), options, 64);
        List<MaskedWord> work = [];
        AugmentedSentence sentence = candidates.Begin(text, work);
        candidates.Complete(work);
        return sentence;
    }

    /// <summary>All wordpieces, best first, from a pass of the whole model over one input.</summary>
    private static int[] Scores(AugmentWorld world, int[] ids, int secondFrom, int position)
    {
        int[] types = [.. ids.Select((_, i) => secondFrom > 0 && i > secondFrom ? 1 : 0)];
        using Tape tape = new(recording: false);
        PackedBatch batch = PackedBatch.Pack([(ids, types)]);
        float[] scores = world.Model.LanguageModel!.Forward(tape, world.Model.Encoder.Forward(tape, batch).LastHidden, [position]).ToArray();
        return [.. Enumerable.Range(0, scores.Length).OrderByDescending(id => scores[id]).ThenBy(id => id)];
    }
}
