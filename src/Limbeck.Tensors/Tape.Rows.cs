using Limbeck.Tensors.Kernels;

namespace Limbeck.Tensors;

public sealed unsafe partial class Tape
{
    /// <summary>Picks rows.</summary>
    /// <param name="input">[T, H].</param>
    /// <param name="rows">Row numbers, repeats allowed.</param>
    /// <returns>[rows.Length, H].</returns>
    public Tensor Gather(Tensor input, int[] rows)
    {
        int columns = input.Columns;
        Tensor output = NewTensor(rows.Length, columns);
        for (int i = 0; i < rows.Length; i++)
        {
            input.Row(rows[i]).CopyTo(output.Row(i));
        }

        if (Recording && Follows(input))
        {
            Record(output, () =>
            {
                float* target = GradientToAddTo(input);
                for (int i = 0; i < rows.Length; i++)
                {
                    Elementwise.AddTo(target + ((long)rows[i] * columns), output.Gradient + ((long)i * columns), columns, Team);
                }
            });
        }

        return output;
    }

    /// <summary>The first row of each sequence: [CLS].</summary>
    /// <param name="input">[T, H].</param>
    /// <param name="batch">Where sequences begin.</param>
    /// <returns>[S, H].</returns>
    public Tensor FirstTokens(Tensor input, PackedBatch batch) => Gather(input, batch.Offsets[..^1]);

    /// <summary>The mean of each sequence's rows.</summary>
    /// <param name="input">[T, H].</param>
    /// <param name="batch">Where sequences begin.</param>
    /// <returns>[S, H].</returns>
    public Tensor MeanPool(Tensor input, PackedBatch batch)
    {
        int columns = input.Columns;
        Tensor output = NewTensor(batch.Sequences, columns);
        for (int s = 0; s < batch.Sequences; s++)
        {
            float* sum = output.Pointer + ((long)s * columns);
            new Span<float>(sum, columns).Clear();
            ColumnSums.Accumulate(batch.LengthOf(s), columns, input.Pointer + ((long)batch.Offsets[s] * columns), columns, sum, Team);
            Elementwise.Scale(sum, 1f / batch.LengthOf(s), columns, Team);
        }

        if (Recording && Follows(input))
        {
            Record(output, () =>
            {
                float* target = GradientToAddTo(input);
                for (int s = 0; s < batch.Sequences; s++)
                {
                    for (int t = batch.Offsets[s]; t < batch.Offsets[s + 1]; t++)
                    {
                        Elementwise.AddScaled(target + ((long)t * columns), output.Gradient + ((long)s * columns), 1f / batch.LengthOf(s), columns, Team);
                    }
                }
            });
        }

        return output;
    }

    /// <summary>Each row divided by its Euclidean length.</summary>
    /// <param name="input">[rows, H].</param>
    /// <param name="epsilon">The least length to divide by.</param>
    /// <returns>[rows, H].</returns>
    public Tensor Normalize(Tensor input, float epsilon = 1e-12f)
    {
        int columns = input.Columns;
        Tensor output = NewTensor(input.Rows, columns);
        float[] lengths = new float[input.Rows];
        for (int r = 0; r < input.Rows; r++)
        {
            ReadOnlySpan<float> from = input.Row(r);
            Span<float> to = output.Row(r);
            double squares = 0;
            foreach (float value in from)
            {
                squares += (double)value * value;
            }

            lengths[r] = MathF.Max((float)Math.Sqrt(squares), epsilon);
            for (int c = 0; c < columns; c++)
            {
                to[c] = from[c] / lengths[r];
            }
        }

        if (Recording && Follows(input))
        {
            Record(output, () =>
            {
                float* target = BeginGradient(input, out bool adds);
                for (int r = 0; r < lengths.Length; r++)
                {
                    float* y = output.Pointer + ((long)r * columns);
                    float* dy = output.Gradient + ((long)r * columns);
                    double dot = 0;
                    for (int c = 0; c < columns; c++)
                    {
                        dot += (double)y[c] * dy[c];
                    }

                    for (int c = 0; c < columns; c++)
                    {
                        target[((long)r * columns) + c] = (float)((dy[c] - (y[c] * dot)) / lengths[r]);
                    }
                }

                EndGradient(input, target, adds);
            });
        }

        return output;
    }

    /// <summary>Rows of several matrices side by side.</summary>
    /// <param name="inputs">[rows, columns of each].</param>
    /// <returns>[rows, sum of columns].</returns>
    public Tensor Concatenate(params Tensor[] inputs)
    {
        int rows = inputs[0].Rows;
        int columns = 0;
        foreach (Tensor input in inputs)
        {
            if (input.Rows != rows)
            {
                throw new ArgumentException($"cannot put matrices of {rows} and {input.Rows} rows side by side");
            }

            columns += input.Columns;
        }

        Tensor output = NewTensor(rows, columns);
        int at = 0;
        foreach (Tensor input in inputs)
        {
            for (int r = 0; r < rows; r++)
            {
                input.Row(r).CopyTo(output.Row(r)[at..]);
            }

            at += input.Columns;
        }

        if (Recording && Array.Exists(inputs, Follows))
        {
            Record(output, () =>
            {
                int start = 0;
                foreach (Tensor input in inputs)
                {
                    if (Follows(input))
                    {
                        float* target = BeginGradient(input, out bool adds);
                        for (int r = 0; r < rows; r++)
                        {
                            new ReadOnlySpan<float>(output.Gradient + ((long)r * columns) + start, input.Columns)
                                .CopyTo(new Span<float>(target + ((long)r * input.Columns), input.Columns));
                        }

                        EndGradient(input, target, adds);
                    }

                    start += input.Columns;
                }
            });
        }

        return output;
    }
}
