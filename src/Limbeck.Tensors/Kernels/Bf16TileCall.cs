using System.Runtime.InteropServices;

namespace Limbeck.Tensors.Kernels;

/// <summary>The operands of one tile of a product in bfloat16. Generated code, which is 64-bit, reads the members at these offsets.</summary>
[StructLayout(LayoutKind.Explicit)]
internal unsafe struct Bf16TileCall
{
    /// <summary>Where <see cref="Pairs"/> lies.</summary>
    public const int PairsOffset = 0;

    /// <summary>Where <see cref="A"/> lies.</summary>
    public const int AOffset = 8;

    /// <summary>Where <see cref="B"/> lies.</summary>
    public const int BOffset = 16;

    /// <summary>Where <see cref="C"/> lies.</summary>
    public const int COffset = 24;

    /// <summary>Where <see cref="LdcBytes"/> lies.</summary>
    public const int LdcBytesOffset = 32;

    /// <summary>Where <see cref="LastMask"/> lies.</summary>
    public const int LastMaskOffset = 40;

    /// <summary>Where <see cref="Ahead"/> lies.</summary>
    public const int AheadOffset = 48;

    /// <summary>Where <see cref="AheadBytes"/> lies.</summary>
    public const int AheadBytesOffset = 56;

    /// <summary>Length of the sum in pairs, 0 or more.</summary>
    [FieldOffset(PairsOffset)]
    public nint Pairs;

    /// <summary>The strip: row i of pair p is A[p*Group + i]. See <see cref="Bf16Packing.Group"/>.</summary>
    [FieldOffset(AOffset)]
    public uint* A;

    /// <summary>The panel: pair p is the vectors at B + p*width.</summary>
    [FieldOffset(BOffset)]
    public uint* B;

    /// <summary>First element of the tile.</summary>
    [FieldOffset(COffset)]
    public float* C;

    /// <summary>Distance of C's rows in bytes.</summary>
    [FieldOffset(LdcBytesOffset)]
    public nint LdcBytes;

    /// <summary>Lanes that C has of the last vector, as a mask.</summary>
    [FieldOffset(LastMaskOffset)]
    public nint LastMask;

    /// <summary>What will be read later: with pair p the cache line at Ahead + p*AheadBytes is fetched into the second-level cache. Any address will do.</summary>
    [FieldOffset(AheadOffset)]
    public byte* Ahead;

    /// <summary>Distance in bytes; 0 when there is nothing to fetch.</summary>
    [FieldOffset(AheadBytesOffset)]
    public nint AheadBytes;

    /// <summary>The mask of a vector's first lanes.</summary>
    /// <param name="lanes">1 to <see cref="GemmTile.Lane"/>.</param>
    public static nint Mask(int lanes) => (1 << lanes) - 1;
}
