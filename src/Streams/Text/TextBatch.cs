namespace Streaming.Streams.Text;

/// <summary>
/// Lines of text in one growing buffer: the element that travels between the stages, so that neither a stage nor a line
/// costs an object. Not thread-safe; the stage that fills it hands it on and forgets it.
/// </summary>
public sealed class TextBatch
{
    private char[] _characters;
    private int[] _ends;
    private int _used;

    public TextBatch(int characters = 4096, int lines = 64)
    {
        _characters = new char[characters];
        _ends = new int[lines];
    }

    /// <summary>Complete lines.</summary>
    public int Count { get; private set; }

    /// <summary>Characters (UTF-16 units) of the complete lines.</summary>
    public int Length => Count == 0 ? 0 : _ends[Count - 1];

    /// <summary>The characters of the complete lines, one line after the other.</summary>
    public ReadOnlySpan<char> Characters => _characters.AsSpan(0, Length);

    /// <summary>The line at <paramref name="index"/>, without a line end.</summary>
    public ReadOnlySpan<char> this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
            var start = index == 0 ? 0 : _ends[index - 1];
            return _characters.AsSpan(start, _ends[index] - start);
        }
    }

    /// <summary>The unfinished line: what was appended since the last <see cref="EndLine"/>.</summary>
    public Span<char> Pending => _characters.AsSpan(Length, _used - Length);

    /// <summary>Room for at least <paramref name="size"/> characters at the end of the unfinished line; follow with <see cref="Advance"/>.</summary>
    public Span<char> GetSpan(int size)
    {
        if (_characters.Length - _used < size)
            Array.Resize(ref _characters, Math.Max(_used + size, _characters.Length * 2));
        return _characters.AsSpan(_used);
    }

    /// <summary>Counts <paramref name="count"/> characters written into <see cref="GetSpan"/> as part of the unfinished line.</summary>
    public void Advance(int count) => _used += count;

    /// <summary>Adds text to the unfinished line.</summary>
    public void Append(ReadOnlySpan<char> text)
    {
        text.CopyTo(GetSpan(text.Length));
        _used += text.Length;
    }

    /// <summary>Completes the unfinished line.</summary>
    public void EndLine()
    {
        if (Count == _ends.Length)
            Array.Resize(ref _ends, _ends.Length * 2);
        _ends[Count++] = _used;
    }

    /// <summary>Adds one complete line.</summary>
    public void AppendLine(ReadOnlySpan<char> text)
    {
        Append(text);
        EndLine();
    }

    /// <summary>Takes the last complete line away, and an unfinished one.</summary>
    public void RemoveLast()
    {
        Count--;
        _used = Length;
    }

    /// <summary>Forgets the unfinished line.</summary>
    public void DiscardPending() => _used = Length;

    /// <summary>Empties the batch and keeps its buffers.</summary>
    public void Clear()
    {
        _used = 0;
        Count = 0;
    }
}
