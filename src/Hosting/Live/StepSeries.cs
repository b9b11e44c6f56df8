namespace Streaming.Hosting.Live;

/// <summary>
/// All steps of a run in their order, in memory without references for the collector to follow: pieces of 2,048 points. Beyond
/// two million points every second one is given up, and from then on points are added at that stride. Not thread-safe.
/// </summary>
internal sealed class StepSeries(int capacity = 1 << 21)
{
    private const int PieceLength = 2048;

    private readonly List<StepPoint[]> _pieces = [];
    private int _stride = 1;
    private int _skipped;

    public int Count { get; private set; }

    public StepPoint this[int index] => _pieces[index / PieceLength][index % PieceLength];

    public void Add(StepPoint point)
    {
        if (_skipped + 1 < _stride)
        {
            _skipped++;
            return;
        }
        _skipped = 0;
        if (Count == capacity)
            Thin();
        Append(point);
    }

    /// <summary>Forgets the steps beyond one: they are taken again.</summary>
    public void Truncate(long step)
    {
        while (Count > 0 && this[Count - 1].Step > step)
            Count--;
    }

    /// <summary>Index of the first point at or beyond a step.</summary>
    public int Find(long step)
    {
        int low = 0, high = Count;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (this[middle].Step < step)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    private void Append(StepPoint point)
    {
        if (Count / PieceLength == _pieces.Count)
            _pieces.Add(new StepPoint[PieceLength]);
        _pieces[Count / PieceLength][Count % PieceLength] = point;
        Count++;
    }

    private void Thin()
    {
        _stride *= 2;
        var kept = 0;
        for (var index = 1; index < Count; index += 2, kept++)
            _pieces[kept / PieceLength][kept % PieceLength] = this[index];
        Count = kept;
    }
}
