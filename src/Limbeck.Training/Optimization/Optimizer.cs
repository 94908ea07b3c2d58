using Limbeck.Tensors;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Memory;
using Limbeck.Tensors.Threading;

namespace Limbeck.Training.Optimization;

/// <summary>Updates parameters from their gradients. A parameter without a gradient is skipped altogether, weight decay included, as the papers' optimizers do.</summary>
public sealed unsafe class Optimizer : IDisposable
{
    private readonly Slot[] slots;
    private readonly WorkerTeam team;

    /// <summary>An optimizer with empty moments.</summary>
    /// <param name="settings">Rule and constants.</param>
    /// <param name="parameters">What it may change; those that are frozen are left alone.</param>
    /// <param name="team">The threads to compute on.</param>
    public Optimizer(OptimizerSettings settings, IEnumerable<Parameter> parameters, WorkerTeam? team = null)
    {
        Settings = settings;
        this.team = team ?? WorkerTeam.Default;
        slots = [.. parameters.Select(parameter => new Slot(parameter, settings.DecayAll || Decays(parameter.Name) ? settings.WeightDecay : 0))];
    }

    /// <summary>Rule and constants.</summary>
    public OptimizerSettings Settings { get; }

    /// <summary>The gradient's norm over all tensors at the last update, before clipping.</summary>
    public double GradientNorm { get; private set; }

    /// <summary>The parameters with their moments, for checkpoints. A parameter that never had a gradient has none.</summary>
    public IEnumerable<(Parameter Parameter, long Updates, Tensor? First, Tensor? Second)> State =>
        slots.Select(slot => (slot.Parameter, slot.Updates, slot.First, slot.Second));

    /// <summary>Makes one update and clears the gradients.</summary>
    /// <param name="rate">The schedule's multiplier of the learning rate.</param>
    public void Step(double rate)
    {
        double squares = 0;
        foreach (Slot slot in slots)
        {
            if (slot.Ready)
            {
                Tensor gradient = slot.Parameter.Gradient;
                slot.Squares = slot.Parameter.HasRowGradient
                    ? Elementwise.SumOfSquares(gradient.Pointer, slot.Parameter.GradientRows, gradient.Columns, team)
                    : Elementwise.SumOfSquares(gradient.Pointer, gradient.Length, team);
                squares += slot.Squares;
            }
        }

        GradientNorm = Math.Sqrt(squares);
        double global = Settings.MaxGradNorm > 0 ? OptimizerSteps.ClipFactor(GradientNorm, Settings.MaxGradNorm) : 1.0;
        foreach (Slot slot in slots)
        {
            if (slot.Ready)
            {
                Update(slot, rate * Settings.LearningRate, global);
            }

            slot.Parameter.ClearGradient();
        }
    }

    /// <summary>Puts a parameter's moments back, from a checkpoint.</summary>
    /// <param name="name">The parameter.</param>
    /// <param name="updates">Updates it has had.</param>
    /// <param name="fill">Fills the first and the second moment.</param>
    /// <exception cref="KeyNotFoundException">There is no such parameter.</exception>
    public void Restore(string name, long updates, Action<Tensor, Tensor> fill)
    {
        Slot slot = Array.Find(slots, candidate => candidate.Parameter.Name == name)
            ?? throw new KeyNotFoundException($"the checkpoint has optimizer state for '{name}', which this run does not train: it belongs to another run");
        slot.Allocate();
        slot.Updates = updates;
        fill(slot.First!, slot.Second!);
        slot.ForgetRows();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Slot slot in slots)
        {
            slot.First?.Dispose();
            slot.Second?.Dispose();
        }
    }

    private static bool Decays(string name) =>
        !name.EndsWith("bias", StringComparison.Ordinal) && !name.Contains("LayerNorm", StringComparison.Ordinal);

    private void Update(Slot slot, double rate, double globalFactor)
    {
        slot.Allocate();
        slot.Updates++;
        Parameter parameter = slot.Parameter;
        float* p = parameter.Value.Pointer;
        float* g = parameter.Gradient.Pointer;
        float* m = slot.First!.Pointer;
        float* v = slot.Second!.Pointer;
        long n = parameter.Value.Length;
        byte[]? states = slot.BeginRows();
        fixed (byte* first = states)
        {
            TableRows rows = states is null ? default : new TableRows(first, parameter.Value.Columns);
            switch (Settings.Kind)
            {
                case OptimizerKind.AdamW:
                    OptimizerSteps.AdamW(p, g, m, v, n, rate, Settings.Beta1, Settings.Beta2, Settings.Epsilon, slot.Decay, slot.Updates, globalFactor, team, rows);
                    break;
                case OptimizerKind.AdamWTransformers:
                    OptimizerSteps.AdamWTransformers(p, g, m, v, n, rate, Settings.Beta1, Settings.Beta2, Settings.Epsilon, slot.Decay, slot.Updates, globalFactor, team, rows);
                    break;
                default:
                    double own = Settings.MaxGradNorm > 0 ? OptimizerSteps.ClipFactor(Math.Sqrt(slot.Squares), Settings.MaxGradNorm) : 1.0;
                    OptimizerSteps.BertAdam(p, g, m, v, n, rate, Settings.Beta1, Settings.Beta2, Settings.Epsilon, slot.Decay, own, team, rows);
                    break;
            }
        }

        slot.EndRows();
        parameter.Changed();
    }

    private sealed class Slot(Parameter parameter, double decay)
    {
        private byte[]? rowStates;

        public Parameter Parameter { get; } = parameter;

        public double Decay { get; } = decay;

        public long Updates { get; set; }

        public double Squares { get; set; }

        public Tensor? First { get; private set; }

        public Tensor? Second { get; private set; }

        public bool Ready => Parameter.Trainable && Parameter.HasGradient;

        public void Allocate()
        {
            First ??= new Tensor(Parameter.Value.Shape.ToArray());
            Second ??= new Tensor(Parameter.Value.Shape.ToArray());
        }

        /// <summary>The state of each row of a table whose gradient comes from look-ups; null for all others.</summary>
        public byte[]? BeginRows()
        {
            if (!Parameter.HasRowGradient)
            {
                rowStates = null;
                return null;
            }

            rowStates ??= StatesByMoments();
            foreach (int row in Parameter.GradientRows)
            {
                rowStates[row] = TableRows.Touched;
            }

            return rowStates;
        }

        /// <summary>After the update: the rows that had a gradient rest.</summary>
        public void EndRows()
        {
            if (rowStates is not null)
            {
                foreach (int row in Parameter.GradientRows)
                {
                    rowStates[row] = TableRows.Resting;
                }
            }
        }

        /// <summary>To be called when the moments were changed from outside.</summary>
        public void ForgetRows() => rowStates = null;

        private byte[] StatesByMoments()
        {
            byte[] states = new byte[Parameter.Value.Rows];
            for (int row = 0; row < states.Length; row++)
            {
                bool zero = !First!.Row(row).ContainsAnyExcept(0f) && !Second!.Row(row).ContainsAnyExcept(0f);
                states[row] = zero ? TableRows.Untouched : TableRows.Resting;
            }

            return states;
        }
    }
}
