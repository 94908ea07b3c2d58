using Limbeck.Tensors;

namespace Limbeck.Cli.Quickstart;

/// <summary>
/// Made-up reviews with their verdict, by rules: negation ("was hardly dull"), contrast (what follows "but" counts, what follows "although" does not),
/// hearsay that does not count, hearsay that is confirmed or denied, intensifiers, and clauses that say nothing. Counting good and bad words is not enough.
/// </summary>
/// <param name="random">Source of the choices; the reviews are a pure function of its state.</param>
internal sealed class ReviewGenerator(SeededRandom random)
{
    private const string Letters = "abcdefghijklmnopqrstuvwxyz0123456789'!?";

    private static readonly string[] Nouns =
    [
        "film", "food", "room", "service", "music", "staff", "story", "coffee", "garden", "soup", "bread", "view", "cast", "ending", "plot", "menu",
        "wine", "bed", "pool", "breakfast", "actor", "script", "camera", "price", "place", "concert", "tour", "guide", "boat", "hotel",
    ];

    private static readonly string[] Good =
    [
        "good", "great", "fine", "lovely", "superb", "charming", "delightful", "excellent", "brilliant", "pleasant", "splendid", "wonderful", "fresh",
        "friendly", "clever", "gripping", "moving", "perfect", "elegant", "generous", "warm", "bright", "smooth", "tasty", "witty", "graceful",
    ];

    private static readonly string[] Bad =
    [
        "bad", "poor", "awful", "dull", "terrible", "boring", "dreadful", "horrible", "clumsy", "stale", "rude", "weak", "silly", "tedious", "ugly",
        "cold", "dirty", "noisy", "bland", "sloppy", "tired", "shabby", "harsh", "lifeless", "bitter", "messy",
    ];

    private static readonly string[] Liked = ["loved", "liked", "enjoyed", "admired", "adored", "praised"];
    private static readonly string[] Disliked = ["hated", "disliked", "regretted", "despised", "cursed", "resented"];
    private static readonly string[] Very = ["very", "really", "quite", "truly", "rather", "utterly", "so", "remarkably"];
    private static readonly string[] Not = ["not", "never", "hardly", "anything but", "far from", "by no means"];
    private static readonly string[] People = ["sister", "brother", "boss", "cousin", "neighbour", "uncle", "friend", "teacher"];
    private static readonly string[] Days = ["monday", "tuesday", "friday", "sunday", "holiday", "rainy day", "winter evening"];

    /// <summary>Every word that a review may hold.</summary>
    public static IReadOnlyList<string> Words { get; } =
    [
        .. Nouns.Concat(Good).Concat(Bad).Concat(Liked).Concat(Disliked).Concat(Very).Concat(People)
            .Concat(Not.Concat(Days).SelectMany(words => words.Split(' ')))
            .Concat("the was i did we went there on a it my first visit and all critics say said that found but yet still although even though while everyone they were right wrong expected to be , . ; in town near station with next again told us heard claim".Split(' '))
            .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal),
    ];

    /// <summary>A wordpiece vocabulary of those words; all other words are spelled letter by letter.</summary>
    public static IReadOnlyList<string> Vocabulary { get; } =
    [
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", .. Letters.Select(letter => $"{letter}"), .. Letters.Select(letter => $"##{letter}"), .. Words.Where(word => word.Length > 1 || !Letters.Contains(word[0])),
    ];

    /// <summary>One review.</summary>
    /// <returns>The text, and whether its writer was pleased.</returns>
    public (string Text, bool Positive) Next()
    {
        bool positive = random.NextInt(2) == 1;
        string text = Verdict(positive);
        if (Chance(30))
        {
            text = $"{Nothing()} {Pick("and", "; ", ".")} {text}";
        }

        if (Chance(25))
        {
            text = $"{text} {Pick(",", ";", ".")} {(Chance(50) ? Nothing() : Hearsay())}";
        }

        return (string.Join(' ', text.Split(' ', StringSplitOptions.RemoveEmptyEntries)) + " .", positive);
    }

    private string Verdict(bool positive) => random.NextInt(10) switch
    {
        0 or 1 or 2 or 3 => Opinion(positive),
        4 => $"{Opinion(!positive)} {Pick("but", ", yet", ", but still")} {Opinion(positive)}",
        5 => $"{Pick("although", "even though", "while")} {Opinion(!positive)} , {Opinion(positive)}",
        6 => $"{Opinion(positive)} {Pick("although", ", even though")} {Opinion(!positive)}",
        7 => $"{Hearsay()} {Pick("but", ", yet")} {Opinion(positive)}",
        8 => $"{Pick("everyone said", "the critics claim", "they told us")} that {(Chance(50) ? $"{Opinion(!positive)} , and they were wrong" : $"{Opinion(positive)} , and they were right")}",
        _ => $"i expected the {Pick(Nouns)} to be {Pick(positive ? Bad : Good)} {Pick("but", ", yet")} {Opinion(positive)}",
    };

    private string Opinion(bool positive) => random.NextInt(10) switch
    {
        0 or 1 or 2 or 3 => $"the {Pick(Nouns)} was {Pick(positive ? Good : Bad)}",
        4 or 5 => $"the {Pick(Nouns)} was {Pick(Very)} {Pick(positive ? Good : Bad)}",
        6 or 7 => $"the {Pick(Nouns)} was {Pick(Not)} {Pick(positive ? Bad : Good)}",
        8 => $"i {Pick(positive ? Liked : Disliked)} the {Pick(Nouns)}",
        _ => $"i {Pick("never", "hardly", "by no means")} {Pick(positive ? Disliked : Liked)} the {Pick(Nouns)}",
    };

    /// <summary>Someone else's opinion, which does not count.</summary>
    private string Hearsay() => $"my {Pick(People)} {Pick("found", "said that")} the {Pick(Nouns)} was {(Chance(25) ? Pick(Not) + " " : string.Empty)}{Pick(Chance(50) ? Good : Bad)}";

    private string Nothing() => random.NextInt(3) switch
    {
        0 => $"we went there on a {Pick(Days)}",
        1 => "it was my first visit",
        _ => $"the {Pick(Nouns)} was near the station",
    };

    private bool Chance(int percent) => random.NextInt(100) < percent;

    private string Pick(params string[] words) => words[random.NextInt(words.Length)];
}
