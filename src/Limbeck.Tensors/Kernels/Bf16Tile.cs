using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Limbeck.Tensors.Kernels;

/// <summary>The single-threaded piece of the product in bfloat16: one tile, by the generated code where there is some, else by the portable one. <see cref="Bf16Gemm"/> is built of it.</summary>
internal static unsafe class Bf16Tile
{
    // By Bf16TileCode.Number; null where the portable code runs.
    private static readonly delegate* unmanaged<void*, void>[]? Generated = Bf16.Code?.Functions(0, Bf16TileCode.Kinds);

    /// <summary>One tile: C = A * panel (+ C when accumulating).</summary>
    /// <param name="rows">1..<see cref="GemmTile.Rows"/>.</param>
    /// <param name="vectors">Vectors of the panel, 1..3.</param>
    /// <param name="accumulate">Whether C is added to; else C is only written.</param>
    /// <param name="call">Operands.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Run(int rows, int vectors, bool accumulate, Bf16TileCall* call)
    {
        Debug.Assert(rows >= 1 && rows <= GemmTile.Rows && vectors is >= 1 and <= 3);
        if (Generated is null)
        {
            Bf16TileKernel.Run(rows, vectors, accumulate, call);
        }
        else
        {
            Generated[Bf16TileCode.Number(rows, vectors, accumulate)](call);
        }
    }
}
