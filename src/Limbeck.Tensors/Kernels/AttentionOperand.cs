using System.Runtime.CompilerServices;

namespace Limbeck.Tensors.Kernels;

/// <summary>Rows of one head that a product reads: where they are in the caller's matrix if that is safe and fast, else a padded copy.</summary>
/// <remarks>
/// Tiles read whole tiles of rows and whole panels of columns. Past a head's columns lie the next head's, past a sequence's rows the next
/// sequence's, and what they bring goes to elements that nobody reads; only past the batch's last row may there be nothing.
/// Long sequences are copied when their columns are the depth of a product: rows far apart would share few lines of the cache.
/// </remarks>
internal readonly unsafe struct AttentionOperand
{
    private const int LongestInPlace = 32;

    private AttentionOperand(float* data, nint stride)
    {
        Data = data;
        Stride = stride;
    }

    /// <summary>Element (r, c) is Data[r * Stride + c].</summary>
    public float* Data { get; }

    /// <summary>Distance of the rows.</summary>
    public nint Stride { get; }

    /// <summary>Rows that are a product's left operand, and with <paramref name="alsoRight"/> another one's right.</summary>
    /// <param name="call">The call.</param>
    /// <param name="matrix">[T, A*D].</param>
    /// <param name="stride">Its leading dimension.</param>
    /// <param name="token">First row.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="head">The head.</param>
    /// <param name="alsoRight">Whether whole panels are read as well.</param>
    /// <param name="copy">Room for a copy: rows in whole tiles, columns in whole panels.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static AttentionOperand Left<V>(AttentionCall* call, float* matrix, nint stride, int token, int rows, int head, bool alsoRight, float* copy)
        where V : struct, ILanes<V>
    {
        int paddedRows = AttentionRows<V>.PaddedRows(rows);
        return token + paddedRows <= call->Tokens && (!alsoRight || InPlace<V>(call, stride, token, rows, head))
            ? Place<V>(call, matrix + (token * stride) + ((nint)head * call->HeadSize), stride, rows)
            : Copy<V>(call, matrix, stride, token, rows, paddedRows, head, copy);
    }

    /// <summary>Rows that are a product's right operand.</summary>
    /// <param name="call">The call.</param>
    /// <param name="matrix">[T, A*D].</param>
    /// <param name="stride">Its leading dimension.</param>
    /// <param name="token">First row.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="head">The head.</param>
    /// <param name="copy">Room for a copy: columns in whole panels.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static AttentionOperand Right<V>(AttentionCall* call, float* matrix, nint stride, int token, int rows, int head, float* copy)
        where V : struct, ILanes<V> =>
        InPlace<V>(call, stride, token, rows, head)
            ? Place<V>(call, matrix + (token * stride) + ((nint)head * call->HeadSize), stride, rows)
            : Copy<V>(call, matrix, stride, token, rows, rows, head, copy);

    // The last panel of the last row must end within the matrix.
    private static bool InPlace<V>(AttentionCall* call, nint stride, int token, int rows, int head)
        where V : struct, ILanes<V> =>
        rows <= LongestInPlace
        && (head * call->HeadSize) + AttentionRows<V>.Padded(call->HeadSize) <= ((call->Tokens - token - rows) * stride) + (call->Heads * call->HeadSize);

    private static AttentionOperand Place<V>(AttentionCall* call, float* data, nint stride, int rows)
        where V : struct, ILanes<V>
    {
        for (int r = 0; r < rows; r++)
        {
            AttentionRows<V>.FetchNext(data + (r * stride), call->HeadSize);
        }

        return new(data, stride);
    }

    private static AttentionOperand Copy<V>(AttentionCall* call, float* matrix, nint stride, int token, int rows, int paddedRows, int head, float* copy)
        where V : struct, ILanes<V>
    {
        AttentionRows<V>.CopyIn(matrix + (token * stride) + ((nint)head * call->HeadSize), stride, rows, paddedRows, call->HeadSize, copy);
        return new(copy, AttentionRows<V>.Padded(call->HeadSize));
    }
}
