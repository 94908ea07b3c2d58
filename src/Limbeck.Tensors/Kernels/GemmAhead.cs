namespace Limbeck.Tensors.Kernels;

/// <summary>Rows of memory that will be read later. Tiles fetch them into the second-level cache, a few rows in each part of their sum.</summary>
/// <remarks>
/// The processor's own prefetching follows long straight lines; a block of a matrix is many short ones. Fetched all at once they would
/// stall the tile, so <see cref="Spread"/> divides them among all the tiles that come before.
/// </remarks>
internal unsafe struct GemmAhead
{
    /// <summary>Floats in a cache line.</summary>
    public const int LineFloats = 16;

    /// <summary>The next row to fetch.</summary>
    public float* Next;

    /// <summary>Distance of the rows in floats.</summary>
    public nint Stride;

    /// <summary>Rows not fetched yet; none when 0 or less.</summary>
    public nint Left;

    /// <summary>Rows to fetch in each part of a tile.</summary>
    public int Rows;

    /// <summary>Cache lines of each row to fetch.</summary>
    public int Lines;

    /// <summary>Rows spread over tiles.</summary>
    /// <param name="start">First row; any address will do, fetching cannot fail.</param>
    /// <param name="rows">Number of rows; 0 or less for nothing.</param>
    /// <param name="length">Floats of a row.</param>
    /// <param name="stride">Distance of the rows in floats.</param>
    /// <param name="tiles">Tiles that will share the work, at least 1.</param>
    /// <returns>The division.</returns>
    public static GemmAhead Spread(float* start, nint rows, nint length, nint stride, nint tiles)
    {
        nint parts = tiles * GemmTileKernel.Parts;
        return new GemmAhead
        {
            Next = start, Stride = stride, Left = rows, Rows = (int)((rows + parts - 1) / parts), Lines = (int)((length - 1) / LineFloats) + 1,
        };
    }
}
