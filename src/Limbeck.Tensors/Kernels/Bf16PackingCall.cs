using System.Runtime.InteropServices;

namespace Limbeck.Tensors.Kernels;

/// <summary>The operands of a generated packing function. Generated code, which is 64-bit, reads the members at these offsets.</summary>
[StructLayout(LayoutKind.Explicit, Size = ShuffleOffset + (ShuffleWords * sizeof(ushort)))]
internal unsafe struct Bf16PackingCall
{
    /// <summary>Where <see cref="Source"/> lies.</summary>
    public const int SourceOffset = 0;

    /// <summary>Where <see cref="StrideBytes"/> lies.</summary>
    public const int StrideBytesOffset = 8;

    /// <summary>Where <see cref="Target"/> lies.</summary>
    public const int TargetOffset = 16;

    /// <summary>Where <see cref="Count"/> lies.</summary>
    public const int CountOffset = 24;

    /// <summary>Where <see cref="StepBytes"/> lies.</summary>
    public const int StepBytesOffset = 32;

    /// <summary>Where the order of the halves lies.</summary>
    public const int ShuffleOffset = 64;

    private const int ShuffleWords = 32;

    /// <summary>The first stored row's first element.</summary>
    [FieldOffset(SourceOffset)]
    public float* Source;

    /// <summary>Distance of the stored rows in bytes.</summary>
    [FieldOffset(StrideBytesOffset)]
    public nint StrideBytes;

    /// <summary>Where the first pair goes.</summary>
    [FieldOffset(TargetOffset)]
    public uint* Target;

    /// <summary>Blocks of steps, or panels; 1 or more.</summary>
    [FieldOffset(CountOffset)]
    public nint Count;

    /// <summary>From one panel's pair to the next one's, in bytes.</summary>
    [FieldOffset(StepBytesOffset)]
    public nint StepBytes;

    [FieldOffset(ShuffleOffset)]
    private fixed ushort shuffle[ShuffleWords];

    /// <summary>For two rows' halves, the later row's before the earlier one's: word i gets the later half below and the earlier one above.</summary>
    public static Bf16PackingCall WithShuffle()
    {
        Bf16PackingCall call = default;
        for (int i = 0; i < ShuffleWords / 2; i++)
        {
            call.shuffle[2 * i] = (ushort)i;
            call.shuffle[(2 * i) + 1] = (ushort)((ShuffleWords / 2) + i);
        }

        return call;
    }
}
