using System.Runtime.CompilerServices;
using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Kernels;

/// <summary>Activation functions over arrays, and their derivatives. GELU is the exact form, x Phi(x), not the tanh approximation.</summary>
public static unsafe class Activations
{
    /// <summary>y = f(x).</summary>
    /// <param name="kind">Which f.</param>
    /// <param name="x">[n].</param>
    /// <param name="y">[n]; may be <paramref name="x"/>.</param>
    /// <param name="n">Number of elements.</param>
    /// <param name="team">Threads.</param>
    public static void Forward(Activation kind, float* x, float* y, long n, WorkerTeam team)
    {
        switch (kind)
        {
            case Activation.Gelu:
                ElementMap.Run(default(Gelu), x, null, y, n, team);
                break;
            case Activation.Tanh:
                ElementMap.Run(default(Tanh), x, null, y, n, team);
                break;
            case Activation.Relu:
                ElementMap.Run(default(Relu), x, null, y, n, team);
                break;
            default:
                if (x != y)
                {
                    Elementwise.Copy(x, y, n, team);
                }

                break;
        }
    }

    /// <summary>dx = dy * f'(x).</summary>
    /// <param name="kind">Which f.</param>
    /// <param name="x">[n], before the activation. Only GELU reads it: else it may be null.</param>
    /// <param name="y">[n], after the activation. Tanh and ReLU read it: else it may be null.</param>
    /// <param name="dy">[n].</param>
    /// <param name="dx">[n]; may be <paramref name="dy"/>.</param>
    /// <param name="n">Number of elements.</param>
    /// <param name="team">Threads.</param>
    public static void Backward(Activation kind, float* x, float* y, float* dy, float* dx, long n, WorkerTeam team)
    {
        switch (kind)
        {
            case Activation.Gelu:
                ElementMap.Run(default(GeluSlope), x, dy, dx, n, team);
                break;
            case Activation.Tanh:
                ElementMap.Run(default(TanhSlope), y, dy, dx, n, team);
                break;
            case Activation.Relu:
                ElementMap.Run(default(ReluSlope), y, dy, dx, n, team);
                break;
            default:
                if (dx != dy)
                {
                    Elementwise.Copy(dy, dx, n, team);
                }

                break;
        }
    }

    private readonly struct Gelu : IElementFunction
    {
        public static int Inputs => 1;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Apply<V>(V a, V b)
            where V : struct, ILanes<V> => VectorMath.Gelu(a);
    }

    private readonly struct Tanh : IElementFunction
    {
        public static int Inputs => 1;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Apply<V>(V a, V b)
            where V : struct, ILanes<V> => VectorMath.Tanh(a);
    }

    private readonly struct Relu : IElementFunction
    {
        public static int Inputs => 1;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Apply<V>(V a, V b)
            where V : struct, ILanes<V> => V.Max(V.Zero, a);
    }

    private readonly struct GeluSlope : IElementFunction
    {
        public static int Inputs => 2;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Apply<V>(V a, V b)
            where V : struct, ILanes<V> => b * VectorMath.GeluDerivative(a);
    }

    private readonly struct TanhSlope : IElementFunction
    {
        public static int Inputs => 2;

        // (1 - y)(1 + y) keeps its digits where y is near 1.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Apply<V>(V a, V b)
            where V : struct, ILanes<V> => b * ((V.Create(1f) - a) * (V.Create(1f) + a));
    }

    private readonly struct ReluSlope : IElementFunction
    {
        public static int Inputs => 2;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Apply<V>(V a, V b)
            where V : struct, ILanes<V> => V.And(b, V.LessThan(V.Zero, a));
    }
}
