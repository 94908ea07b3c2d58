using System.Runtime.InteropServices;
using Limbeck.Tensors.Memory;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Kernels;

/// <summary>A matrix in the order in which the matrix product reads it, made once for many products: the weights of a model that is only run.</summary>
public sealed unsafe class PackedWeights : IDisposable
{
    private float* data;

    private PackedWeights(int n, int k, Precision precision)
    {
        N = n;
        K = k;
        Precision = precision;
        long floats = precision == Precision.Bf16 ? Bf16Gemm.PackedWords(n, k) : GemmTile.PackedFloats(n, k);
        Bytes = floats * sizeof(float);
        data = (float*)LargePages.Allocate((nuint)Math.Max(Bytes, 64), 4096);
    }

    /// <summary>Frees the memory when <see cref="Dispose"/> was not called.</summary>
    ~PackedWeights() => NativeMemory.AlignedFree(data);

    /// <summary>Columns of the matrix: outputs.</summary>
    public int N { get; }

    /// <summary>Rows of the matrix: inputs.</summary>
    public int K { get; }

    /// <summary>What the numbers were rounded to; products with them are in this precision.</summary>
    public Precision Precision { get; }

    /// <summary>Bytes held.</summary>
    public long Bytes { get; }

    /// <summary>The packed matrix, laid out as <see cref="GemmTile"/> says, or as words of bfloat16 pairs as <see cref="Bf16Packing"/> says.</summary>
    /// <exception cref="ObjectDisposedException">The matrix was disposed.</exception>
    internal float* Data
    {
        get
        {
            ObjectDisposedException.ThrowIf(data == null, this);
            return data;
        }
    }

    /// <summary>Packs a matrix; the source is not needed afterwards.</summary>
    /// <param name="transposeB">True: stored [n, k] (a PyTorch weight [out, in]). False: stored [k, n].</param>
    /// <param name="n">Columns.</param>
    /// <param name="k">Rows.</param>
    /// <param name="b">The source.</param>
    /// <param name="ldb">Distance of its stored rows in floats.</param>
    /// <param name="team">Threads to use.</param>
    /// <param name="precision">What to round the numbers to.</param>
    /// <returns>The packed matrix; dispose it to free its memory at once.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative or too large, or <paramref name="ldb"/> is shorter than a row.</exception>
    public static PackedWeights Pack(bool transposeB, int n, int k, float* b, int ldb, WorkerTeam team, Precision precision = Precision.Float32)
    {
        ArgumentNullException.ThrowIfNull(team);
        Gemm.CheckSize(n, nameof(n));
        Gemm.CheckSize(k, nameof(k));
        Gemm.CheckStride(ldb, transposeB ? k : n, nameof(ldb));
        var packed = new PackedWeights(n, k, precision);
        if (precision == Precision.Bf16)
        {
            Bf16Gemm.Pack(transposeB, n, k, b, ldb, (uint*)packed.data, team);
        }
        else
        {
            Gemm.Pack(transposeB, n, k, b, ldb, packed.data, team);
        }

        return packed;
    }

    /// <summary>Frees the memory.</summary>
    public void Dispose()
    {
        NativeMemory.AlignedFree(data);
        data = null;
        GC.SuppressFinalize(this);
    }
}
