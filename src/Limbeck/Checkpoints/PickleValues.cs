namespace Limbeck.Checkpoints;

/// <summary>A global that a pickle may name. There is no way to make one that does something else.</summary>
internal enum PickleCallable
{
    /// <summary><c>collections.OrderedDict</c>.</summary>
    OrderedDictionary,

    /// <summary><c>torch.Size</c>, a tuple.</summary>
    Size,

    /// <summary><c>torch._utils._rebuild_tensor</c> and <c>_rebuild_tensor_v2</c>.</summary>
    RebuildTensor,

    /// <summary><c>torch._utils._rebuild_parameter</c>.</summary>
    RebuildParameter,

    /// <summary><c>torch.FloatStorage</c> and its like; never called, only named in persistent ids.</summary>
    Storage,
}

/// <summary>An allowed global, and for a storage its element type.</summary>
internal sealed record PickleGlobal(string Name, PickleCallable Callable, TensorType Type = default);

/// <summary>A Python tuple.</summary>
internal sealed record PickleTuple(object?[] Items);

/// <summary>A Python dict, in insertion order; a key set twice keeps its place and takes the last value.</summary>
internal sealed class PickleDictionary
{
    /// <summary>Keys are strings or whole numbers.</summary>
    public OrderedDictionary<object, object?> Items { get; } = [];
}

/// <summary>A block of elements elsewhere in the file.</summary>
/// <param name="Key">Its name there.</param>
/// <param name="Type">Of each element.</param>
/// <param name="Count">Elements.</param>
/// <param name="First">Elements before it in the block of that name; not 0 for old files' views of storages.</param>
internal sealed record PickleStorage(string Key, TensorType Type, long Count, long First);

/// <summary>A view of a storage, checked to stay inside it.</summary>
/// <param name="Storage">Where the elements lie.</param>
/// <param name="Offset">Elements before the first, counted from the storage's.</param>
/// <param name="Shape">Dimensions.</param>
/// <param name="Strides">Elements from one index to the next, for each dimension.</param>
internal sealed record PickleTensor(PickleStorage Storage, long Offset, long[] Shape, long[] Strides)
{
    /// <summary>Whether the elements lie end to end, row-major.</summary>
    public bool IsContiguous
    {
        get
        {
            long expected = 1;
            for (int i = Shape.Length - 1; i >= 0; i--)
            {
                if (Shape[i] != 1 && Strides[i] != expected)
                {
                    return Shape.Contains(0);
                }
                expected *= Shape[i];
            }
            return true;
        }
    }
}
