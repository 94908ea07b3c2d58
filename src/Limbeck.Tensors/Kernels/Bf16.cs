using System.Runtime.Intrinsics.X86;
using Limbeck.Tensors.Code;

namespace Limbeck.Tensors.Kernels;

/// <summary>Whether matrix products in bfloat16 (<see cref="Precision.Bf16"/>) are fast here, and why not.</summary>
/// <remarks>
/// They need the CPU's instruction VDPBF16PS (AVX512_BF16: Cooper Lake, Sapphire Rapids, Zen 4 and later), for which .NET has no intrinsic: the inner loops are written
/// at run time into memory that is executable and not writable. Without it a portable path gives the same bits many times more slowly; it is for tests and for looking
/// at what bfloat16 does to a model. The environment variable LIMBECK_BF16=portable takes that path everywhere.
/// </remarks>
public static class Bf16
{
    /// <summary>The environment variable that asks for the portable path with the value "portable".</summary>
    public const string Variable = "LIMBECK_BF16";

    /// <summary>Whether the generated packing rounds as the portable one; where it does not, it is not used, since the two share the work.</summary>
    internal static bool PacksAsDefined { get; }

    /// <summary>Where the functions of <see cref="Bf16PackingCode"/> begin.</summary>
    internal const int PackingCode = Bf16TileCode.Kinds + 1;

    private const int ExtendedFeatures = 7;
    private const int Bf16Bit = 1 << 5;

    static Bf16()
    {
        Code = Load(out string reason);

        // Before the tiles' check, which asks Bf16Packing for the layout.
        PacksAsDefined = Code is not null && Bf16Check.PacksAsDefined(Code);
        Reason = Code is null || Bf16Check.MatchesPortable(Code) ? reason
            : reason + ", but this CPU does not round as Intel documents it: results differ from the portable path's in the last bits";
    }

    /// <summary>Whether products in bfloat16 run on the CPU's own instruction, and so about twice as fast as in float32.</summary>
    public static bool IsAccelerated => Code is not null;

    /// <summary>Whether <see cref="Variable"/> asks for the portable path. Only what it is when bf16 is first used switches the CPU's instruction off.</summary>
    public static bool IsEmulationWanted => string.Equals(Environment.GetEnvironmentVariable(Variable), "portable", StringComparison.OrdinalIgnoreCase);

    /// <summary>What was found, in words for a user.</summary>
    public static string Reason { get; }

    /// <summary>The tiles by <see cref="Bf16TileCode.Number"/>, the chains of <see cref="MachinePeak"/>, then from <see cref="PackingCode"/> on what packs operands, by <see cref="Bf16PackingCode.Number"/>; null where there are none.</summary>
    internal static GeneratedCode? Code { get; }

    /// <summary>Whether the CPU has the instruction and the system keeps its registers.</summary>
    internal static bool HasInstruction { get; } = Cpu.Tier == CpuTier.Avx512 && X86Base.IsSupported && X86Base.CpuId(0, 0).Eax >= ExtendedFeatures
        && X86Base.CpuId(ExtendedFeatures, 0).Eax >= 1 && (X86Base.CpuId(ExtendedFeatures, 1).Eax & Bf16Bit) != 0;

    private static GeneratedCode? Load(out string reason)
    {
        if (!HasInstruction)
        {
            reason = Cpu.Tier == CpuTier.Avx512 ? "this CPU has no AVX512_BF16" : "this CPU has no AVX-512, or it is switched off (DOTNET_EnableAVX512)";
            return null;
        }

        if (IsEmulationWanted)
        {
            reason = $"{Variable}=portable switches the CPU's instruction off";
            return null;
        }

        GeneratedCode? code = GeneratedCode.TryCreate(
            [.. Bf16TileCode.All(GeneratedCode.Convention), Bf16TileCode.Chains(MachinePeak.Steps), .. Bf16PackingCode.All(GeneratedCode.Convention)], out string? refused);
        reason = refused ?? "AVX512_BF16 (VDPBF16PS), by code written at run time";
        return code;
    }
}
