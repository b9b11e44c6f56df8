namespace Streaming.Streams.Compression;

/// <summary>
/// Places in an archive, in order, as reading comes by them: the first of every half a megabyte, so that they stay few and
/// the same ones are kept wherever reading began.
/// </summary>
internal sealed class SeekPointList
{
    private const long BytesApart = 512 << 10;

    private readonly List<SeekPoint> _points = [];

    /// <summary>Adds a place behind all others.</summary>
    public void Add(SeekPoint point)
    {
        if (point.Offset > 0 && (_points.Count == 0 || point.Offset / BytesApart > _points[^1].Offset / BytesApart))
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
