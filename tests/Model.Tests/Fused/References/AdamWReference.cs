namespace Streaming.Model.Tests.Fused.References;

/// <summary>torch.optim.AdamW on one element, in double, and the error that float32 may gather beside it.</summary>
internal sealed class AdamWReference(double weight, double decay, double beta1, double beta2, double epsilon)
{
    private const double Unit = Expected.Unit;
    private double _weight = weight, _first, _second;
    private double _weightSlack, _firstSlack, _secondError; // the second moment only ever adds what is positive: a relative error
    private int _step;

    public Expected Weight => new(_weight, _weightSlack);
    public Expected First => new(_first, _firstSlack);
    public Expected Second => new(_second, _secondError * _second);

    public void Step(double gradient, double rate)
    {
        _step++;
        _weight *= 1 - rate * decay;
        _firstSlack = beta1 * _firstSlack + 3 * Unit * (Math.Abs(_first) + Math.Abs(gradient));
        _first = beta1 * _first + (1 - beta1) * gradient;
        _second = beta2 * _second + (1 - beta2) * gradient * gradient;
        _secondError += 5 * Unit;

        var stepSize = rate / (1 - Math.Pow(beta1, _step));
        var denominator = Math.Sqrt(_second) / Math.Sqrt(1 - Math.Pow(beta2, _step)) + epsilon;
        _weight -= stepSize * _first / denominator;
        // The decay factor, its product with the weight and the subtraction are rounded; the update errs as its parts do.
        _weightSlack += 4 * Unit * (Math.Abs(_weight) + rate)
            + stepSize * (_firstSlack + Math.Abs(_first) * (_secondError / 2 + 10 * Unit)) / denominator;
    }
}
