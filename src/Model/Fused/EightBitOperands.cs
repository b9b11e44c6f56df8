using Streaming.Model.Fused.Cuda;

namespace Streaming.Model.Fused;

/// <summary>
/// What fp8 products need: a scale for each tensor that is rounded, its recent magnitudes, and 8-bit copies of the weights (as they are
/// for the forward products, transposed for the input gradients). The output projection, the classifier and all weight gradients
/// stay in 16 bits.
/// </summary>
internal sealed class EightBitOperands
{
    public const int History = 16;
    private const int ScalingBytes = 32, InverseOffset = 16;
    private const float E4M3Largest = 448f, E5M2Largest = 57344f;

    /// <summary>The rounded tensors of a layer, activations and gradients.</summary>
    public enum Site { AttentionInput, FeedForwardInput, Product, DPacked, DGateUp, DResidual }

    /// <summary>The 8-bit matrices of a layer.</summary>
    public enum Matrix { Packed, GateUp, Down }

    private const int Sites = 6, Matrices = 3;
    private readonly nint _scalings, _weightScalings;
    private readonly long[] _weightOffsets;

    public EightBitOperands(CudaDevice device, FusedShape shape, ParameterLayout layout)
    {
        Tensors = shape.Layers * Sites;
        WeightTensors = shape.Layers * Matrices;
        _scalings = device.Allocate((long)Tensors * ScalingBytes, "scales");
        _weightScalings = device.Allocate((long)WeightTensors * ScalingBytes, "scales");
        Magnitudes = device.Allocate((long)Tensors * History * sizeof(float), "scale history");
        FormatLargest = device.Allocate((long)Tensors * sizeof(float), "format bounds");

        Shapes = new (long, int, int)[WeightTensors];
        _weightOffsets = new long[WeightTensors];
        long bytes = 0;
        for (var layer = 0; layer < shape.Layers; layer++)
        {
            var offsets = layout.Layers[layer];
            Shapes[layer * Matrices + (int)Matrix.Packed] = (offsets.PackedProjection, shape.PackedWidth, shape.Hidden);
            Shapes[layer * Matrices + (int)Matrix.GateUp] = (offsets.GateUp, 2 * shape.Intermediate, shape.Hidden);
            Shapes[layer * Matrices + (int)Matrix.Down] = (offsets.Down, shape.Hidden, shape.Intermediate);
        }
        for (var i = 0; i < WeightTensors; i++)
        {
            _weightOffsets[i] = bytes;
            bytes += ((long)Shapes[i].Rows * Shapes[i].Columns + 255) / 256 * 256;
        }
        StraightBase = device.Allocate(bytes, "8-bit weights");
        TransposedBase = device.Allocate(bytes, "transposed 8-bit weights");

        var bounds = new float[Tensors];
        for (var i = 0; i < Tensors; i++) bounds[i] = (Site)(i % Sites) >= Site.DPacked ? E5M2Largest : E4M3Largest;
        device.Upload<float>(FormatLargest, bounds);
        Reset(device);
    }

    public int Tensors { get; }
    public int WeightTensors { get; }
    public nint Magnitudes { get; }
    public nint FormatLargest { get; }
    public nint Scalings => _scalings;
    public nint WeightScalings => _weightScalings;

    /// <summary>Offset in the flat buffers, rows and columns of each 8-bit matrix.</summary>
    public (long Offset, int Rows, int Columns)[] Shapes { get; }

    private nint StraightBase { get; }
    private nint TransposedBase { get; }

    public nint Scaling(int layer, Site site) => _scalings + (layer * Sites + (int)site) * ScalingBytes;
    public nint Inverse(int layer, Site site) => Scaling(layer, site) + InverseOffset;
    public nint WeightScaling(int tensor) => _weightScalings + tensor * ScalingBytes;
    public nint WeightInverse(int layer, Matrix matrix) => WeightScaling(layer * Matrices + (int)matrix) + InverseOffset;
    public nint Straight(int layer, Matrix matrix) => Straight(layer * Matrices + (int)matrix);
    public nint Transposed(int layer, Matrix matrix) => Transposed(layer * Matrices + (int)matrix);
    public nint Straight(int tensor) => StraightBase + (nint)_weightOffsets[tensor];
    public nint Transposed(int tensor) => TransposedBase + (nint)_weightOffsets[tensor];

    /// <summary>The records of scales and the magnitudes behind them: (tensors, 8) and (tensors, history) float32 bit patterns, one after the other.</summary>
    public float[] Read(CudaDevice device)
    {
        var state = new float[StateLength];
        device.Download(state.AsSpan(0, RecordLength), _scalings);
        device.Download(state.AsSpan(RecordLength), Magnitudes);
        return state;
    }

    /// <summary>Puts back what <see cref="Read"/> gave.</summary>
    /// <returns>False, and nothing is changed, where it is not of these tensors.</returns>
    public bool TryWrite(CudaDevice device, ReadOnlySpan<float> state)
    {
        if (state.Length != StateLength) return false;
        device.Upload(_scalings, state[..RecordLength]);
        device.Upload(Magnitudes, state[RecordLength..]);
        return true;
    }

    private int RecordLength => Tensors * ScalingBytes / sizeof(float);
    private int StateLength => RecordLength + Tensors * History;

    /// <summary>Forgets the magnitudes seen; every scale is 1.</summary>
    public void Reset(CudaDevice device)
    {
        const int floats = ScalingBytes / sizeof(float);
        var initial = new float[Tensors * floats];
        for (var i = 0; i < Tensors; i++) (initial[i * floats], initial[i * floats + InverseOffset / sizeof(float)]) = (1f, 1f);
        device.Upload<float>(_scalings, initial);
        device.Clear(_weightScalings, (long)WeightTensors * ScalingBytes);
        device.Clear(Magnitudes, (long)Tensors * History * sizeof(float));
    }
}
