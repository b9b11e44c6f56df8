namespace Streaming.Model.Tests.Fused.References;

/// <summary>y = w x / sqrt(mean(x^2) + epsilon) of one row, and its gradient.</summary>
internal static class RmsNormReference
{
    // Relative error of anything that a kernel computes from a row's sums: a sum of n positive terms errs by at most n units;
    // a thread adds up to 16 squares, then 5 steps in a warp and up to 16 warps; the division, the root and a few products follow.
    private const double RowError = 64 * Expected.Unit;

    public static double Scale(ReadOnlySpan<double> x, double epsilon)
    {
        var squares = 0.0;
        foreach (var value in x) squares += value * value;
        return 1 / Math.Sqrt(squares / x.Length + epsilon);
    }

    public static Expected[] Forward(ReadOnlySpan<double> x, ReadOnlySpan<float> weight, double epsilon)
    {
        var y = new Expected[x.Length];
        var scale = Scale(x, epsilon);
        for (var i = 0; i < x.Length; i++)
        {
            var value = weight[i] * x[i] * scale;
            y[i] = new(value, RowError * Math.Abs(value));
        }
        return y;
    }

    /// <summary>Gradient of x, given that of y: s g w - x s^3 mean(g w x), where s is the scale.</summary>
    public static Expected[] Backward(ReadOnlySpan<double> x, ReadOnlySpan<double> outputGradient, ReadOnlySpan<float> weight, double epsilon)
    {
        var scale = Scale(x, epsilon);
        double mean = 0, magnitude = 0;
        for (var i = 0; i < x.Length; i++)
        {
            var product = outputGradient[i] * weight[i] * x[i];
            mean += product / x.Length;
            magnitude += Math.Abs(product) / x.Length;
        }
        var gradient = new Expected[x.Length];
        for (var i = 0; i < x.Length; i++)
        {
            var direct = scale * outputGradient[i] * weight[i];
            var pull = x[i] * scale * scale * scale;
            // The mean may cancel: it errs in proportion to its terms' magnitude.
            gradient[i] = new(direct - pull * mean, RowError * (Math.Abs(direct) + Math.Abs(pull) * magnitude));
        }
        return gradient;
    }

    /// <summary>Adds one row's share of the weight's gradient, g x s; slack gathers the error for a sum of <paramref name="rows"/> rows.</summary>
    public static void AddWeightGradient(Span<Expected> sum, ReadOnlySpan<double> x, ReadOnlySpan<double> outputGradient, double epsilon, int rows)
    {
        var scale = Scale(x, epsilon);
        for (var i = 0; i < x.Length; i++)
        {
            var share = outputGradient[i] * x[i] * scale;
            sum[i] = new(sum[i].Value + share, sum[i].Slack + (RowError + rows * Expected.Unit) * Math.Abs(share));
        }
    }
}
