using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Limbeck.Tensors.Kernels;

/// <summary>The instruction sets that Limbeck's kernels are written for.</summary>
public enum CpuTier
{
    /// <summary>128-bit vectors through <see cref="Vector128"/>: Arm, older x86, and x86 with hardware intrinsics switched off.</summary>
    Portable = 0,

    /// <summary>256-bit vectors with fused multiply-add.</summary>
    Avx2 = 1,

    /// <summary>512-bit vectors (F, BW, DQ, VL).</summary>
    Avx512 = 2,
}

/// <summary>Which tier this process runs on. Chosen once; kernels branch on it outside their loops.</summary>
public static class Cpu
{
    /// <summary>The widest tier that the CPU has and the runtime's switches (DOTNET_EnableAVX512 and the like) allow.</summary>
    public static CpuTier Tier { get; } =
        Avx512F.IsSupported && Avx512BW.IsSupported && Avx512DQ.IsSupported && Avx512F.VL.IsSupported && Vector512.IsHardwareAccelerated ? CpuTier.Avx512
        : Avx2.IsSupported && Fma.IsSupported ? CpuTier.Avx2
        : CpuTier.Portable;
}
