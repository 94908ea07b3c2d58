using System.Runtime.InteropServices;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Kernels;

/// <summary>A matrix in the order in which the matrix product reads it, made once for many products: the weights of a model that is only run.</summary>
public sealed unsafe class PackedWeights : IDisposable
{
    private float* data;

    private PackedWeights(int n, int k)
    {
        N = n;
        K = k;
        long floats = GemmTile.PackedFloats(n, k);
        Bytes = floats * sizeof(float);
        data = (float*)NativeMemory.AlignedAlloc((nuint)Math.Max(Bytes, 64), 4096);
    }

    /// <summary>Frees the memory when <see cref="Dispose"/> was not called.</summary>
    ~PackedWeights() => NativeMemory.AlignedFree(data);

    /// <summary>Columns of the matrix: outputs.</summary>
    public int N { get; }

    /// <summary>Rows of the matrix: inputs.</summary>
    public int K { get; }

    /// <summary>Bytes held.</summary>
    public long Bytes { get; }

    /// <summary>The packed matrix, laid out as <see cref="GemmTile"/> says.</summary>
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
    /// <returns>The packed matrix; dispose it to free its memory at once.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative or too large, or <paramref name="ldb"/> is shorter than a row.</exception>
    public static PackedWeights Pack(bool transposeB, int n, int k, float* b, int ldb, WorkerTeam team)
    {
        ArgumentNullException.ThrowIfNull(team);
        Gemm.CheckSize(n, nameof(n));
        Gemm.CheckSize(k, nameof(k));
        Gemm.CheckStride(ldb, transposeB ? k : n, nameof(ldb));
        var packed = new PackedWeights(n, k);
        Gemm.Pack(transposeB, n, k, b, ldb, packed.data, team);
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
