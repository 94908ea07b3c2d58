using System.Runtime.CompilerServices;

namespace Limbeck.Tensors.Kernels;

/// <summary>Bias and activation of one tile of C.</summary>
internal static unsafe class GemmEpilogueKernel
{
    /// <summary>Applies the epilogue to C's rows [row, row+rows) and columns [column, column+columns).</summary>
    public static void Apply(in GemmEpilogue epilogue, int row, int rows, int column, int columns, float* c, nint ldc)
    {
        nint offset = (row * ldc) + column;
        float* bias = epilogue.Bias == null ? null : epilogue.Bias + column;
        float* pre = epilogue.PreActivation == null ? null : epilogue.PreActivation + offset;
        switch (Cpu.Tier)
        {
            case CpuTier.Avx512:
                Apply<Lanes16>(rows, columns, c + offset, ldc, bias, pre, epilogue.Activation);
                break;
            case CpuTier.Avx2:
                Apply<Lanes8>(rows, columns, c + offset, ldc, bias, pre, epilogue.Activation);
                break;
            default:
                Apply<Lanes4>(rows, columns, c + offset, ldc, bias, pre, epilogue.Activation);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Apply<V>(int rows, int columns, float* c, nint ldc, float* bias, float* pre, Activation activation)
        where V : struct, ILanes<V>
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

                switch (activation)
                {
                    case Activation.Relu:
                        value = V.Select(V.LessThan(value, V.Zero), V.Zero, value);
                        break;
                    default:
                        break;
                }

                Store(value, c + j, count);
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
}
