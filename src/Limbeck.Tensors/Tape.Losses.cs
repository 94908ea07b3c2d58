using Limbeck.Tensors.Kernels;

namespace Limbeck.Tensors;

// A loss reads a tensor of the tape and a target that is no part of it. It returns its value, unweighted, and leaves weight * d(value)/d(tensor) as the
// tensor's gradient, from where Backward goes on. Several losses may read the same tensor.
public sealed unsafe partial class Tape
{
    /// <summary>-log softmax(logits)[label], mean over the rows whose label is not -100.</summary>
    /// <param name="logits">[rows, C].</param>
    /// <param name="labels">[rows], 0..C-1, or -100 for a row that does not count.</param>
    /// <param name="weight">The loss's share in the total.</param>
    /// <param name="overwrite">The gradient takes the logits' memory, and they are void: for the output of a linear layer without activation that nothing else
    /// reads. Spares a second matrix of a vocabulary's width. Without effect while nothing is recorded.</param>
    public double CrossEntropy(Tensor logits, int[] labels, float weight = 1f, bool overwrite = false)
    {
        Need(labels.Length == logits.Rows, logits, $"{labels.Length} labels");
        foreach (int label in labels)
        {
            Need(label == -100 || (uint)label < (uint)logits.Columns, logits, $"label {label}");
        }

        overwrite &= Recording && Follows(logits) && logits.Gradient == null;
        bool adds = false;
        float* gradient = overwrite ? logits.Pointer : LossGradient(logits, out adds);
        double value;
        fixed (int* y = labels)
        {
            value = Losses.CrossEntropy(logits.Rows, logits.Columns, logits.Pointer, y, gradient, weight, Team);
        }

        if (overwrite)
        {
            logits.Gradient = gradient;
            logits.Forget();
            return value;
        }

        EndLoss(logits, gradient, adds);
        return value;
    }

    /// <summary>-sum over classes of softmax(teacher/T) log softmax(student/T), mean over rows: TinyBERT's Eq. 10, without the factor T squared.</summary>
    /// <param name="student">[rows, C].</param>
    /// <param name="teacher">[rows, C], row-major.</param>
    /// <param name="temperature">T.</param>
    /// <param name="meanOverClasses">Divide by C as well, as TinyBERT's code does.</param>
    /// <param name="weight">The loss's share in the total.</param>
    public double SoftCrossEntropy(Tensor student, ReadOnlySpan<float> teacher, float temperature = 1f, bool meanOverClasses = false, float weight = 1f)
    {
        Need(teacher.Length == student.Length, student, $"{teacher.Length} teacher logits");
        float* gradient = LossGradient(student, out bool adds);
        double value;
        fixed (float* z = teacher)
        {
            value = Losses.SoftCrossEntropy(student.Rows, student.Columns, student.Pointer, z, temperature, meanOverClasses, gradient, weight, Team);
        }

        EndLoss(student, gradient, adds);
        return value;
    }

    /// <summary>T^2 KL(softmax(teacher/T) || softmax(student/T)), summed over classes, mean over rows: Hinton's distillation.</summary>
    /// <param name="student">[rows, C].</param>
    /// <param name="teacher">[rows, C], row-major.</param>
    /// <param name="temperature">T.</param>
    /// <param name="meanOverClasses">Divide by C as well, as PKD's code does.</param>
    /// <param name="weight">The loss's share in the total.</param>
    public double KnowledgeDistillation(Tensor student, ReadOnlySpan<float> teacher, float temperature, bool meanOverClasses = false, float weight = 1f)
    {
        Need(teacher.Length == student.Length, student, $"{teacher.Length} teacher logits");
        float* gradient = LossGradient(student, out bool adds);
        double value;
        fixed (float* z = teacher)
        {
            value = Losses.KnowledgeDistillation(student.Rows, student.Columns, student.Pointer, z, temperature, meanOverClasses, gradient, weight, Team);
        }

        EndLoss(student, gradient, adds);
        return value;
    }

    /// <summary>(student - target)^2, mean over all elements.</summary>
    /// <param name="student">Any shape.</param>
    /// <param name="target">As many elements.</param>
    /// <param name="weight">The loss's share in the total.</param>
    public double MeanSquaredError(Tensor student, Tensor target, float weight = 1f)
    {
        Need(target.Length == student.Length, student, $"a target of {target.ShapeText}");
        return MeanSquaredError(student, target.Pointer, weight);
    }

    /// <summary>(student - target)^2, mean over all elements.</summary>
    /// <param name="student">Any shape.</param>
    /// <param name="target">As many elements.</param>
    /// <param name="weight">The loss's share in the total.</param>
    public double MeanSquaredError(Tensor student, ReadOnlySpan<float> target, float weight = 1f)
    {
        Need(target.Length == student.Length, student, $"{target.Length} target values");
        fixed (float* values = target)
        {
            return MeanSquaredError(student, values, weight);
        }
    }

    /// <summary>1 - cos(student row, target row), mean over rows.</summary>
    /// <param name="student">[rows, H].</param>
    /// <param name="target">[rows, H].</param>
    /// <param name="weight">The loss's share in the total.</param>
    public double CosineDistance(Tensor student, Tensor target, float weight = 1f)
    {
        Need(target.Length == student.Length && target.Columns == student.Columns, student, $"a target of {target.ShapeText}");
        float* gradient = LossGradient(student, out bool adds);
        double value = Losses.Cosine(student.Rows, student.Columns, student.Pointer, target.Pointer, gradient, weight, Team);
        EndLoss(student, gradient, adds);
        return value;
    }

    private double MeanSquaredError(Tensor student, float* target, float weight)
    {
        float* gradient = LossGradient(student, out bool adds);
        double value = Losses.MeanSquaredError(student.Length, student.Pointer, target, gradient, weight, Team);
        EndLoss(student, gradient, adds);
        return value;
    }

    private static void Need(bool fits, Tensor tensor, string got)
    {
        if (!fits)
        {
            throw new ArgumentException($"a loss on a tensor of {tensor.ShapeText} cannot use {got}");
        }
    }

    private float* LossGradient(Tensor tensor, out bool adds)
    {
        adds = false;
        return Recording && Follows(tensor) ? BeginGradient(tensor, out adds) : null;
    }

    private void EndLoss(Tensor tensor, float* gradient, bool adds)
    {
        if (gradient != null)
        {
            EndGradient(tensor, gradient, adds);
        }
    }
}
