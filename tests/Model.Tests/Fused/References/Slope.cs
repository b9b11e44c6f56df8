namespace Streaming.Model.Tests.Fused.References;

/// <summary>Derivatives by central differences in double.</summary>
internal static class Slope
{
    private const double Step = 1e-5;

    /// <summary>The step's square (times a third derivative of a few units) plus rounding over the step (1e-16 / 1e-5), with room.</summary>
    public const double Tolerance = 1e-8;

    /// <summary>The slope of <paramref name="function"/> at <paramref name="point"/> along one coordinate.</summary>
    public static double Of(Func<double[], double> function, double[] point, int coordinate)
    {
        var (above, below) = ((double[])point.Clone(), (double[])point.Clone());
        above[coordinate] += Step;
        below[coordinate] -= Step;
        return (function(above) - function(below)) / (2 * Step);
    }
}
