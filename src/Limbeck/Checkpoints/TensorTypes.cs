namespace Limbeck.Checkpoints;

/// <summary>What the format says of each element type: its name and its width.</summary>
internal static class TensorTypes
{
    private static readonly (TensorType Type, string Name, int Bits)[] Table =
    [
        (TensorType.Bool, "BOOL", 8), (TensorType.F4, "F4", 4), (TensorType.F6E2M3, "F6_E2M3", 6), (TensorType.F6E3M2, "F6_E3M2", 6),
        (TensorType.U8, "U8", 8), (TensorType.I8, "I8", 8), (TensorType.F8E5M2, "F8_E5M2", 8), (TensorType.F8E4M3, "F8_E4M3", 8),
        (TensorType.F8E8M0, "F8_E8M0", 8), (TensorType.F8E4M3FNUZ, "F8_E4M3FNUZ", 8), (TensorType.F8E5M2FNUZ, "F8_E5M2FNUZ", 8),
        (TensorType.I16, "I16", 16), (TensorType.U16, "U16", 16), (TensorType.F16, "F16", 16), (TensorType.BF16, "BF16", 16),
        (TensorType.I32, "I32", 32), (TensorType.U32, "U32", 32), (TensorType.F32, "F32", 32), (TensorType.C64, "C64", 64),
        (TensorType.F64, "F64", 64), (TensorType.I64, "I64", 64), (TensorType.U64, "U64", 64),
    ];

    /// <summary>All names, for a message.</summary>
    public static string AllNames { get; } = string.Join(", ", Table.Select(row => row.Name));

    /// <summary>The name in a safetensors header.</summary>
    public static string Name(TensorType type) => Table[(int)type].Name;

    /// <summary>The width of one element, bits.</summary>
    public static int Bits(TensorType type) => Table[(int)type].Bits;

    /// <summary>Whether elements are numbers that widen to float32.</summary>
    public static bool IsFloat(TensorType type) => type is TensorType.F16 or TensorType.BF16 or TensorType.F32 or TensorType.F64;

    /// <summary>The type of a header's name; false when the format has no such name.</summary>
    public static bool TryParse(string name, out TensorType type)
    {
        foreach (var row in Table)
        {
            if (row.Name == name)
            {
                type = row.Type;
                return true;
            }
        }
        type = default;
        return false;
    }

    /// <summary>The number of elements of a shape, each dimension at least 0; false when it leaves 63 bits.</summary>
    public static bool TryCount(IReadOnlyList<long> shape, out long count)
    {
        count = 1;
        foreach (long dimension in shape)
        {
            if (dimension < 0 || (dimension != 0 && count > long.MaxValue / dimension))
            {
                return false;
            }
            count *= dimension;
        }
        return true;
    }

    /// <summary>The bytes that a shape takes; false when it leaves 63 bits or ends inside a byte.</summary>
    public static bool TryByteCount(IReadOnlyList<long> shape, TensorType type, out long bytes)
    {
        int bits = Bits(type);
        bytes = 0;
        if (!TryCount(shape, out long count) || count > long.MaxValue / bits || count * bits % 8 != 0)
        {
            return false;
        }
        bytes = count * bits / 8;
        return true;
    }

    /// <summary>A shape as it is written in messages: [312, 1200].</summary>
    public static string Text(IReadOnlyList<long> shape) => "[" + string.Join(", ", shape) + "]";
}
