using Streaming.Model.Fused.Cuda;

namespace Streaming.Model.Fused;

/// <summary>Where kernels find a model's weights.</summary>
internal interface IModelWeights
{
    /// <summary>What the products read, in bf16 or fp16.</summary>
    nint High(long element);

    /// <summary>What makes them float32: of embedding and norms, which are computed in float32, and of others where they are kept.</summary>
    nint Low(long element);

    /// <summary>The output matrix: the embedding's where they are tied, though not always in one place.</summary>
    nint ClassifierHigh { get; }
}

/// <summary>
/// Weights that are not trained: 16 bits, and the rest of float32 for embedding and norms alone. No gradient, no moments.
/// </summary>
internal sealed class FrozenWeights : IModelWeights
{
    private readonly ParameterLayout _layout;
    private readonly nint _high, _lowEmbedding, _lowNorms;
    private readonly int _lowBytes;

    /// <param name="device">Where they live.</param>
    /// <param name="layout">Of the model.</param>
    /// <param name="halfPrecision">fp16 beside whole float32 instead of bf16 beside its rest.</param>
    public FrozenWeights(IDeviceMemory device, ParameterLayout layout, bool halfPrecision)
    {
        (_layout, _lowBytes) = (layout, FlatBuffers.LowBytesFor(halfPrecision));
        _high = device.Allocate(layout.Count * sizeof(ushort), "the weights");
        _lowEmbedding = device.Allocate(layout.LayersBegin * _lowBytes, "the embedding's float32 weights");
        _lowNorms = device.Allocate((layout.Count - layout.Norms) * _lowBytes, "the norms' float32 weights");
        device.Clear(_high, layout.Count * sizeof(ushort)); // padding
        device.Clear(_lowEmbedding, layout.LayersBegin * _lowBytes);
        device.Clear(_lowNorms, (layout.Count - layout.Norms) * _lowBytes);
    }

    public nint ClassifierHigh => High(_layout.Classifier);

    public nint High(long element) => _high + (nint)(element * sizeof(ushort));

    public nint Low(long element) => element < _layout.LayersBegin ? _lowEmbedding + (nint)(element * _lowBytes)
        : element >= _layout.Norms ? _lowNorms + (nint)((element - _layout.Norms) * _lowBytes)
        : throw new InvalidOperationException($"element {element} is kept in 16 bits alone");

    /// <summary>Device bytes of all of it.</summary>
    public static long Predict(ParameterLayout layout, bool halfPrecision) =>
        layout.Count * sizeof(ushort) + (layout.LayersBegin + layout.Count - layout.Norms) * FlatBuffers.LowBytesFor(halfPrecision);

    /// <summary>Copies what <see cref="PreparedWeights"/> made.</summary>
    /// <param name="high">Host address of the upper halves.</param>
    /// <param name="low">Of the lower ones; those of embedding and norms are read.</param>
    /// <param name="copy">Copies to a device address from a host address so many bytes.</param>
    public void Upload(nint high, nint low, Action<nint, nint, long> copy)
    {
        copy(_high, high, _layout.Count * sizeof(ushort));
        copy(_lowEmbedding, low, _layout.LayersBegin * _lowBytes);
        copy(_lowNorms, low + (nint)(_layout.Norms * _lowBytes), (_layout.Count - _layout.Norms) * _lowBytes);
    }
}
