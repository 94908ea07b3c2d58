namespace Limbeck.Tokenization;

public sealed partial class BertTokenizer
{
    /// <summary>A tokenizer of fewer tokens: those given and all special ones, in the same order, with new ids.</summary>
    /// <param name="keepIds">Ids to keep; special tokens need not be among them.</param>
    /// <param name="newToOld">[new V] for each new id the id it had, to pick rows of an embedding with.</param>
    /// <exception cref="ArgumentOutOfRangeException">The vocabulary has no such id.</exception>
    public BertTokenizer Trim(IReadOnlyCollection<int> keepIds, out int[] newToOld)
    {
        ArgumentNullException.ThrowIfNull(keepIds);
        bool[] keep = (bool[])isSpecial.Clone();
        foreach (int id in keepIds)
        {
            CheckId(id, nameof(keepIds));
            keep[id] = true;
        }

        foreach (int id in (int[])[UnknownId, ClassId, SeparatorId, PadId, MaskId])
        {
            if (id >= 0)
            {
                keep[id] = true;
            }
        }

        int[] kept = [.. Enumerable.Range(0, vocabulary.Length).Where(id => keep[id])];
        int[] newIds = new int[vocabulary.Length];
        for (int id = 0; id < kept.Length; id++)
        {
            newIds[kept[id]] = id;
        }

        newToOld = kept;
        return new BertTokenizer(definition with
        {
            Source = definition.Source + " (trimmed)",
            Vocabulary = [.. kept.Select(id => vocabulary[id])],
            IsPiece = [.. kept.Select(id => definition.IsPiece[id])],
            Added = [.. definition.Added.Where(t => keep[t.Id]).Select(t => t with { Id = newIds[t.Id] })],
        });
    }
}
