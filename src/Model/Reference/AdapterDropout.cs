using TorchSharp;
using static TorchSharp.torch;

namespace Streaming.Model.Reference;

/// <summary>
/// Leaves out a share of the adapters' inputs in training passes (Srivastava et al. 2014), and makes the rest count as much more. It draws
/// from a generator of its own, so that the same seed leaves out the same whatever else the process draws.
/// </summary>
internal sealed class AdapterDropout(double share, Device device) : IDisposable
{
    private readonly Scalar _share = share.ToScalar(), _rest = (1 / (1 - share)).ToScalar();
    private Generator? _generator;

    /// <summary>Begins a pass.</summary>
    public void Begin(ulong seed)
    {
        _generator?.Dispose();
        _generator = new Generator(seed, device);
    }

    /// <summary>The input as a pass sees it: whole where no gradient is wanted, because that is no training.</summary>
    public Tensor Apply(Tensor x)
    {
        if (!is_grad_enabled())
            return x;
        using var temporaries = NewDisposeScope();
        var kept = rand(x.shape, ScalarType.Float32, device, generator: _generator).ge(_share).to(x.dtype);
        var rest = x.mul(kept).mul(_rest).MoveToOuterDisposeScope();
        GC.KeepAlive(this);
        return rest;
    }

    public void Dispose()
    {
        _generator?.Dispose();
        _share.Dispose();
        _rest.Dispose();
    }
}
