namespace Limbeck.Tensors.Tests.Kernels;

/// <summary>Double-precision functions that the BCL lacks, written for plainness.</summary>
internal static class Reference
{
    /// <summary>The error function, to 1e-15.</summary>
    public static double Erf(double x) => double.IsNaN(x) ? x : x < 0 ? -Erf(-x) : x < 2 ? ErfSeries(x) : 1 - Erfc(x);

    /// <summary>Standard normal distribution function, accurate in the lower tail too.</summary>
    public static double Phi(double x) => x < -2.5 ? 0.5 * Erfc(-x / Math.Sqrt(2)) : 0.5 * (1 + Erf(x / Math.Sqrt(2)));

    public static double Gelu(double x) => double.IsNegativeInfinity(x) ? 0 : x * Phi(x);

    public static double GeluDerivative(double x) => double.IsInfinity(x) ? Phi(x) : Phi(x) + (x * Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI));

    // sum of (-1)^n x^(2n+1) / (n! (2n+1)), good below 2.
    private static double ErfSeries(double x)
    {
        double term = x;
        double sum = x;
        for (int n = 1; n < 60; n++)
        {
            term *= -x * x / n;
            sum += term / ((2 * n) + 1);
        }

        return sum * 2 / Math.Sqrt(Math.PI);
    }

    // The continued fraction exp(-x^2)/sqrt(pi) * 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + ...)))), good above 1.7.
    private static double Erfc(double x)
    {
        double value = x;
        for (int n = 200; n >= 1; n--)
        {
            value = x + (n / 2.0 / value);
        }

        return double.IsInfinity(x) ? 0 : Math.Exp(-x * x) / Math.Sqrt(Math.PI) / value;
    }
}
