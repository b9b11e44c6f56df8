using Streaming.Model.Engines;
using Streaming.Model.Fused.Offload;

namespace Streaming.Model.Fused.Planning;

/// <summary>
/// How long a step takes, before it is tried: the least work of every operation at the machine's rates, and what of the traffic
/// with host memory nothing else hides.
/// </summary>
/// <param name="needs">The run.</param>
/// <param name="rows">Sequences a micro-batch.</param>
/// <param name="microBatches">Micro-batches a step.</param>
/// <param name="rates">Of the machine.</param>
public sealed class StepTime(MemoryNeeds needs, int rows, int microBatches, MachineRates rates)
{
    // Attention's share of the products' rate, forward and backward together; fp8's gain over a whole micro-step (docs/benchmarks).
    private const double AttentionShare = 0.3, EightBitGain = 1.5;

    private readonly FusedShape _shape = needs.Shape;
    private readonly int _positions = rows * needs.Tokens;

    /// <summary>Of one step.</summary>
    public double Seconds
    {
        get
        {
            double forward = Layers(Forward) + Classifier, backward = Layers(Backward) + BackwardProducts * Classifier;
            if (needs.Offload != OffloadLevel.Parameters) // the update's kernels take their time wherever the state comes from
                return microBatches * (forward + backward) + Update + (needs.Offload == OffloadLevel.None ? 0 : Exposed(forward));
            if (needs.Lora is not null) return microBatches * Streamed(adds: false) + Update;
            return Streamed(adds: false) + (microBatches - 1) * Streamed(adds: true) + Math.Max(Traffic(6) / rates.In, Traffic(2) / rates.Out);
        }
    }

    // A micro-batch whose layers come and go. Weights come for either pass; gradients, where there are any, go, and come where they are
    // added to. A slot is filled, computed in and emptied one after the other, two of them in turn.
    private double Streamed(bool adds)
    {
        double layer = needs.Layout.LayerCount, classifier = needs.Layout.ClassifierCount;
        var gradient = needs.Lora is null ? 4 : 0;
        double weights = 2 * layer / rates.In, gradientIn = adds ? gradient * layer / rates.In : 0, gradientOut = gradient * layer / rates.Out;
        var forward = new[] { ForwardWork(), weights, KeptBytes / rates.Out }.Max();
        var backward = new[] { BackwardWork(), weights + gradientIn + KeptBytes / rates.In, gradientOut, (gradientIn + BackwardWork() + gradientOut) / 2 }.Max();
        return _shape.Layers * (forward + backward) + (1 + BackwardProducts) * Classifier + 2 * classifier / rates.In + gradient * classifier / rates.Out;
    }

    private double Update => (needs.Lora is null ? Traffic(6) : needs.AdapterBytes) * 2 / rates.DeviceMemory;

    private double Classifier => 2.0 * _positions * _shape.Hidden * _shape.VocabularyPadded / ProductRate + 1.3 * _positions * _shape.VocabularyPadded / rates.DeviceMemory;

    private double ProductRate => rates.Products * (needs.Precision == Precision.Float8 ? EightBitGain : 1);

    private double Layers(Func<double> ofOne) => _shape.Layers * ofOne();

    private double Products(bool all) => 2.0 * _positions * _shape.Hidden
        * (_shape.PackedWidth + (all ? _shape.QueryWidth + 3.0 * _shape.Intermediate : needs.Recompute >= Recomputation.Layer ? 2.0 * _shape.Intermediate : 0)) / ProductRate;

    private double Attention => 2.0 * _positions * needs.Tokens * _shape.QueryWidth / (AttentionShare * rates.Products);

    // What a layer keeps goes out while the next one is computed, and comes in likewise.
    private double KeptBytes => needs.Recompute == Recomputation.Host ? 4.0 * _positions * _shape.Hidden : 0;

    private double Forward() => Math.Max(ForwardWork(), KeptBytes / rates.Out);

    private double Backward() => Math.Max(BackwardWork(), KeptBytes / rates.In);

    private double ForwardWork() => Products(all: true) + Attention + Traffic("norm", "norm", "swiglu", "rotary");

    // Where the model is not trained its weights have no gradient; adapters' own products are small beside the rest.
    private int BackwardProducts => needs.Lora is null ? 2 : 1;

    private double BackwardWork() => BackwardProducts * Products(all: true) + 2.5 * Attention + Traffic("norm backward", "norm backward", "swiglu backward", "rotary backward")
        + (needs.Recompute == Recomputation.None ? 0 : Products(all: false) + Attention);

    private double Traffic(params string[] operations)
    {
        var costs = new OperationCosts(_shape, _positions, needs.Tokens, needs.WideResidual, needs.Precision == Precision.Float8);
        return operations.Sum(operation => costs.Of(operation, 1, 0)?.Bytes ?? 0) / rates.DeviceMemory;
    }

    // Pieces come in one way and go out the other at once; the next forward pass waits only for what it has come to, and the copy of the
    // weights is not waited for.
    private double Exposed(double forward) =>
        Math.Max(0, Math.Max(Traffic(0) / rates.In, Traffic(0) / rates.Out) - needs.UpdateSlots * Offloading.SlotBytes / rates.In - forward * 0.9);

    // Bytes of the state that travel one way, with so many a parameter beside the lower half and the moments.
    private double Traffic(int beside) => needs.TravellingBytes + (double)beside * needs.Layout.Count;

}
