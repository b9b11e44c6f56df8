namespace Streaming.Model.Fused;

/// <summary>What one call of an operation must at least do.</summary>
/// <param name="Flops">Floating-point operations of products and attention, the causal half only; 0 where memory is the limit.</param>
/// <param name="Bytes">Device memory read and written, each value once; 0 where arithmetic is the limit.</param>
public readonly record struct OperationCost(double Flops, double Bytes);

/// <summary>
/// The least work of each operation of a micro-step and an update, by the names of <see cref="FusedEngine.Profile"/>: measured times
/// over it say how far a kernel is from what the card can do.
/// </summary>
/// <param name="shape">The model's shape.</param>
/// <param name="positions">Tokens a micro-batch.</param>
/// <param name="rowTokens">Tokens a sequence; attention is taken to see all of those before.</param>
/// <param name="wideResidual">The residual stream is float32.</param>
/// <param name="eightBits">Products multiply in 8 bits.</param>
public sealed class OperationCosts(FusedShape shape, int positions, int rowTokens, bool wideResidual, bool eightBits)
{
    private const double Weight = 4, Gradient = 4, Moment = 4, Half = 2; // bytes a value

    private readonly double _hidden = (double)positions * shape.Hidden, _inner = (double)positions * shape.Intermediate;

    /// <summary>What one call costs; null for operations too small or too irregular to state.</summary>
    /// <param name="operation">Its name in the profile.</param>
    /// <param name="calls">How often it ran; what runs in chunks is divided by it.</param>
    /// <param name="updated">Parameters that an operation of the update changes.</param>
    public OperationCost? Of(string operation, int calls, long updated)
    {
        var rounded = eightBits ? 1 : 0; // a byte a value, written beside the 16 bits
        return operation.Split(',')[0] switch
        {
            "product qkv" => Product(shape.Hidden, shape.PackedWidth),
            "product o" => Product(shape.QueryWidth, shape.Hidden),
            "product gate_up" => Product(shape.Hidden, 2 * shape.Intermediate),
            "product down" => Product(shape.Intermediate, shape.Hidden),
            "product lm_head" => new(Product(shape.Hidden, shape.VocabularyPadded).Flops / calls, 0),
            "attention" => new(Attention, 0),
            "attention backward" => new(2.5 * Attention, 0), // five products where the forward pass has two
            "embedding" => new(0, _hidden * (wideResidual ? Weight + 4 : 2 * Half)),
            "norm" => new(0, _hidden * (wideResidual ? 4 + Half + 4 + Half + rounded : Half + (eightBits ? 1 : Half))),
            "norm backward" => new(0, _hidden * (wideResidual ? 2 * Half + 4 + 4 : 5 * Half) + _hidden * rounded / 2), // one norm in two rounds
            "swiglu" => new(0, _inner * (2 * Half + (eightBits ? 1 : Half))),
            "swiglu backward" => new(0, _inner * (3 * Half + 3 * Half + 2 * rounded)),
            "rotary" => new(0, 2 * Half * positions * (double)(shape.QueryWidth + shape.KeyValueWidth)),
            "rotary backward" => new(0, (2 * Half + rounded) * positions * (double)shape.PackedWidth),
            "classifier" => new(0, 2 * Half * positions * (double)shape.VocabularyPadded / calls),
            "gradient norm" => new(0, Gradient * updated),
            "adamw" when operation == "adamw" => new(0, 2 * (Weight + Gradient + 2 * Moment) * updated),
            _ => null,
        };
    }

    private double Attention => 4.0 * positions * rowTokens * shape.QueryWidth / 2;

    private OperationCost Product(int inputs, int outputs) => new(2.0 * positions * inputs * outputs, 0);
}
