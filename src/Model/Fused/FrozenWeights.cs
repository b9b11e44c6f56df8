using Streaming.Model.Fused.Cuda;
using Streaming.Model.Fused.Offload;

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
/// Weights that are not trained: 16 bits, and the rest of float32 for embedding and norms alone. No gradient, no moments. On the device,
/// or in host memory, of which layers then come to it in turn (<see cref="StreamedWeights"/>) and the embedding is read there.
/// </summary>
internal sealed class FrozenWeights : IModelWeights
{
    private readonly ParameterLayout _layout;
    private readonly AddressMap _high = new(sizeof(ushort));
    private readonly nint _lowEmbedding, _lowNorms;
    private readonly int _lowBytes;
    private readonly bool _isStreamed;

    /// <param name="device">Where they live, or pass through.</param>
    /// <param name="layout">Of the model.</param>
    /// <param name="halfPrecision">fp16 beside whole float32 instead of bf16 beside its rest.</param>
    /// <param name="home">Page-locked host address of all upper halves, where they stay there; 0 has them on the device.</param>
    public FrozenWeights(IDeviceMemory device, ParameterLayout layout, bool halfPrecision, nint home = 0)
    {
        (_layout, _lowBytes, _isStreamed) = (layout, FlatBuffers.LowBytesFor(halfPrecision), home != 0);
        if (_isStreamed)
        {
            _high.Add(0, layout.LayersBegin, home);
            _high.AddTurns(layout, Take(2 * layout.LayerCount * sizeof(ushort), "the weights of two layers"));
            _high.Add(layout.Norms, layout.Count, Take((layout.Count - layout.Norms) * sizeof(ushort), "the norms' weights"));
            ClassifierHigh = Take(layout.ClassifierCount * sizeof(ushort), "the output matrix");
        }
        else
        {
            _high.Add(0, layout.Count, Take(layout.Count * sizeof(ushort), "the weights"));
            ClassifierHigh = High(layout.Classifier);
        }
        _lowEmbedding = Take(layout.LayersBegin * _lowBytes, "the embedding's float32 weights");
        _lowNorms = Take((layout.Count - layout.Norms) * _lowBytes, "the norms' float32 weights");

        nint Take(long bytes, string purpose)
        {
            var address = device.Allocate(bytes, purpose);
            device.Clear(address, bytes); // padding
            return address;
        }
    }

    public nint ClassifierHigh { get; }

    public nint High(long element) => _high.At(element);

    public nint Low(long element) => element < _layout.LayersBegin ? _lowEmbedding + (nint)(element * _lowBytes)
        : element >= _layout.Norms ? _lowNorms + (nint)((element - _layout.Norms) * _lowBytes)
        : throw new InvalidOperationException($"element {element} is kept in 16 bits alone");

    /// <summary>Device bytes of all of it.</summary>
    public static long Predict(ParameterLayout layout, bool halfPrecision, bool isStreamed)
    {
        long norms = layout.Count - layout.Norms;
        return (isStreamed ? 2 * layout.LayerCount + layout.ClassifierCount + norms : layout.Count) * sizeof(ushort)
            + (layout.LayersBegin + norms) * FlatBuffers.LowBytesFor(halfPrecision);
    }

    /// <summary>Host bytes that stay page-locked.</summary>
    public static long PredictHost(ParameterLayout layout, bool isStreamed) => isStreamed ? layout.Count * sizeof(ushort) : 0;

    /// <summary>Copies what <see cref="PreparedWeights"/> made.</summary>
    /// <param name="high">Host address of the upper halves.</param>
    /// <param name="low">Of the lower ones; those of embedding and norms are read.</param>
    /// <param name="copy">Copies to a device address from a host address so many bytes.</param>
    public void Upload(nint high, nint low, Action<nint, nint, long> copy)
    {
        var begin = _isStreamed ? _layout.Norms : 0;
        copy(High(begin), high + (nint)(begin * sizeof(ushort)), (_layout.Count - begin) * sizeof(ushort));
        copy(_lowEmbedding, low, _layout.LayersBegin * _lowBytes);
        copy(_lowNorms, low + (nint)(_layout.Norms * _lowBytes), (_layout.Count - _layout.Norms) * _lowBytes);
    }
}
