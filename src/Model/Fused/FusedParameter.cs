using Streaming.Model.Engines;

namespace Streaming.Model.Fused;

/// <summary>One parameter in the flat buffers.</summary>
/// <param name="buffers">They.</param>
/// <param name="entry">The parameter's place.</param>
/// <param name="weightsChanged">Called before the weight is written.</param>
internal sealed class FusedParameter(FlatBuffers buffers, ParameterLayout.Entry entry, Action weightsChanged) : IParameterState
{
    public string Name => entry.Name;
    public IReadOnlyList<long> Shape => entry.Shape;

    public void Read(StateKind kind, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, entry.Count);
        if (kind == StateKind.Weight) buffers.ReadWeights(entry.Offset, destination);
        else if (kind == StateKind.Gradient) buffers.ReadGradient(entry.Offset, destination);
        else buffers.Moments.Read(kind, entry.Offset, destination);
    }

    public void Write(StateKind kind, ReadOnlySpan<float> source)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(source.Length, entry.Count);
        if (kind == StateKind.Gradient)
            throw new InvalidOperationException("a gradient is read only");
        if (kind != StateKind.Weight)
        {
            buffers.Moments.Write(kind, entry.Offset, source);
            return;
        }
        weightsChanged();
        buffers.WriteWeights(entry.Offset, source);
    }
}
