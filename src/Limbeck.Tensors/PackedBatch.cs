namespace Limbeck.Tensors;

/// <summary>Sequences of token ids that lie end to end, without padding.</summary>
public sealed class PackedBatch
{
    /// <summary>Packs arrays that are already laid out.</summary>
    /// <param name="ids">[T] token ids.</param>
    /// <param name="typeIds">[T] segment ids.</param>
    /// <param name="offsets">[S+1]: where each sequence begins, and at last T. No sequence is empty.</param>
    /// <exception cref="ArgumentException">The sizes do not agree.</exception>
    public PackedBatch(int[] ids, int[] typeIds, int[] offsets)
    {
        if (offsets.Length < 1 || offsets[0] != 0 || offsets[^1] != ids.Length || typeIds.Length != ids.Length)
        {
            throw new ArgumentException(
                $"a packed batch of {ids.Length} ids needs as many type ids (got {typeIds.Length}) and offsets from 0 to {ids.Length} (got {(offsets.Length == 0 ? "none" : $"{offsets[0]} to {offsets[^1]}")})");
        }

        Ids = ids;
        TypeIds = typeIds;
        Offsets = offsets;
        Positions = new int[ids.Length];
        for (int s = 0; s + 1 < offsets.Length; s++)
        {
            if (offsets[s + 1] <= offsets[s])
            {
                throw new ArgumentException($"sequence {s} of a packed batch has {offsets[s + 1] - offsets[s]} tokens; it needs at least one");
            }

            for (int t = offsets[s]; t < offsets[s + 1]; t++)
            {
                Positions[t] = t - offsets[s];
            }
        }
    }

    /// <summary>[T] token ids.</summary>
    public int[] Ids { get; }

    /// <summary>[T] segment ids.</summary>
    public int[] TypeIds { get; }

    /// <summary>[S+1] cumulative lengths.</summary>
    public int[] Offsets { get; }

    /// <summary>[T] position of each token in its own sequence.</summary>
    public int[] Positions { get; }

    /// <summary>T.</summary>
    public int Tokens => Ids.Length;

    /// <summary>S.</summary>
    public int Sequences => Offsets.Length - 1;

    /// <summary>Number of tokens of one sequence.</summary>
    /// <param name="sequence">0 .. S-1.</param>
    public int LengthOf(int sequence) => Offsets[sequence + 1] - Offsets[sequence];

    /// <summary>Lays sequences end to end.</summary>
    /// <param name="sequences">Ids and segment ids of each.</param>
    public static PackedBatch Pack(IReadOnlyList<(int[] Ids, int[] TypeIds)> sequences)
    {
        int tokens = 0;
        foreach ((int[] ids, _) in sequences)
        {
            tokens += ids.Length;
        }

        int[] allIds = new int[tokens];
        int[] allTypes = new int[tokens];
        int[] offsets = new int[sequences.Count + 1];
        int at = 0;
        for (int s = 0; s < sequences.Count; s++)
        {
            (int[] ids, int[] typeIds) = sequences[s];
            ids.CopyTo(allIds, at);
            typeIds.CopyTo(allTypes, at);
            at += ids.Length;
            offsets[s + 1] = at;
        }

        return new PackedBatch(allIds, allTypes, offsets);
    }

    /// <summary>Checks that every look-up stays inside its table.</summary>
    /// <param name="vocabulary">Rows of the word table.</param>
    /// <param name="positions">Rows of the position table.</param>
    /// <param name="types">Rows of the token-type table.</param>
    /// <exception cref="ArgumentException">One does not; the message says which, and what to do.</exception>
    public void Check(int vocabulary, int positions, int types)
    {
        for (int t = 0; t < Ids.Length; t++)
        {
            if ((uint)Ids[t] >= (uint)vocabulary)
            {
                throw new ArgumentException($"token {t} has id {Ids[t]}, but the model knows ids 0 to {vocabulary - 1}: the tokenizer belongs to another model");
            }

            if ((uint)TypeIds[t] >= (uint)types)
            {
                throw new ArgumentException($"token {t} has segment id {TypeIds[t]}, but the model has {types} segment(s): text pairs need a model with two");
            }

            if (Positions[t] >= positions)
            {
                throw new ArgumentException($"a sequence has more than {positions} tokens, the most this model can read: lower the maximum sequence length");
            }
        }
    }
}
