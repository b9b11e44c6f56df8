namespace Streaming.Streams.Compression;

/// <summary>Places in an archive, in order, as reading comes by them; so far apart that they stay few.</summary>
internal sealed class SeekPointList
{
    private const long BytesApart = 512 << 10;

    private readonly List<SeekPoint> _points = [];

    /// <summary>Adds a place behind all others, unless it lies close to the last one.</summary>
    public void Add(SeekPoint point)
    {
        if (_points.Count == 0 || point.Offset - _points[^1].Offset >= BytesApart)
            _points.Add(point);
    }

    /// <inheritdoc cref="ISeekPoints.SeekPointBefore"/>
    public SeekPoint Before(long offset)
    {
        int low = 0, high = _points.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_points[middle].Offset <= offset)
                low = middle + 1;
            else
                high = middle;
        }
        return low == 0 ? default : _points[low - 1];
    }
}
