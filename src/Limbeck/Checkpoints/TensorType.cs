namespace Limbeck.Checkpoints;

/// <summary>The element types of the safetensors format, in the order in which its reference library ranks them (a file's tensors are written from the last to the first).</summary>
/// <remarks>Limbeck computes in float32: <see cref="F16"/>, <see cref="BF16"/>, <see cref="F32"/> and <see cref="F64"/> can be read as numbers, the others only as bytes.</remarks>
public enum TensorType
{
    /// <summary>One byte, 0 or 1.</summary>
    Bool,

    /// <summary>4-bit float, two in a byte.</summary>
    F4,

    /// <summary>6-bit float, 2 bits of exponent.</summary>
    F6E2M3,

    /// <summary>6-bit float, 3 bits of exponent.</summary>
    F6E3M2,

    /// <summary>Unsigned, 8 bits.</summary>
    U8,

    /// <summary>Signed, 8 bits.</summary>
    I8,

    /// <summary>8-bit float, 5 bits of exponent.</summary>
    F8E5M2,

    /// <summary>8-bit float, 4 bits of exponent.</summary>
    F8E4M3,

    /// <summary>8-bit scale, exponent only.</summary>
    F8E8M0,

    /// <summary>8-bit float, 4 bits of exponent, no negative zero.</summary>
    F8E4M3FNUZ,

    /// <summary>8-bit float, 5 bits of exponent, no negative zero.</summary>
    F8E5M2FNUZ,

    /// <summary>Signed, 16 bits.</summary>
    I16,

    /// <summary>Unsigned, 16 bits.</summary>
    U16,

    /// <summary>IEEE half precision.</summary>
    F16,

    /// <summary>The upper half of a float32.</summary>
    BF16,

    /// <summary>Signed, 32 bits.</summary>
    I32,

    /// <summary>Unsigned, 32 bits.</summary>
    U32,

    /// <summary>IEEE single precision.</summary>
    F32,

    /// <summary>Two float32.</summary>
    C64,

    /// <summary>IEEE double precision.</summary>
    F64,

    /// <summary>Signed, 64 bits.</summary>
    I64,

    /// <summary>Unsigned, 64 bits.</summary>
    U64,
}
