using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Memory;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors;

/// <summary>
/// Runs operations and, when recording, remembers how to go back through them. One tape serves one training step or one inference call at a time and is
/// used again for the next: <see cref="Reset"/> keeps its memory.
/// </summary>
/// <remarks>
/// Operations are fused and have hand-written backward passes; they are grouped in partial files by kind. Losses are the ends of the graph: each computes its
/// value at once and leaves its gradient, already weighted, at the tensors it read; <see cref="Backward"/> takes it from there and frees activations as it goes.
/// </remarks>
public sealed unsafe partial class Tape : IDisposable
{
    private readonly Arena arena = new();
    private readonly List<Node> nodes = [];
    private uint site;

    /// <summary>A tape.</summary>
    /// <param name="recording">True for training; false for inference, where nothing is recorded and dropout does nothing.</param>
    /// <param name="team">The threads to compute on; the default team when null.</param>
    public Tape(bool recording, WorkerTeam? team = null)
    {
        Recording = recording;
        Team = team ?? WorkerTeam.Default;
    }

    /// <summary>Whether operations are recorded.</summary>
    public bool Recording { get; }

    /// <summary>The threads that kernels run on.</summary>
    public WorkerTeam Team { get; }

    /// <summary>
    /// What the operands of dense layers' products are rounded to, forward and back. Weights, their gradients, sums and all other operations, attention among them, are float32 either way.
    /// To be set before the first operation of a step.
    /// </summary>
    public Precision Precision { get; set; }

    /// <summary>Seed of the dropout masks.</summary>
    public ulong Seed { get; set; }

    /// <summary>Number of the step, part of every dropout mask's key. The loop sets it before each forward pass, so that a resumed run draws the same masks.</summary>
    public ulong Step { get; set; }

    /// <summary>The most memory that activations and their gradients took at once, in bytes.</summary>
    public long PeakBytes => arena.Peak * sizeof(float);

    /// <summary>A tensor of undefined contents that lives until <see cref="Reset"/>, <see cref="Release"/> or, when recorded, the backward pass.</summary>
    /// <param name="shape">Its dimensions.</param>
    public Tensor NewTensor(params int[] shape)
    {
        Tensor tensor = Tensor.Over(null, shape);
        return Tensor.Over(arena.Take(tensor.Length), shape);
    }

    /// <summary>Gives an activation's memory back early. Does nothing while recording, since the backward pass may need it.</summary>
    /// <param name="tensor">A tensor of this tape; null is ignored.</param>
    public void Release(Tensor? tensor)
    {
        if (!Recording && tensor is not null && tensor.Pointer != null)
        {
            arena.Give(tensor.Pointer);
            tensor.Forget();
        }
    }

    /// <summary>Goes back through the recorded operations, from the losses to the parameters.</summary>
    /// <exception cref="InvalidOperationException">The tape does not record.</exception>
    public void Backward()
    {
        if (!Recording)
        {
            throw new InvalidOperationException("this tape was made for inference: it has recorded nothing to go back through");
        }

        for (int i = nodes.Count - 1; i >= 0; i--)
        {
            Node node = nodes[i];
            if (node.Output.Gradient != null || (node.Second is not null && node.Second.Gradient != null))
            {
                node.Backward();
            }

            Free(node.Output);
            Free(node.Second);
            Free(node.Saved);
            Free(node.SavedToo);
        }

        Reset();
    }

    /// <summary>Forgets everything of this step; all its tensors are void. The memory is kept for the next step.</summary>
    public void Reset()
    {
        nodes.Clear();
        arena.Reset();
        site = 0;
    }

    /// <inheritdoc/>
    public void Dispose() => arena.Dispose();

    private static bool Follows(Tensor tensor) => tensor.RequiresGradient;

    private uint NextKey() => DropoutMask.Key(Seed, Step, site++);

    private void Record(Tensor output, Action backward, Tensor? second = null, Tensor? saved = null, Tensor? savedToo = null)
    {
        output.RequiresGradient = true;
        if (second is not null)
        {
            second.RequiresGradient = true;
        }

        nodes.Add(new Node(output, second, saved, savedToo, backward));
    }

    /// <summary>Where an operation writes the gradient of one of its inputs: the input's own memory if nothing is there yet, else a block that <see cref="EndGradient"/> adds.</summary>
    private float* BeginGradient(Tensor tensor, out bool adds)
    {
        adds = tensor.Gradient != null;
        float* target = arena.Take(tensor.Length);
        if (!adds)
        {
            tensor.Gradient = target;
        }

        return target;
    }

    private void EndGradient(Tensor tensor, float* written, bool adds)
    {
        if (adds)
        {
            Elementwise.AddTo(tensor.Gradient, written, tensor.Length, Team);
            arena.Give(written);
        }
    }

    /// <summary>The gradient of an input as memory to add to: zeros if nothing is there yet.</summary>
    private float* GradientToAddTo(Tensor tensor)
    {
        if (tensor.Gradient == null)
        {
            tensor.Gradient = arena.Take(tensor.Length);
            Elementwise.Fill(tensor.Gradient, 0f, tensor.Length, Team);
        }

        return tensor.Gradient;
    }

    private void Free(Tensor? tensor)
    {
        if (tensor is null)
        {
            return;
        }

        if (tensor.Gradient != null)
        {
            arena.Give(tensor.Gradient);
            tensor.Gradient = null;
        }

        if (tensor.Pointer != null)
        {
            arena.Give(tensor.Pointer);
            tensor.Forget();
        }
    }

    private readonly record struct Node(Tensor Output, Tensor? Second, Tensor? Saved, Tensor? SavedToo, Action Backward);
}
