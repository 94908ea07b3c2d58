using Limbeck.Tensors.Memory;

namespace Limbeck.Tensors;

/// <summary>A dense float32 array of rank 1 to 4, row-major, 64-byte aligned, outside the managed heap.</summary>
/// <remarks>
/// It owns its memory, or is a view of another tensor's, or belongs to a tape's arena and ends with the step. Most kernels see it as a matrix:
/// <see cref="Columns"/> is the last dimension, <see cref="Rows"/> the product of the others.
/// </remarks>
public sealed unsafe class Tensor : IDisposable
{
    private readonly int[] shape;
    private readonly NativeBuffer? owned;
    private readonly Tensor? parent;

    /// <summary>A tensor that owns its memory.</summary>
    /// <param name="shape">One to four dimensions, none negative.</param>
    public Tensor(params int[] shape)
    {
        this.shape = Checked(shape);
        Length = Product(shape);
        owned = new NativeBuffer(Length);
        Pointer = owned.Pointer;
    }

    private Tensor(float* pointer, Tensor? parent, int[] shape)
    {
        this.shape = Checked(shape);
        Length = Product(shape);
        Pointer = pointer;
        this.parent = parent;
    }

    /// <summary>The first element.</summary>
    public float* Pointer { get; private set; }

    /// <summary>The dimensions.</summary>
    public ReadOnlySpan<int> Shape => shape;

    /// <summary>Number of elements.</summary>
    public long Length { get; }

    /// <summary>The last dimension.</summary>
    public int Columns => shape[^1];

    /// <summary>The product of all dimensions but the last.</summary>
    public int Rows => Columns == 0 ? 0 : (int)(Length / Columns);

    /// <summary>The elements.</summary>
    /// <exception cref="OverflowException">More than 2^31 - 1 elements.</exception>
    public Span<float> Span => new(Pointer, checked((int)Length));

    /// <summary>Whether the tape follows gradients through this tensor.</summary>
    public bool RequiresGradient { get; internal set; }

    /// <summary>The gradient during a backward pass, or null when none has arrived.</summary>
    internal float* Gradient { get; set; }

    /// <summary>The shape as it is printed in messages: [2, 3].</summary>
    public string ShapeText => $"[{string.Join(", ", shape)}]";

    /// <summary>One row.</summary>
    /// <param name="row">0 .. Rows-1.</param>
    public Span<float> Row(int row)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, Rows);
        return new Span<float>(Pointer + ((long)row * Columns), Columns);
    }

    /// <summary>A view of consecutive elements.</summary>
    /// <param name="start">First element.</param>
    /// <param name="shape">The view's shape.</param>
    /// <exception cref="ArgumentException">The view reaches beyond this tensor.</exception>
    public Tensor View(long start, params int[] shape)
    {
        if (start < 0 || start + Product(shape) > Length)
        {
            throw new ArgumentException($"a view of {Product(shape)} elements at {start} does not fit in a tensor of {ShapeText}");
        }

        return new Tensor(Pointer + start, this, shape);
    }

    /// <summary>Copies the elements out.</summary>
    public float[] ToArray() => Span.ToArray();

    /// <summary>Frees the memory of a tensor that owns it; nothing for a view or for a tape's tensor.</summary>
    public void Dispose()
    {
        owned?.Dispose();
        if (owned is not null)
        {
            Pointer = null;
        }
    }

    /// <summary>A tensor over memory that somebody else keeps.</summary>
    internal static Tensor Over(float* pointer, params int[] shape) => new(pointer, null, shape);

    /// <summary>Forgets the memory, so that a use after release fails at once instead of reading another tensor's numbers.</summary>
    internal void Forget() => Pointer = null;

    private static int[] Checked(int[] shape)
    {
        if (shape.Length is < 1 or > 4)
        {
            throw new ArgumentException($"a tensor has 1 to 4 dimensions, not {shape.Length}", nameof(shape));
        }

        foreach (int dimension in shape)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(dimension, nameof(shape));
        }

        return shape;
    }

    private static long Product(int[] shape)
    {
        long product = 1;
        foreach (int dimension in shape)
        {
            product = checked(product * dimension);
        }

        return product;
    }
}
