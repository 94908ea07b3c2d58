using System.Runtime.CompilerServices;

namespace Limbeck.Tensors.Kernels;

/// <summary>Bias and activation of one tile of C, while it is in the first-level cache.</summary>
internal static unsafe class GemmEpilogueKernel
{
    // By Activation.
    private static readonly delegate*<int, int, float*, nint, float*, float*, void>[] Kernels = Cpu.Tier switch
    {
        CpuTier.Avx512 => Table<Lanes16>(),
        CpuTier.Avx2 => Table<Lanes8>(),
        _ => Table<Lanes4>(),
    };

    private interface IFunction
    {
        static abstract V Of<V>(V x)
            where V : struct, ILanes<V>;
    }

    /// <summary>Whether this is one of the known activations.</summary>
    public static bool Knows(Activation activation) => (uint)activation < (uint)Kernels.Length;

    /// <summary>Applies the epilogue to C's rows [row, row+rows) and columns [column, column+columns).</summary>
    /// <param name="epilogue">What to do; its pointers are those of the whole of C.</param>
    /// <param name="row">First row.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="column">First column.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="c">The whole of C.</param>
    /// <param name="ldc">Distance of C's rows in floats.</param>
    public static void Apply(in GemmEpilogue epilogue, int row, int rows, int column, int columns, float* c, nint ldc)
    {
        nint offset = (row * ldc) + column;
        float* bias = epilogue.Bias == null ? null : epilogue.Bias + column;
        float* pre = epilogue.PreActivation == null ? null : epilogue.PreActivation + offset;
        Kernels[(int)epilogue.Activation](rows, columns, c + offset, ldc, bias, pre);
    }

    private static delegate*<int, int, float*, nint, float*, float*, void>[] Table<V>()
        where V : struct, ILanes<V> =>
        [&Apply<V, Identity>, &Apply<V, Gelu>, &Apply<V, Tanh>, &Apply<V, Relu>];

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Apply<V, F>(int rows, int columns, float* c, nint ldc, float* bias, float* pre)
        where V : struct, ILanes<V>
        where F : struct, IFunction
    {
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j += V.Count)
            {
                int count = Math.Min(V.Count, columns - j);
                V value = Load<V>(c + j, count);
                if (bias != null)
                {
                    value += Load<V>(bias + j, count);
                }

                if (pre != null)
                {
                    Store(value, pre + j, count);
                }

                Store(F.Of(value), c + j, count);
            }

            c += ldc;
            pre = pre == null ? null : pre + ldc;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Load<V>(float* source, int count)
        where V : struct, ILanes<V> => count == V.Count ? V.Load(source) : V.Load(source, count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<V>(V value, float* destination, int count)
        where V : struct, ILanes<V>
    {
        if (count == V.Count)
        {
            V.Store(value, destination);
        }
        else
        {
            V.Store(value, destination, count);
        }
    }

    private readonly struct Identity : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Of<V>(V x)
            where V : struct, ILanes<V> => x;
    }

    private readonly struct Gelu : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Of<V>(V x)
            where V : struct, ILanes<V> => VectorMath.Gelu(x);
    }

    private readonly struct Tanh : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Of<V>(V x)
            where V : struct, ILanes<V> => VectorMath.Tanh(x);
    }

    private readonly struct Relu : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Of<V>(V x)
            where V : struct, ILanes<V> => V.Select(V.LessThan(x, V.Zero), V.Zero, x);
    }
}
