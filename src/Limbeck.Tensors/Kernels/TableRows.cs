namespace Limbeck.Tensors.Kernels;

/// <summary>Which rows of a table have gradients, so that an update need not read what is known to be zero. The default stands for "all of them".</summary>
/// <param name="states">[rows]: <see cref="Untouched"/>, <see cref="Resting"/> or <see cref="Touched"/>.</param>
/// <param name="columns">Elements of a row.</param>
public readonly unsafe struct TableRows(byte* states, int columns)
{
    /// <summary>The row never had a gradient: its moments are zero, and only the weight decay changes it.</summary>
    public const byte Untouched = 0;

    /// <summary>The row had a gradient before and has none now.</summary>
    public const byte Resting = 1;

    /// <summary>The row has a gradient now.</summary>
    public const byte Touched = 2;

    /// <summary>[rows]; null for the default.</summary>
    public byte* States => states;

    /// <summary>Elements of a row.</summary>
    public int Columns => columns;
}
