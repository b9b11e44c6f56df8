using TorchSharp;

namespace Streaming.Model.Measurement;

/// <summary>Tensors that have not been disposed: a number that grows is a leak. May be read from any thread, without libtorch.</summary>
public static class LiveTensors
{
    public static long Count => torch.Tensor.TotalCount;
}
