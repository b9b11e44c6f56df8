using static TorchSharp.torch;

namespace Streaming.Model.Reference;

// Shapes: B rows, N heads, T tokens, H head width.

/// <summary>Rotary position embedding for texts that begin at position 0; its tables grow with the longest text seen.</summary>
internal sealed class Rotation(MistralConfig config, ScalarType type, Device device) : IDisposable
{
    private Tensor? _cosines; // (positions, H): each half of a head has the same angles
    private Tensor? _sines;
    private int _positions;

    /// <summary>Prepares the tables for <paramref name="length"/> positions.</summary>
    public void Reserve(int length)
    {
        if (length <= _positions)
            return;
        var count = length * config.HeadSize / 2;
        float[] cosines = new float[count], sines = new float[count];
        RotaryAngles.Fill(config, cosines, sines);
        Dispose();
        _cosines = Table(cosines, length);
        _sines = Table(sines, length);
        _positions = length;
    }

    /// <summary>Turns queries or keys (B, N, T, H); the first half of a head pairs with the second (rotate_half).</summary>
    public Tensor Turn(Tensor x_BNTH)
    {
        using var temporaries = NewDisposeScope();
        long length = x_BNTH.shape[2], half = config.HeadSize / 2;
        var first = x_BNTH.narrow(3, 0, half);
        var second = x_BNTH.narrow(3, half, half);
        var turned = cat([second.neg(), first], 3);
        return x_BNTH.mul(_cosines!.narrow(0, 0, length))
            .Plus(turned.mul(_sines!.narrow(0, 0, length)))
            .MoveToOuterDisposeScope();
    }

    private Tensor Table(float[] values, int length)
    {
        using var temporaries = NewDisposeScope();
        var half = HostTensors.FromFloats(values, [length, config.HeadSize / 2]);
        return cat([half, half], 1).to(type).to(device).DetachFromDisposeScope();
    }

    public void Dispose()
    {
        _cosines?.Dispose();
        _sines?.Dispose();
        _positions = 0;
    }
}
