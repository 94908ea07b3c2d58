using Limbeck.Tensors.Kernels;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Jobs;

/// <summary>The setting --precision: which precision it means on this machine.</summary>
internal static class PrecisionChoice
{
    /// <summary>The values of the setting.</summary>
    public const string Choices = "fp32|bf16|auto";

    /// <summary>The precision.</summary>
    /// <param name="choice">One of <see cref="Choices"/>.</param>
    /// <exception cref="UsageException">bf16 is asked for where it would be emulated, and the emulation is not asked for.</exception>
    public static Precision Of(string choice) => choice switch
    {
        "bf16" when Bf16.IsAccelerated || Bf16.IsEmulationWanted => Precision.Bf16,
        "bf16" => throw new UsageException(
            $"--precision is bf16, but {Bf16.Reason}: use --precision auto (bf16 where the CPU has it, else float32) or fp32. To see what bf16 does to a run on this machine, {Bf16.Variable}=portable computes the same bits many times more slowly."),
        "auto" => Bf16.IsAccelerated ? Precision.Bf16 : Precision.Float32,
        _ => Precision.Float32,
    };

    /// <summary>Adds the precision to the hash of what a run computes. In float32 nothing is added: runs from before there was a choice go on.</summary>
    /// <param name="hash">The hash so far.</param>
    /// <param name="precision">What the run multiplies in.</param>
    public static HashBuilder AddTo(HashBuilder hash, Precision precision)
    {
        ArgumentNullException.ThrowIfNull(hash);
        return precision == Precision.Float32 ? hash : hash.Add("precision", precision.ToString());
    }

    /// <summary>The precision, with a line about it unless it is the default.</summary>
    /// <param name="choice">One of <see cref="Choices"/>.</param>
    /// <param name="messages">Receives the line.</param>
    /// <exception cref="UsageException">bf16 is asked for where it would be emulated, and the emulation is not asked for.</exception>
    public static Precision Announce(string choice, TextWriter messages)
    {
        Precision precision = Of(choice);
        if (precision == Precision.Bf16)
        {
            messages.WriteLine(Bf16.IsAccelerated
                ? $"precision: dense layers multiply in bf16 with float32 sums; {Bf16.Reason}"
                : $"precision: bf16, emulated and slow ({Bf16.Variable}=portable): {Bf16.Reason}");
        }
        else if (choice == "auto")
        {
            messages.WriteLine($"precision: float32, since {Bf16.Reason}");
        }

        return precision;
    }
}
