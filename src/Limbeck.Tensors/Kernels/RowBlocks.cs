namespace Limbeck.Tensors.Kernels;

/// <summary>How kernels over matrices cut their work into tasks. Sizes depend on the matrix alone, so a result does not depend on the team.</summary>
internal static class RowBlocks
{
    /// <summary>Columns of a task that goes down a matrix: four cache lines.</summary>
    public const int Columns = 64;

    /// <summary>Rows that are summed in registers before they are added to a column's total: bounds the rounding errors of long columns.</summary>
    public const int Summed = 64;

    /// <summary>Rows of a task that goes along rows: about 8192 elements.</summary>
    /// <param name="columns">Elements of a row.</param>
    public static int Rows(int columns) => Math.Max(1, 8192 / Math.Max(1, columns));

    /// <summary>Number of blocks of <paramref name="size"/> that cover <paramref name="count"/>.</summary>
    public static int Blocks(int count, int size) => (int)(((long)count + size - 1) / size);
}
