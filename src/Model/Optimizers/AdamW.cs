using Streaming.Model.Engines;
using Streaming.Model.Reference;
using TorchSharp;
using static TorchSharp.torch;

namespace Streaming.Model.Optimizers;

/// <summary>What the optimiser keeps of one parameter, all in float32 and of the parameter's shape.</summary>
/// <param name="Weight">The weight, or the master weight where the model computes in less.</param>
/// <param name="Gradient">The step's gradient.</param>
/// <param name="FirstMoment">Running mean of the gradient.</param>
/// <param name="SecondMoment">Running mean of the squared gradient.</param>
/// <param name="Decays">Whether weight decay applies.</param>
/// <param name="Rule">What updates it.</param>
internal sealed record OptimizedParameter(
    Tensor Weight, Tensor Gradient, Tensor FirstMoment, Tensor SecondMoment, bool Decays, UpdateRule Rule = UpdateRule.AdamW);

/// <summary>
/// AdamW with decoupled decay (Loshchilov and Hutter 2019), operation by operation as PyTorch's <c>torch.optim.AdamW</c>; parameters
/// that have another <see cref="UpdateRule"/> are updated by that.
/// Every number that native code reads is held by a field or a local until the call is over.
/// </summary>
internal sealed class AdamW : IDisposable
{
    private readonly IReadOnlyList<OptimizedParameter> _parameters;
    private readonly OptimizerOptions _options;
    private readonly Tensor _firstMomentShare; // 1 - beta1
    private readonly Scalar _secondMomentKept, _secondMomentShare, _epsilon;

    public AdamW(IReadOnlyList<OptimizedParameter> parameters, OptimizerOptions options, Device device)
    {
        (_parameters, _options) = (parameters, options);
        _firstMomentShare = zeros([], ScalarType.Float32, device);
        HostTensors.Write(_firstMomentShare, [(float)(1 - options.Beta1)]);
        _firstMomentShare.DetachFromDisposeScope();
        _secondMomentKept = options.Beta2.ToScalar();
        _secondMomentShare = (1 - options.Beta2).ToScalar();
        _epsilon = options.Epsilon.ToScalar();
    }

    /// <summary>L2 norm of all gradients together, as <c>clip_grad_norm_</c> computes it: the norm of the parameters' norms.</summary>
    /// <param name="lossScale">What they are too large by: they are divided by it first.</param>
    public float GradientNorm(float lossScale = 1)
    {
        using var temporaries = NewDisposeScope();
        using var gradientOff = no_grad();
        if (lossScale != 1)
        {
            using var inverse = (1 / lossScale).ToScalar();
            foreach (var parameter in _parameters)
                parameter.Gradient.mul_(inverse);
        }
        var norms = new Tensor[_parameters.Count];
        for (var i = 0; i < norms.Length; i++)
            norms[i] = _parameters[i].Gradient.norm();
        var total = HostTensors.Scalar(stack(norms).norm());
        GC.KeepAlive(norms);
        return total;
    }

    /// <summary>Scales every gradient so that their norm is at most the limit.</summary>
    /// <param name="norm">What <see cref="GradientNorm"/> returned.</param>
    public void Clip(float norm)
    {
        if (_options.MaxGradientNorm <= 0)
            return;
        var coefficient = (float)_options.MaxGradientNorm / (norm + 1e-6f);
        if (coefficient >= 1)
            return;
        using var gradientOff = no_grad();
        using var scale = coefficient.ToScalar();
        foreach (var parameter in _parameters)
            parameter.Gradient.mul_(scale);
    }

    /// <summary>Updates every weight.</summary>
    /// <param name="learningRate">The step's learning rate.</param>
    /// <param name="step">The step's number; the first is 1.</param>
    public void Step(double learningRate, long step)
    {
        using var gradientOff = no_grad();
        using var kept = (1 - learningRate * _options.WeightDecay).ToScalar();
        using var stepSize = (-learningRate / (1 - Math.Pow(_options.Beta1, step))).ToScalar();
        using var secondCorrection = Math.Sqrt(1 - Math.Pow(_options.Beta2, step)).ToScalar();
        foreach (var parameter in _parameters)
        {
            using var temporaries = NewDisposeScope();
            if (parameter.Rule == UpdateRule.Muon)
            {
                Muon.Step(parameter, learningRate, _options.WeightDecay);
                continue;
            }
            if (parameter.Decays && _options.WeightDecay != 0)
                parameter.Weight.mul_(kept);
            parameter.FirstMoment.lerp_(parameter.Gradient, _firstMomentShare);
            parameter.SecondMoment.mul_(_secondMomentKept).addcmul_(parameter.Gradient, parameter.Gradient, _secondMomentShare);
            var denominator = parameter.SecondMoment.sqrt();
            denominator.div_(secondCorrection);
            denominator.AddInPlace(_epsilon);
            parameter.Weight.addcdiv_(parameter.FirstMoment, denominator, stepSize);
            if (parameter.Rule == UpdateRule.AdamW8Bit)
                RoundMoments(parameter, (uint)step);
        }
        GC.KeepAlive(this);
    }

    /// <summary>What 8 bits keep of the moments; they still take float32's memory here.</summary>
    private static void RoundMoments(OptimizedParameter parameter, uint step)
    {
        var values = new float[parameter.FirstMoment.NumberOfElements];
        HostTensors.Read(parameter.FirstMoment, values);
        BlockQuantization.RoundAtRandom(values, isFirst: true, step);
        HostTensors.Write(parameter.FirstMoment, values);
        HostTensors.Read(parameter.SecondMoment, values);
        BlockQuantization.RoundAtRandom(values, isFirst: false, step);
        HostTensors.Write(parameter.SecondMoment, values);
    }

    public void Dispose()
    {
        _firstMomentShare.Dispose();
        _secondMomentKept.Dispose();
        _secondMomentShare.Dispose();
        _epsilon.Dispose();
        foreach (var parameter in _parameters)
        {
            parameter.FirstMoment.Dispose();
            parameter.SecondMoment.Dispose();
        }
    }
}
