using Limbeck.Tensors.Kernels;

namespace Limbeck.Tensors;

public sealed unsafe partial class Tape
{
    /// <summary>Sets elements to zero at random and scales the others by 1/(1-p). Returns its input on a tape that does not record.</summary>
    /// <param name="input">Any shape.</param>
    /// <param name="probability">Of an element to become zero.</param>
    public Tensor Dropout(Tensor input, float probability)
    {
        if (!Recording || probability == 0f)
        {
            return input;
        }

        uint key = NextKey();
        Tensor output = NewTensor(input.Shape.ToArray());
        Kernels.Dropout.Forward(input.Pointer, output.Pointer, input.Length, probability, key, Team);
        if (Follows(input))
        {
            Record(output, () =>
            {
                float* target = BeginGradient(input, out bool adds);
                Kernels.Dropout.Backward(output.Gradient, target, input.Length, probability, key, Team);
                EndGradient(input, target, adds);
            });
        }

        return output;
    }

    /// <summary>An activation by itself. (A dense layer applies its own: see <see cref="Linear"/>.)</summary>
    /// <param name="input">Any shape.</param>
    /// <param name="activation">Which.</param>
    public Tensor Activate(Tensor input, Activation activation)
    {
        Tensor output = NewTensor(input.Shape.ToArray());
        Activations.Forward(activation, input.Pointer, output.Pointer, input.Length, Team);
        if (Recording && Follows(input))
        {
            Record(output, () =>
            {
                float* target = BeginGradient(input, out bool adds);
                Activations.Backward(activation, input.Pointer, output.Pointer, output.Gradient, target, input.Length, Team);
                EndGradient(input, target, adds);
            });
        }

        return output;
    }

    /// <summary>a + b.</summary>
    /// <param name="a">Any shape.</param>
    /// <param name="b">The same shape.</param>
    public Tensor Add(Tensor a, Tensor b)
    {
        Tensor output = Like(a, b, "add");
        Elementwise.Add(a.Pointer, b.Pointer, output.Pointer, a.Length, Team);
        if (Recording && (Follows(a) || Follows(b)))
        {
            Record(output, () =>
            {
                AddGradient(a, output.Gradient, 1f);
                AddGradient(b, output.Gradient, 1f);
            });
        }

        return output;
    }

    /// <summary>a - b.</summary>
    /// <param name="a">Any shape.</param>
    /// <param name="b">The same shape.</param>
    public Tensor Subtract(Tensor a, Tensor b)
    {
        Tensor output = Like(a, b, "subtract");
        Elementwise.Copy(a.Pointer, output.Pointer, a.Length, Team);
        Elementwise.AddScaled(output.Pointer, b.Pointer, -1f, a.Length, Team);
        if (Recording && (Follows(a) || Follows(b)))
        {
            Record(output, () =>
            {
                AddGradient(a, output.Gradient, 1f);
                AddGradient(b, output.Gradient, -1f);
            });
        }

        return output;
    }

    /// <summary>a * b, element by element.</summary>
    /// <param name="a">Any shape.</param>
    /// <param name="b">The same shape.</param>
    public Tensor Multiply(Tensor a, Tensor b)
    {
        Tensor output = Like(a, b, "multiply");
        Elementwise.Multiply(a.Pointer, b.Pointer, output.Pointer, a.Length, Team);
        if (Recording && (Follows(a) || Follows(b)))
        {
            Record(output, () =>
            {
                MultiplyGradient(a, output.Gradient, b);
                MultiplyGradient(b, output.Gradient, a);
            });
        }

        return output;
    }

    /// <summary>factor * input.</summary>
    /// <param name="input">Any shape.</param>
    /// <param name="factor">A constant.</param>
    public Tensor Scale(Tensor input, float factor)
    {
        Tensor output = NewTensor(input.Shape.ToArray());
        Elementwise.Copy(input.Pointer, output.Pointer, input.Length, Team);
        Elementwise.Scale(output.Pointer, factor, input.Length, Team);
        if (Recording && Follows(input))
        {
            Record(output, () => AddGradient(input, output.Gradient, factor));
        }

        return output;
    }

    /// <summary>The same elements in another shape.</summary>
    /// <param name="input">Any shape.</param>
    /// <param name="shape">As many elements.</param>
    public Tensor Reshape(Tensor input, params int[] shape)
    {
        Tensor output = NewTensor(shape);
        if (output.Length != input.Length)
        {
            throw new ArgumentException($"a tensor of {input.ShapeText} cannot become one of {output.ShapeText}");
        }

        Elementwise.Copy(input.Pointer, output.Pointer, input.Length, Team);
        if (Recording && Follows(input))
        {
            Record(output, () => AddGradient(input, output.Gradient, 1f));
        }

        return output;
    }

    private Tensor Like(Tensor a, Tensor b, string verb)
    {
        if (!a.Shape.SequenceEqual(b.Shape))
        {
            throw new ArgumentException($"cannot {verb} tensors of {a.ShapeText} and {b.ShapeText}");
        }

        return NewTensor(a.Shape.ToArray());
    }

    private void AddGradient(Tensor tensor, float* upstream, float factor)
    {
        if (Follows(tensor))
        {
            Elementwise.AddScaled(GradientToAddTo(tensor), upstream, factor, tensor.Length, Team);
        }
    }

    private void MultiplyGradient(Tensor tensor, float* upstream, Tensor other)
    {
        if (Follows(tensor))
        {
            float* target = BeginGradient(tensor, out bool adds);
            Elementwise.Multiply(upstream, other.Pointer, target, tensor.Length, Team);
            EndGradient(tensor, target, adds);
        }
    }
}
