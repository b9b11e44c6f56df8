using Streaming.Model.Engines;

namespace Streaming.Model.Fused.Adapters;

/// <summary>A matrix that lies turned in the flat buffers.</summary>
/// <param name="inner">As it lies: (columns, rows).</param>
internal sealed class TurnedParameter(IParameterState inner) : IParameterState
{
    private readonly int _rows = (int)inner.Shape[1], _columns = (int)inner.Shape[0];

    public string Name => inner.Name;
    public IReadOnlyList<long> Shape { get; } = [inner.Shape[1], inner.Shape[0]];

    public void Read(StateKind kind, Span<float> destination)
    {
        var values = new float[destination.Length];
        inner.Read(kind, values);
        for (var row = 0; row < _rows; row++)
            for (var column = 0; column < _columns; column++) destination[row * _columns + column] = values[column * _rows + row];
    }

    public void Write(StateKind kind, ReadOnlySpan<float> source)
    {
        var values = new float[source.Length];
        for (var row = 0; row < _rows; row++)
            for (var column = 0; column < _columns; column++) values[column * _rows + row] = source[row * _columns + column];
        inner.Write(kind, values);
    }
}
