using System.Diagnostics;
using System.Runtime.InteropServices;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;

namespace Limbeck.Benchmarks;

/// <summary>Element-wise kernels: nanoseconds an element, in the caches and out of them.</summary>
internal static unsafe class ElementwiseBenchmark
{
    private const int Columns = 768;

    /// <summary>Prints a line a kernel and size.</summary>
    /// <param name="args">Optional: threads (1), milliseconds a measurement (200).</param>
    public static int Run(string[] args)
    {
        int threads = args.Length > 0 ? int.Parse(args[0]) : 1;
        int milliseconds = args.Length > 1 ? int.Parse(args[1]) : 200;
        using WorkerTeam team = new(threads);
        Console.WriteLine($"element-wise kernels, {Cpu.Tier}, {threads} threads, best of {milliseconds} ms; ns an element");
        Console.WriteLine($"{"kernel",-24} {"6 Ki",10} {"3 Mi",10}");
        int[] sizes = [8 * Columns, 4096 * Columns];
        int largest = sizes[^1];
        float* x = Allocate(largest);
        float* y = Allocate(largest);
        float* z = Allocate(largest);
        float* w = Allocate(largest);
        float* gamma = Allocate(Columns);
        float* beta = Allocate(Columns);
        float* deviation = Allocate(4096);
        Kernel[] kernels =
        [
            new("gelu", n => Activations.Forward(Activation.Gelu, x, y, n, team)),
            new("gelu backward", n => Activations.Backward(Activation.Gelu, x, y, z, w, n, team)),
            new("tanh", n => Activations.Forward(Activation.Tanh, x, y, n, team)),
            new("softmax", n => RowSoftmax.Forward(n / Columns, Columns, x, y, team)),
            new("layer norm", n => LayerNorm.Forward(n / Columns, Columns, x, z, 0, 0, gamma, beta, 1e-12f, y, null, null, team)),
            new("layer norm, training", n => LayerNorm.Forward(n / Columns, Columns, x, z, 0.1f, 1, gamma, beta, 1e-12f, y, w, deviation, team)),
            new("layer norm backward", n => LayerNorm.Backward(n / Columns, Columns, x, deviation, gamma, z, y, w, 0.1f, 1, gamma, beta, team)),
            new("dropout", n => Dropout.Forward(x, y, n, 0.1f, 1, team)),
            new("add", n => Elementwise.Add(x, z, y, n, team)),
            new("column sums", n => ColumnSums.Accumulate(n / Columns, Columns, x, Columns, beta, team)),
            new("sum of squares", n => Elementwise.SumOfSquares(x, n, team)),
            new("adamw", n => OptimizerSteps.AdamW(y, x, z, w, n, 1e-9, 0.9, 0.999, 1, 0.01, 10, 1, team)),
            new("soft cross entropy", n => Losses.SoftCrossEntropy(n / Columns, Columns, x, z, 1, false, y, 1, team)),
        ];
        foreach (Kernel kernel in kernels)
        {
            Console.Write($"{kernel.Name,-24}");
            foreach (int size in sizes)
            {
                Console.Write($" {Measure(kernel.Body, size, milliseconds),10:F3}");
            }

            Console.WriteLine();
        }

        foreach (nint memory in new[] { (nint)x, (nint)y, (nint)z, (nint)w, (nint)gamma, (nint)beta, (nint)deviation })
        {
            NativeMemory.AlignedFree((void*)memory);
        }

        return 0;
    }

    private static double Measure(Action<int> body, int size, int milliseconds)
    {
        int repeats = Math.Max(1, 200_000 / size);
        double best = double.MaxValue;
        long end = Stopwatch.GetTimestamp() + (milliseconds * Stopwatch.Frequency / 1000);
        for (int round = 0; round < 5 || Stopwatch.GetTimestamp() < end; round++)
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < repeats; i++)
            {
                body(size);
            }

            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalNanoseconds / repeats / size);
        }

        return best;
    }

    private static float* Allocate(int count)
    {
        float* memory = (float*)NativeMemory.AlignedAlloc((nuint)count * sizeof(float), 64);
        Random random = new(1);
        for (int i = 0; i < count; i++)
        {
            memory[i] = (random.NextSingle() * 4) - 2;
        }

        return memory;
    }

    private sealed record Kernel(string Name, Action<int> Body);
}
