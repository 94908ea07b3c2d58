using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Kernels;

/// <summary>Runs a kernel's tasks in the widest form that this CPU has.</summary>
internal static unsafe class TierTasks
{
    /// <summary>Runs tasks 0..<paramref name="tasks"/>-1.</summary>
    /// <param name="team">The threads.</param>
    /// <param name="tasks">Number of tasks.</param>
    /// <param name="avx512">The kernel over <see cref="Lanes16"/>.</param>
    /// <param name="avx2">The kernel over <see cref="Lanes8"/>.</param>
    /// <param name="portable">The kernel over <see cref="Lanes4"/>.</param>
    /// <param name="state">Passed on.</param>
    public static void Run(
        this WorkerTeam team, int tasks, delegate*<void*, int, int, void> avx512, delegate*<void*, int, int, void> avx2, delegate*<void*, int, int, void> portable, void* state) =>
        team.Run(
            tasks,
            Cpu.Tier switch
            {
                CpuTier.Avx512 => avx512,
                CpuTier.Avx2 => avx2,
                _ => portable,
            },
            state);
}
