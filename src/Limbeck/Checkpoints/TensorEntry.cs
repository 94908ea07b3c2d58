namespace Limbeck.Checkpoints;

/// <summary>What a checkpoint says of one tensor, without its numbers.</summary>
/// <param name="Name">The name in the file, unchanged.</param>
/// <param name="Type">The element type in the file.</param>
/// <param name="Shape">Row-major dimensions; empty for a scalar, and any may be 0.</param>
/// <param name="File">The path of the file that holds it (a shard's, when there are several).</param>
public sealed record TensorEntry(string Name, TensorType Type, IReadOnlyList<long> Shape, string File)
{
    /// <summary>The number of elements.</summary>
    public long Count => Shape.Aggregate(1L, (product, dimension) => checked(product * dimension));
}
