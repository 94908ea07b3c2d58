using Limbeck.Tensors.Kernels;

namespace Limbeck.Tensors;

public sealed unsafe partial class Tape
{
    /// <summary>A dense layer: activation(x W^T + b). Its three products, forward and back, are in the tape's <see cref="Precision"/>.</summary>
    /// <param name="input">[T, in].</param>
    /// <param name="weight">[out, in], as PyTorch stores it.</param>
    /// <param name="bias">[out], or null.</param>
    /// <param name="activation">Applied to the sum, in the same pass.</param>
    /// <returns>[T, out].</returns>
    /// <exception cref="ArgumentException">The shapes do not fit; the message has all of them.</exception>
    public Tensor Linear(Tensor input, Parameter weight, Parameter? bias, Activation activation = Activation.None)
    {
        int rows = input.Rows;
        int inner = input.Columns;
        int outer = weight.Value.Rows;
        if (weight.Value.Columns != inner || (bias is not null && bias.Value.Length != outer))
        {
            throw new ArgumentException(
                $"linear layer {weight.Name}: an input of {input.ShapeText} needs a weight of [out, {inner}] and a bias of [out], got {weight.Value.ShapeText} and {bias?.Value.ShapeText ?? "none"}");
        }

        Tensor output = NewTensor(rows, outer);
        bool recorded = Recording && (Follows(input) || weight.Trainable || (bias?.Trainable ?? false));
        Tensor? before = recorded && activation == Activation.Gelu ? NewTensor(rows, outer) : null;
        GemmEpilogue epilogue = new()
        {
            Bias = bias is null ? null : bias.Value.Pointer,
            Activation = activation,
            PreActivation = before is null ? null : before.Pointer,
        };
        if (Recording)
        {
            Gemm.Multiply(false, true, rows, outer, inner, input.Pointer, inner, weight.Value.Pointer, inner, output.Pointer, outer, false, in epilogue, Team, Precision);
        }
        else
        {
            Gemm.Multiply(rows, input.Pointer, inner, weight.Packed(Team, Precision), output.Pointer, outer, false, in epilogue, Team);
        }

        if (recorded)
        {
            Record(output, () => LinearBackward(input, weight, bias, activation, output, before), saved: before);
        }

        return output;
    }

    private void LinearBackward(Tensor input, Parameter weight, Parameter? bias, Activation activation, Tensor output, Tensor? before)
    {
        int rows = input.Rows;
        int inner = input.Columns;
        int outer = weight.Value.Rows;
        float* upstream = output.Gradient;
        if (activation != Activation.None)
        {
            Activations.Backward(activation, before is null ? null : before.Pointer, output.Pointer, upstream, upstream, output.Length, Team);
        }

        if (weight.Trainable)
        {
            float* target = weight.GradientTarget(out bool accumulate);
            Gemm.Multiply(true, false, outer, inner, rows, upstream, outer, input.Pointer, inner, target, inner, accumulate, default, Team, Precision);
        }

        if (bias is not null && bias.Trainable)
        {
            float* target = bias.GradientTarget(out bool accumulate);
            if (!accumulate)
            {
                Elementwise.Fill(target, 0f, outer, Team);
            }

            ColumnSums.Accumulate(rows, outer, upstream, outer, target, Team);
        }

        if (Follows(input))
        {
            bool accumulate = input.Gradient != null;
            if (!accumulate)
            {
                input.Gradient = arena.Take(input.Length);
            }

            Gemm.Multiply(false, false, rows, inner, outer, upstream, outer, weight.Value.Pointer, inner, input.Gradient, inner, accumulate, default, Team, Precision);
        }
    }
}
