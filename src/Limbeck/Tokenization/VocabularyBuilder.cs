namespace Limbeck.Tokenization;

/// <summary>Collects pieces and added tokens by id, gathers every fault, and makes a vocabulary without holes of them.</summary>
/// <param name="source">The file, for messages.</param>
internal sealed class VocabularyBuilder(string source)
{
    private readonly Dictionary<int, string> tokens = [];
    private readonly Dictionary<string, int> ids = new(StringComparer.Ordinal);
    private readonly HashSet<int> pieces = [];
    private readonly SortedDictionary<int, AddedToken> added = [];
    private readonly List<string> faults = [];

    /// <summary>The id of a token so far, or null.</summary>
    /// <param name="token">The token.</param>
    public int? IdOf(string token) => ids.TryGetValue(token, out int id) ? id : null;

    /// <summary>Notes something else that is wrong with the file.</summary>
    /// <param name="fault">What, as a clause.</param>
    public void Fault(string fault) => faults.Add(fault);

    /// <summary>Adds a token that words are spelled with.</summary>
    /// <param name="token">The token.</param>
    /// <param name="id">Its id.</param>
    public void AddPiece(string token, int id)
    {
        if (Place(token, id))
        {
            pieces.Add(id);
        }
    }

    /// <summary>Adds a token that is found in the text itself; it may be a piece as well, of the same id.</summary>
    /// <param name="token">The token.</param>
    public void AddToken(AddedToken token)
    {
        if (ids.TryGetValue(token.Content, out int id) && id == token.Id)
        {
            added.TryAdd(id, token);
        }
        else if (Place(token.Content, token.Id))
        {
            added.Add(token.Id, token);
        }
    }

    /// <summary>Makes a token special, if there is one of this name that is not yet an added token.</summary>
    /// <param name="token">The token.</param>
    public void AddSpecialIfKnown(string token)
    {
        if (ids.TryGetValue(token, out int id))
        {
            added.TryAdd(id, new AddedToken(id, token, true, false, false, false, false));
        }
    }

    /// <summary>Makes the vocabulary.</summary>
    /// <param name="options">How text is read.</param>
    /// <param name="modelMaxLength">The longest input, or null.</param>
    /// <exception cref="TokenizerException">There were faults; the message has them all.</exception>
    public TokenizerDefinition Build(BertTokenizerOptions options, int? modelMaxLength)
    {
        int[] missing = [.. Enumerable.Range(0, tokens.Count).Where(id => !tokens.ContainsKey(id)).Take(5)];
        if (missing.Length > 0 && faults.Count == 0)
        {
            faults.Add($"the ids reach {tokens.Keys.Max()} but there are only {tokens.Count} tokens: none has the id {string.Join(", ", missing)}{(missing.Length == 5 ? ", ..." : "")}");
        }

        if (faults.Count > 0)
        {
            throw new TokenizerException($"{source}: {string.Join("; ", faults)}. Only the WordPiece tokenizer of BERT can be read: use the files saved with such a model.");
        }

        string[] vocabulary = new string[tokens.Count];
        bool[] isPiece = new bool[tokens.Count];
        for (int id = 0; id < vocabulary.Length; id++)
        {
            vocabulary[id] = tokens[id];
            isPiece[id] = pieces.Contains(id);
        }

        return new TokenizerDefinition(source, vocabulary, isPiece, [.. added.Values], options, modelMaxLength);
    }

    private bool Place(string token, int id)
    {
        if (id < 0)
        {
            faults.Add($"the token '{token}' has the negative id {id}");
        }
        else if (token.Length == 0)
        {
            faults.Add($"the token of id {id} is empty");
        }
        else if (ids.TryGetValue(token, out int other))
        {
            faults.Add($"the token '{token}' is there twice, as id {other} and as id {id}");
        }
        else if (!tokens.TryAdd(id, token))
        {
            faults.Add($"the id {id} belongs to both '{tokens[id]}' and '{token}'");
        }
        else
        {
            ids.Add(token, id);
            return true;
        }

        return false;
    }
}
