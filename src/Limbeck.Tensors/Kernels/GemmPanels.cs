namespace Limbeck.Tensors.Kernels;

/// <summary>How the n columns of a packed matrix are cut into panels of at most 3 vectors.</summary>
/// <remarks>
/// All panels are 3 vectors wide but the last. A last one of a single vector would leave the multipliers idle (too few independent
/// sums), so 4 remaining vectors become 2 + 2: heads of 64 columns are cut this way with 16 lanes.
/// </remarks>
internal readonly struct GemmPanels
{
    private readonly int vectors;

    /// <summary>Cuts.</summary>
    /// <param name="n">Columns, 0 or more.</param>
    public GemmPanels(int n)
    {
        vectors = (int)(((long)n + GemmTile.Lane - 1) / GemmTile.Lane);
        Count = (int)(((long)vectors + 2) / 3);
    }

    /// <summary>Number of panels.</summary>
    public int Count { get; }

    /// <summary>Columns with those that pad the last vector.</summary>
    public long PaddedColumns => (long)vectors * GemmTile.Lane;

    /// <summary>First column of a panel; for <see cref="Count"/>, the padded end.</summary>
    /// <param name="panel">0..Count.</param>
    public int Start(int panel)
    {
        int vector = panel * 3;
        if (panel >= Count)
        {
            vector = vectors;
        }
        else if (panel == Count - 1 && vectors == vector + 1 && panel > 0)
        {
            vector--;
        }

        return vector * GemmTile.Lane;
    }

    /// <summary>Columns of a panel, a whole number of vectors.</summary>
    /// <param name="panel">0..Count-1.</param>
    public int Width(int panel) => Start(panel + 1) - Start(panel);
}
