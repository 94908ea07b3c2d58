using System.Diagnostics;
using System.Globalization;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Memory;
using Limbeck.Tensors.Threading;

namespace Limbeck.Benchmarks;

/// <summary>
/// Matrix products of BERT's shapes as a share of the multiply-add peak. Peak and product are measured in turn, in one process, each kept up for a fiftieth of a
/// second, and the median of the rounds counts; the best round as a share of the peak's best moment stands beside it.
/// </summary>
internal static unsafe class GemmBenchmark
{
    private static readonly (int Rows, int In, int Out)[] Shapes =
    [
        (4096, 312, 1200), (4096, 1200, 312), (4096, 384, 1536), (4096, 768, 3072), (4096, 312, 312), (4096, 768, 768), (4093, 1024, 4096),
        (16, 312, 1200), (16, 1200, 312), (16, 384, 1536), (16, 768, 3072), (1, 312, 1200), (16, 312, 312), (128, 312, 1200),
    ];

    // Seconds of a round, and of the peak before and after it.
    private const double Window = 0.02;

    public enum Form
    {
        /// <summary>Y = X W^T, W packed inside.</summary>
        Forward,

        /// <summary>Y = X W^T, W packed beforehand.</summary>
        Packed,

        /// <summary>dX = dY W.</summary>
        InputGradient,

        /// <summary>dW = dY^T X.</summary>
        WeightGradient,
    }

    public static int Run(string[] args)
    {
        int threads = BenchmarkOptions.Integer(args, "--threads", WorkerTeam.DefaultThreads);
        double seconds = BenchmarkOptions.Number(args, "--seconds", 1);
        string filter = BenchmarkOptions.Text(args, "--filter") ?? "";
        Precision precision = BenchmarkOptions.Precision(args);
        using var team = new WorkerTeam(threads);
        Console.WriteLine($"tier {Cpu.Tier}, {threads} threads, {precision} against the peak of {precision}");
        Console.WriteLine("| rows x in x out | form | ms | GFLOPS | of the peak kept up | best, of the best peak |");
        Console.WriteLine("|---|---|---:|---:|---:|---:|");
        string? only = BenchmarkOptions.Text(args, "--shape");
        foreach ((int rows, int inputs, int outputs) in only is null ? Shapes : [Shape(only)])
        {
            foreach (Form form in Enum.GetValues<Form>())
            {
                string name = $"{rows}x{inputs}x{outputs} {form}";
                bool small = rows <= 16;
                if (!name.Contains(filter, StringComparison.OrdinalIgnoreCase) || (small && form != Form.Packed && filter.Length == 0 && only is null))
                {
                    continue;
                }

                PeakShares shares = Measure(form, rows, inputs, outputs, team, seconds, precision);
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {rows}x{inputs}x{outputs} | {form} | {shares.Median * 1e3:F3} | {2.0 * rows * inputs * outputs / shares.Median / 1e9:F1} | {shares.OfPeakKeptUp:P1} | {shares.BestOfBestPeak:P1} |"));
            }
        }

        return 0;
    }

    private static (int Rows, int In, int Out) Shape(string text)
    {
        int[] sizes = [.. text.Split('x').Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int size) ? size : 0)];
        return sizes.Length == 3 && sizes.All(size => size > 0)
            ? (sizes[0], sizes[1], sizes[2])
            : throw new ArgumentException($"--shape is {text}, but should be rows x in x out, such as 4096x312x1200");
    }

    private static PeakShares Measure(Form form, int rows, int inputs, int outputs, WorkerTeam team, double seconds, Precision precision)
    {
        using Product product = new(form, rows, inputs, outputs, team, precision);
        long warmUp = Stopwatch.GetTimestamp();
        do
        {
            product.Run();
        }
        while (Stopwatch.GetElapsedTime(warmUp).TotalSeconds < 5 * Window);

        int times = 1;
        while (Run(times) < Window)
        {
            times *= 2;
        }

        PeakShares shares = PeakShares.Measure(Math.Max(5, (int)(seconds / (2 * Window))), 2.0 * rows * inputs * outputs * times, precision, team, () => Run(times), Window, warmUpSeconds: 0);
        return shares with { Median = shares.Median / times };

        double Run(int count)
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < count; i++)
            {
                product.Run();
            }

            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }

    /// <summary>One product of random matrices, in the memory that the arena has: in large pages where the system has them.</summary>
    public sealed class Product(Form form, int rows, int inputs, int outputs, WorkerTeam team, Precision precision) : IDisposable
    {
        private readonly NativeBuffer x = Fill((long)rows * inputs);
        private readonly NativeBuffer w = Fill((long)outputs * inputs);
        private readonly NativeBuffer y = Fill((long)rows * outputs);
        private PackedWeights? packed;

        public void Run()
        {
            switch (form)
            {
                case Form.Forward:
                    Gemm.Multiply(false, true, rows, outputs, inputs, x.Pointer, inputs, w.Pointer, inputs, y.Pointer, outputs, false, default, team, precision);
                    break;
                case Form.Packed:
                    packed ??= PackedWeights.Pack(true, outputs, inputs, w.Pointer, inputs, team, precision);
                    Gemm.Multiply(rows, x.Pointer, inputs, packed, y.Pointer, outputs, false, default, team);
                    break;
                case Form.InputGradient:
                    Gemm.Multiply(false, false, rows, inputs, outputs, y.Pointer, outputs, w.Pointer, inputs, x.Pointer, inputs, false, default, team, precision);
                    break;
                default:
                    Gemm.Multiply(true, false, outputs, inputs, rows, y.Pointer, outputs, x.Pointer, inputs, w.Pointer, inputs, false, default, team, precision);
                    break;
            }
        }

        public void Dispose()
        {
            packed?.Dispose();
            x.Dispose();
            w.Dispose();
            y.Dispose();
        }

        private static NativeBuffer Fill(long count)
        {
            var random = new Random(1);
            NativeBuffer memory = new(count);
            for (long i = 0; i < count; i++)
            {
                memory.Pointer[i] = random.NextSingle() - 0.5f;
            }

            return memory;
        }
    }
}
