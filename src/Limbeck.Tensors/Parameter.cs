using System.Runtime.InteropServices;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors;

/// <summary>A named weight of a model with its gradient. It can be frozen, and it can be a part of a larger one (the query's rows of a fused query-key-value matrix).</summary>
public sealed unsafe class Parameter : IDisposable
{
    private readonly Parameter? whole;
    private readonly long offset;
    private readonly Parameter[] parts;
    private Tensor? gradient;
    private PackedWeights? packed;
    private PackedWeights? packedBf16;
    private bool trainable = true;
    private bool hasGradient;

    // While rowsOnly holds, the gradient's memory is zero but for gradientRows; inGradientRows tells which those are.
    private bool rowsOnly = true;
    private readonly List<int> gradientRows = [];
    private bool[]? inGradientRows;

    /// <summary>A weight of zeros.</summary>
    /// <param name="name">Its name under Hugging Face's conventions, such as bert.encoder.layer.0.output.dense.weight.</param>
    /// <param name="shape">One or two dimensions.</param>
    public Parameter(string name, params int[] shape)
    {
        Name = name;
        Value = new Tensor(shape);
        parts = [];
    }

    private Parameter(string name, Parameter[] parts, Tensor value)
    {
        Name = name;
        Value = value;
        this.parts = parts;
    }

    private Parameter(string name, Parameter whole, long offset, int[] shape)
    {
        Name = name;
        this.whole = whole;
        this.offset = offset;
        Value = whole.Value.View(offset, shape);
        parts = [];
    }

    /// <summary>The name in a checkpoint.</summary>
    public string Name { get; }

    /// <summary>The numbers.</summary>
    public Tensor Value { get; }

    /// <summary>Whether training may change it. A whole is trainable when any of its parts is.</summary>
    public bool Trainable
    {
        get => parts.Length == 0 ? trainable : Array.Exists(parts, part => part.trainable);
        set
        {
            trainable = value;
            foreach (Parameter part in parts)
            {
                part.trainable = value;
            }
        }
    }

    /// <summary>Whether a backward pass has left a gradient since <see cref="ClearGradient"/>. Optimizers skip a parameter without one, weight decay included.</summary>
    public bool HasGradient => hasGradient;

    /// <summary>The gradient's memory, made at first use. Its contents mean something only when <see cref="HasGradient"/> is true.</summary>
    public Tensor Gradient => gradient ??= whole is null ? new Tensor(Value.Shape.ToArray()) : whole.Gradient.View(offset, Value.Shape.ToArray());

    /// <summary>Whether the gradient comes from look-ups alone, so that all of its rows are zero but <see cref="GradientRows"/>.</summary>
    public bool HasRowGradient => hasGradient && rowsOnly && whole is null;

    /// <summary>The rows of the gradient that may not be zero where <see cref="HasRowGradient"/> is true, each once, in the order of their first look-up.</summary>
    public ReadOnlySpan<int> GradientRows => CollectionsMarshal.AsSpan(gradientRows);

    /// <summary>Several weights in one block of memory, one below the other, so that one product serves all of them.</summary>
    /// <param name="name">A name for messages; it is no checkpoint's.</param>
    /// <param name="names">The parts' names.</param>
    /// <param name="rows">Rows (or elements) of each part.</param>
    /// <param name="columns">Columns of all parts; 0 for parts of rank 1.</param>
    /// <param name="parts">Receives the parts.</param>
    public static Parameter Fuse(string name, IReadOnlyList<string> names, int rows, int columns, out Parameter[] parts)
    {
        int[] partShape = columns == 0 ? [rows] : [rows, columns];
        int[] wholeShape = columns == 0 ? [rows * names.Count] : [rows * names.Count, columns];
        Parameter[] made = new Parameter[names.Count];
        Parameter whole = new(name, made, new Tensor(wholeShape));
        for (int i = 0; i < made.Length; i++)
        {
            made[i] = new Parameter(names[i], whole, (long)i * rows * Math.Max(1, columns), partShape);
        }

        parts = made;
        return whole;
    }

    /// <summary>Forgets the gradient; the next backward pass starts a new one.</summary>
    /// <remarks>The parts of a whole are cleared together.</remarks>
    public void ClearGradient()
    {
        hasGradient = false;
        if (whole is not null)
        {
            whole.hasGradient = false;
        }

        foreach (Parameter part in parts)
        {
            part.hasGradient = false;
        }
    }

    /// <summary>Sets the gradient from outside a tape.</summary>
    /// <param name="values">As many as the weight has.</param>
    public void SetGradient(ReadOnlySpan<float> values)
    {
        values.CopyTo(Gradient.Span);
        hasGradient = true;
        rowsOnly = false;
    }

    /// <summary>Drops what was derived from the numbers. To be called by whoever changes <see cref="Value"/> outside an optimizer.</summary>
    public void Changed()
    {
        (whole ?? this).Forget();
    }

    /// <summary>The weight in the layout that products read fastest, made once and kept until the numbers change. [out, in], used as x W^T.</summary>
    /// <param name="team">Packs it, the first time. Several threads may ask at once.</param>
    /// <param name="precision">The products'. Both kinds may be there at once.</param>
    internal PackedWeights Packed(WorkerTeam team, Precision precision)
    {
        ref PackedWeights? kept = ref precision == Precision.Bf16 ? ref packedBf16 : ref packed;
        PackedWeights? made = Volatile.Read(ref kept);
        if (made is null)
        {
            made = PackedWeights.Pack(true, Value.Rows, Value.Columns, Value.Pointer, Value.Columns, team, precision);
            PackedWeights? first = Interlocked.CompareExchange(ref kept, made, null);
            if (first is not null)
            {
                made.Dispose();
                made = first;
            }
        }

        return made;
    }

    /// <summary>The gradient to write to.</summary>
    /// <param name="accumulate">Whether it already holds something to add to.</param>
    internal float* GradientTarget(out bool accumulate)
    {
        if (whole is not null)
        {
            throw new InvalidOperationException($"{Name} is a part of {whole.Name}: its gradient is written through the whole");
        }

        accumulate = hasGradient;
        hasGradient = true;
        rowsOnly = false;
        foreach (Parameter part in parts)
        {
            part.hasGradient = true;
        }

        return Gradient.Pointer;
    }

    /// <summary>The gradient of a table to add rows to; all that is in it already, or zero, is defined.</summary>
    /// <param name="rows">The rows that will be added to; repeats allowed.</param>
    /// <exception cref="InvalidOperationException">It is fused with others.</exception>
    internal float* RowGradientTarget(ReadOnlySpan<int> rows)
    {
        if (whole is not null || parts.Length > 0)
        {
            throw new InvalidOperationException($"{Name} is {(whole is null ? "made of parts" : $"a part of {whole.Name}")}: only a table of its own can have a gradient of rows");
        }

        inGradientRows ??= new bool[Value.Rows];
        if (!hasGradient)
        {
            hasGradient = true;
            if (rowsOnly)
            {
                foreach (int row in gradientRows)
                {
                    Gradient.Row(row).Clear();
                }
            }
            else
            {
                Gradient.Span.Clear();
                rowsOnly = true;
            }

            Array.Clear(inGradientRows);
            gradientRows.Clear();
        }

        foreach (int row in rows)
        {
            if (!inGradientRows[row])
            {
                inGradientRows[row] = true;
                gradientRows.Add(row);
            }
        }

        return Gradient.Pointer;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Forget();
        gradient?.Dispose();
        Value.Dispose();
    }

    private void Forget()
    {
        packed?.Dispose();
        packed = null;
        packedBf16?.Dispose();
        packedBf16 = null;
        foreach (Parameter part in parts)
        {
            part.Forget();
        }
    }
}
