using Streaming.Model.Optimizers;
using Streaming.Model.Parameters;
using Streaming.Model.Reference;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Streaming.Model.Engines;

/// <summary>One parameter of the reference engine: what the model computes with, and what the optimiser keeps.</summary>
internal sealed class ReferenceParameter : IParameterState, IDisposable
{
    private readonly ModelParameter _parameter;
    private readonly Parameter _weight; // in the model's type
    private readonly Tensor _gradient; // in the model's type; autograd adds into it

    public ReferenceParameter(ModelParameter parameter, Parameter weight, OptimizerOptions optimizer)
    {
        using var temporaries = NewDisposeScope();
        using var gradientOff = no_grad();
        (_parameter, _weight) = (parameter, weight);
        _gradient = zeros_like(weight).DetachFromDisposeScope();
        weight.grad = _gradient;
        var isWide = weight.dtype == ScalarType.Float32;
        Optimized = new OptimizedParameter(
            isWide ? weight : Zeros(),
            isWide ? _gradient : Zeros(),
            Zeros(),
            Zeros(),
            Decays: optimizer.Decay == DecayTarget.All || parameter.Role != ParameterRole.Norm,
            UpdateRules.For(optimizer.Kind, parameter));

        Tensor Zeros() => zeros(weight.shape, ScalarType.Float32, weight.device).DetachFromDisposeScope();
    }

    public OptimizedParameter Optimized { get; }

    public string Name => _parameter.Name;

    public IReadOnlyList<long> Shape => _parameter.Shape;

    public long Count => _parameter.Count;

    private bool HasMaster => !ReferenceEquals(Optimized.Weight, _weight);

    public void Load(IWeightSource source)
    {
        var values = new float[Count];
        source.Read(_parameter, values);
        Write(StateKind.Weight, values);
    }

    /// <summary>After a backward pass: adds what the model's type holds to the float32 sum.</summary>
    public void CollectGradient()
    {
        if (!HasMaster)
            return;
        using var temporaries = NewDisposeScope(); // zero_ returns a second handle
        using var gradientOff = no_grad();
        Optimized.Gradient.AddInPlace(_gradient);
        _gradient.zero_();
    }

    /// <summary>After the optimiser: clears the gradient and rounds the master weight to the model's type.</summary>
    public void FinishStep(bool updated)
    {
        using var temporaries = NewDisposeScope();
        using var gradientOff = no_grad();
        Optimized.Gradient.zero_();
        if (updated && HasMaster)
            _weight.copy_(Optimized.Weight);
    }

    public void Read(StateKind kind, Span<float> destination) => HostTensors.Read(Buffer(kind), destination);

    public void Write(StateKind kind, ReadOnlySpan<float> source)
    {
        if (kind == StateKind.Gradient)
            throw new InvalidOperationException("a gradient is read only");
        HostTensors.Write(Buffer(kind), source);
        if (kind == StateKind.Weight && HasMaster)
            FinishStep(updated: true);
    }

    private Tensor Buffer(StateKind kind) => kind switch
    {
        StateKind.Weight => Optimized.Weight,
        StateKind.FirstMoment => Optimized.FirstMoment,
        StateKind.SecondMoment => Optimized.SecondMoment,
        _ => Optimized.Gradient,
    };

    public void Dispose()
    {
        if (HasMaster)
        {
            Optimized.Weight.Dispose();
            Optimized.Gradient.Dispose();
        }
        _gradient.Dispose();
    }
}
