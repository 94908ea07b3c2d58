using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Kernels;

/// <summary>What this machine can do at most, measured: the yardstick of the kernels.</summary>
public static unsafe class MachinePeak
{
    /// <summary>Products in each chain of a task.</summary>
    internal const int Steps = 4096;

    private const long BandwidthBytes = 64L << 20;

    /// <summary>Rate of multiply-adds with independent chains in registers on every thread at once (12 in float32, 20 in bfloat16, which takes longer for each); two operations each.</summary>
    /// <param name="team">Threads to measure.</param>
    /// <param name="seconds">How long to measure. The best of many short rounds counts, so neighbours on the machine disturb little.</param>
    /// <param name="precision">Which multiply-adds.</param>
    /// <returns>Floating-point operations a second, all threads together.</returns>
    /// <exception cref="NotSupportedException">bfloat16 is emulated here, which has no peak.</exception>
    public static double MeasureFlops(WorkerTeam team, double seconds, Precision precision = Precision.Float32)
    {
        ArgumentNullException.ThrowIfNull(team);
        double operations = TaskOperations(precision, out delegate*<void*, int, int, void> task);
        float* sink = stackalloc float[64];
        double best = 0;
        long start = Stopwatch.GetTimestamp();
        do
        {
            long before = Stopwatch.GetTimestamp();
            team.Run(8 * team.Threads, task, sink);
            double time = Stopwatch.GetElapsedTime(before).TotalSeconds;
            best = Math.Max(best, operations * 8 * team.Threads / time);
        }
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < seconds);

        return best;
    }

    /// <summary>The same rate, kept up over the whole time: what a machine with neighbours leaves to a long computation.</summary>
    /// <param name="team">Threads to measure.</param>
    /// <param name="seconds">How long to measure.</param>
    /// <param name="precision">Which multiply-adds.</param>
    /// <returns>Floating-point operations a second, all threads together.</returns>
    /// <exception cref="NotSupportedException">bfloat16 is emulated here, which has no peak.</exception>
    public static double MeasureSustainedFlops(WorkerTeam team, double seconds, Precision precision = Precision.Float32)
    {
        ArgumentNullException.ThrowIfNull(team);
        double operations = TaskOperations(precision, out delegate*<void*, int, int, void> task);
        float* sink = stackalloc float[64];
        int tasks = 64 * team.Threads;
        double done = 0;
        long start = Stopwatch.GetTimestamp();
        double time;
        do
        {
            team.Run(tasks, task, sink);
            done += operations * tasks;
            time = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
        while (time < seconds);

        return done / time;
    }

    /// <summary>Rate at which all threads together read memory too large for the second-level cache.</summary>
    /// <param name="team">Threads to measure.</param>
    /// <param name="seconds">How long to measure; the best round counts.</param>
    /// <returns>Bytes a second. With a last-level cache above 64 MiB it is that cache's rate.</returns>
    public static double MeasureBandwidth(WorkerTeam team, double seconds)
    {
        ArgumentNullException.ThrowIfNull(team);
        float* memory = (float*)NativeMemory.AlignedAlloc((nuint)BandwidthBytes, 4096);
        try
        {
            new Span<float>(memory, (int)(BandwidthBytes / sizeof(float))).Fill(1f);
            double best = 0;
            long start = Stopwatch.GetTimestamp();
            do
            {
                long before = Stopwatch.GetTimestamp();
                // In order, so that a thread reads other parts in each round, and not what it still has.
                team.RunInOrder(64, &ReadPart, memory);
                best = Math.Max(best, BandwidthBytes / Stopwatch.GetElapsedTime(before).TotalSeconds);
            }
            while (Stopwatch.GetElapsedTime(start).TotalSeconds < seconds);

            return best;
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }
    }

    private static double TaskOperations(Precision precision, out delegate*<void*, int, int, void> task)
    {
        if (precision == Precision.Float32)
        {
            task = &Chains;
            return 2.0 * 12 * Steps * GemmTile.Lane;
        }

        if (!Bf16.IsAccelerated)
        {
            throw new NotSupportedException($"there is no peak of products in bfloat16 to measure: {Bf16.Reason}");
        }

        task = &Bf16Chains;
        return 2.0 * 2 * Bf16TileCode.ChainCount * Steps * GemmTile.Lane;
    }

    private static void Bf16Chains(void* state, int task, int worker) => Bf16.Code![Bf16TileCode.Kinds](null);

    private static void Chains(void* state, int task, int worker)
    {
        float result = Cpu.Tier switch
        {
            CpuTier.Avx512 => Chains<Lanes16>(),
            CpuTier.Avx2 => Chains<Lanes8>(),
            _ => Chains<Lanes4>(),
        };
        ((float*)state)[task % 64] = result;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Chains<V>()
        where V : struct, ILanes<V>
    {
        V factor = V.Create(0.999f);
        V c0 = factor, c1 = factor, c2 = factor, c3 = factor, c4 = factor, c5 = factor, c6 = factor, c7 = factor;
        V d0 = factor, d1 = factor, d2 = factor, d3 = factor;
        for (int i = 0; i < Steps; i++)
        {
            c0 = V.MultiplyAdd(c0, factor, factor);
            c1 = V.MultiplyAdd(c1, factor, factor);
            c2 = V.MultiplyAdd(c2, factor, factor);
            c3 = V.MultiplyAdd(c3, factor, factor);
            c4 = V.MultiplyAdd(c4, factor, factor);
            c5 = V.MultiplyAdd(c5, factor, factor);
            c6 = V.MultiplyAdd(c6, factor, factor);
            c7 = V.MultiplyAdd(c7, factor, factor);
            d0 = V.MultiplyAdd(d0, factor, factor);
            d1 = V.MultiplyAdd(d1, factor, factor);
            d2 = V.MultiplyAdd(d2, factor, factor);
            d3 = V.MultiplyAdd(d3, factor, factor);
        }

        return V.Sum(c0 + c1 + (c2 + c3) + (c4 + c5 + (c6 + c7)) + (d0 + d1 + (d2 + d3)));
    }

    private static void ReadPart(void* state, int task, int worker)
    {
        nint floats = (nint)(BandwidthBytes / sizeof(float) / 64);
        float* part = (float*)state + (task * floats);
        float sum = Cpu.Tier switch
        {
            CpuTier.Avx512 => Read<Lanes16>(part, floats),
            CpuTier.Avx2 => Read<Lanes8>(part, floats),
            _ => Read<Lanes4>(part, floats),
        };
        part[0] = sum > 0 ? 1f : 0f;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Read<V>(float* part, nint floats)
        where V : struct, ILanes<V>
    {
        V s0 = V.Zero, s1 = V.Zero, s2 = V.Zero, s3 = V.Zero;
        for (float* end = part + floats; part < end; part += 4 * V.Count)
        {
            s0 += V.Load(part);
            s1 += V.Load(part + V.Count);
            s2 += V.Load(part + (2 * V.Count));
            s3 += V.Load(part + (3 * V.Count));
        }

        return V.Sum(s0 + s1 + (s2 + s3));
    }
}
