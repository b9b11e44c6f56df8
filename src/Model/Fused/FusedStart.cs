using System.Runtime.InteropServices;
using Streaming.Model.Engines;
using Streaming.Model.Measurement;
using Streaming.Model.Parameters;

namespace Streaming.Model.Fused;

/// <summary>What of the fused engine's start needs no libtorch, begun on other threads: the GPU's context and the first weights.</summary>
public sealed class FusedStart : IDisposable
{
    private FusedStart(PreparedWeights weights) => Weights = weights;

    public PreparedWeights Weights { get; }

    /// <summary>Begins, where NVIDIA's driver is installed and the model's shape is one of the fused engine's; null elsewhere.</summary>
    /// <param name="model">The model's shape.</param>
    /// <param name="precision">What will be computed in.</param>
    /// <param name="device">GPU index.</param>
    /// <param name="source">The first weights; belongs to this until it is disposed.</param>
    /// <param name="isFrozen">They are not trained.</param>
    public static FusedStart? TryBegin(MistralConfig model, Precision precision, int device, IWeightSource source, bool isFrozen = false)
    {
        if (!NativeLibrary.TryLoad("libcuda.so.1", out _))
            return null;
        try
        {
            var start = new FusedStart(new PreparedWeights(model, source, precision == Precision.Float16, isFrozen));
            new Thread(() =>
            {
                using (StartTrace.Phase("context, ahead")) Cuda.CudaDevice.Prepare(device);
            })
            { IsBackground = true }.Start();
            return start;
        }
        catch (NotSupportedException)
        {
            return null; // the engine says it again, to whom it concerns
        }
    }

    public void Dispose() => Weights.Dispose();
}
