namespace Limbeck.Tensors.Kernels;

/// <summary>The operands of one tile of a matrix product. A caller that computes many tiles changes only what differs.</summary>
internal unsafe struct GemmTileCall
{
    /// <summary>Length of the sum, 0 or more.</summary>
    public nint K;

    /// <summary>Element (row i, step p) is A[i*ARow + p*AStep].</summary>
    public float* A;

    /// <summary>Distance of A's rows in floats.</summary>
    public nint ARow;

    /// <summary>Distance of A's steps along k in floats.</summary>
    public nint AStep;

    /// <summary>The panel: step p is the W vectors at B + p*BStep, all of which are read.</summary>
    public float* B;

    /// <summary>Distance of B's steps along k in floats; the panel's width where it is packed.</summary>
    public nint BStep;

    /// <summary>First element of the tile.</summary>
    public float* C;

    /// <summary>Distance of C's rows in floats.</summary>
    public nint Ldc;

    /// <summary>Where the tile will be brought to from C, transposed: its rows are fetched instead of C's, one for each column of the tile. Null: nowhere.</summary>
    public float* Target;

    /// <summary>Distance of the target's rows in floats.</summary>
    public nint TargetStep;

    /// <summary>Lanes that C has of the last vector, 1..lanes.</summary>
    public int Last;

    /// <summary>Whether C is added to; else C is only written.</summary>
    public bool Accumulate;

    /// <summary>Factor on the product.</summary>
    public float Scale;

    /// <summary>Where a tile that packs puts its copy.</summary>
    public float* Packed;

    /// <summary>What will be read later: in step p of the sum the cache line at Ahead + p*AheadStep is fetched into the second-level cache. Any address will do.</summary>
    public float* Ahead;

    /// <summary>Distance in floats; 0 when there is nothing to fetch.</summary>
    public nint AheadStep;
}
