namespace Streaming.Streams.Text;

/// <summary>A growing list of token ids whose storage can be read as a span and reused. Not thread-safe.</summary>
public sealed class TokenBuffer(int capacity = 1024)
{
    private int[] _items = new int[capacity];

    public int Count { get; private set; }

    public ReadOnlySpan<int> Span => _items.AsSpan(0, Count);

    public void Add(int id)
    {
        if (Count == _items.Length)
            Array.Resize(ref _items, _items.Length * 2);
        _items[Count++] = id;
    }

    /// <summary>Room for at least <paramref name="size"/> more ids; follow with <see cref="Advance"/>.</summary>
    public Span<int> GetSpan(int size)
    {
        if (_items.Length - Count < size)
            Array.Resize(ref _items, Math.Max(Count + size, _items.Length * 2));
        return _items.AsSpan(Count);
    }

    public void Advance(int count) => Count += count;

    public void Clear() => Count = 0;

    /// <summary>Puts another in place of the last, which is there.</summary>
    internal void ReplaceLast(int id) => _items[Count - 1] = id;

    /// <summary>Keeps the first ids only.</summary>
    internal void Truncate(int count) => Count = count;
}
