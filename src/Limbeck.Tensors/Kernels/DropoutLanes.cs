using System.Runtime.CompilerServices;

namespace Limbeck.Tensors.Kernels;

/// <summary>A <see cref="DropoutMask"/> for the lanes of a vector.</summary>
/// <typeparam name="V">The vector.</typeparam>
internal readonly struct DropoutLanes<V>
    where V : struct, ILanes<V>
{
    private readonly V firstKey;
    private readonly V secondKey;
    private readonly V threshold;
    private readonly V scale;

    /// <summary>The mask of one key.</summary>
    /// <param name="probability">Of dropping, in [0, 1).</param>
    /// <param name="key">From <see cref="DropoutMask.Key"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The probability is out of range.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public DropoutLanes(float probability, uint key)
    {
        firstKey = V.CreateBits((int)key);
        secondKey = V.CreateBits((int)DropoutMask.SecondKey(key));
        threshold = V.CreateBits((int)(DropoutMask.Threshold(probability) ^ 0x80000000));
        scale = V.Create(DropoutMask.Scale(probability));
    }

    /// <summary>1/(1-p) for each lane that is kept, 0 for the others.</summary>
    /// <param name="index">The elements' indices as integers: <see cref="ILanes{V}.Sequence"/> of the first one's.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V KeepScale(V index) => V.Select(Dropped(index), V.Zero, scale);

    /// <summary>The lanes that are dropped: all bits set or none.</summary>
    /// <param name="index">As above.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Dropped(V index)
    {
        V h = V.AddInt(index, firstKey);
        h = V.MultiplyInt(V.Xor(h, V.ShiftRightLogical(h, 16)), V.CreateBits(DropoutMask.FirstMultiplier));
        h = V.MultiplyInt(V.Xor(V.Xor(h, V.ShiftRightLogical(h, 15)), secondKey), V.CreateBits(DropoutMask.SecondMultiplier));
        h = V.Xor(h, V.ShiftRightLogical(h, 17));
        return V.LessThanInt(V.Xor(h, V.CreateBits(int.MinValue)), threshold);
    }

    /// <summary>x * 1/(1-p) where kept, 0 where dropped, whatever x is there.</summary>
    /// <param name="x">The elements.</param>
    /// <param name="index">As above.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply(V x, V index) => V.Select(Dropped(index), V.Zero, x * scale);
}
