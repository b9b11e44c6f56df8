namespace Streaming.Model.Tests.Fused.References;

/// <summary>silu(gate) up of one pair, silu(g) = g / (1 + e^-g), and its gradients.</summary>
internal static class SwiGluReference
{
    // Below -88 float32 has no e^-g any more and the sigmoid becomes 0; what is lost is 88 e^-88 at most.
    private const double Underflow = 1e-36;

    public static Expected Forward(double gate, double up)
    {
        var value = gate * Sigmoid(gate) * up;
        return new(value, SigmoidError(gate) * Math.Abs(value) + Underflow * Math.Abs(up));
    }

    /// <summary>Gradients of gate and up, given that of the output.</summary>
    public static (Expected Gate, Expected Up) Backward(double gate, double up, double gradient)
    {
        var sigmoid = Sigmoid(gate);
        var (slope, magnitude) = (sigmoid * (1 + gate * (1 - sigmoid)), sigmoid * (1 + Math.Abs(gate))); // the slope is zero near -1.278
        var ofUp = gradient * gate * sigmoid;
        return (new(gradient * up * slope, SigmoidError(gate) * Math.Abs(gradient * up) * magnitude + Underflow * Math.Abs(gradient * up)),
                new(ofUp, SigmoidError(gate) * Math.Abs(ofUp) + Underflow * Math.Abs(gradient)));
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    /// <summary>CUDA's __expf errs by 2 + 1.173 |x| units in the last place, each two of ours; a few roundings follow.</summary>
    private static double SigmoidError(double x) => (16 + 3 * Math.Min(Math.Abs(x), 100)) * Expected.Unit;
}
