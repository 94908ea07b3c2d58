using System.Runtime.InteropServices;
using Limbeck.Tensors.Threading;

namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>Where a run ran.</summary>
/// <param name="Cpu">The processor's name, or its architecture where the system does not tell the name.</param>
/// <param name="Tier">The kernels' instruction set.</param>
/// <param name="Cores">Physical cores that the process may use.</param>
/// <param name="LogicalCores">Logical cores that the process may use.</param>
/// <param name="Threads">Threads computed on.</param>
/// <param name="System">The operating system.</param>
/// <param name="Runtime">The .NET runtime.</param>
/// <param name="Version">Limbeck's version.</param>
public sealed record ReportMachine(string Cpu, string Tier, int Cores, int LogicalCores, int Threads, string System, string Runtime, string Version)
{
    private const string CpuInfo = "/proc/cpuinfo";
    private const string ModelName = "model name";

    /// <summary>This machine.</summary>
    /// <param name="team">The threads of the run.</param>
    public static ReportMachine Here(WorkerTeam team)
    {
        ArgumentNullException.ThrowIfNull(team);
        return new(
            CpuName(), Tensors.Kernels.Cpu.Tier.ToString(), WorkerTeam.PhysicalCores, Environment.ProcessorCount, team.Threads,
            RuntimeInformation.OSDescription, RuntimeInformation.FrameworkDescription,
            typeof(ReportMachine).Assembly.GetName().Version?.ToString(3) ?? "0");
    }

    private static string CpuName()
    {
        string? name = null;
        try
        {
            name = File.Exists(CpuInfo)
                ? File.ReadLines(CpuInfo).FirstOrDefault(line => line.StartsWith(ModelName, StringComparison.Ordinal))?.Split(':', 2)[^1].Trim()
                : Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The name is decoration: the architecture will do.
        }

        return string.IsNullOrEmpty(name) ? RuntimeInformation.ProcessArchitecture.ToString() : name;
    }
}
