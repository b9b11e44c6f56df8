namespace Streaming.Streams.Wikipedia;

/// <summary>Headings whose sections have no text yet: those that get some are written before it, the others never.</summary>
internal sealed class PendingHeadings
{
    public const int Levels = 6;

    private readonly byte[][] _titles = new byte[Levels][];
    private readonly int[] _lengths = new int[Levels]; // 0 where none waits

    public bool Any { get; private set; }

    /// <summary>The waiting title of a level, 1 to 6; empty where none waits.</summary>
    public ReadOnlySpan<byte> this[int level] => _titles[level - 1].AsSpan(0, _lengths[level - 1]);

    /// <summary>Adds a heading; sections within the ones before it have ended.</summary>
    public void Add(int level, ReadOnlySpan<byte> title)
    {
        _lengths.AsSpan(level - 1).Clear();
        ref var room = ref _titles[level - 1];
        if (room is null || room.Length < title.Length)
            room = new byte[Math.Max(256, title.Length * 2)];
        title.CopyTo(room);
        _lengths[level - 1] = title.Length;
        Any = true;
    }

    public void Clear()
    {
        if (Any)
            _lengths.AsSpan().Clear();
        Any = false;
    }

    /// <summary>Reads a line as a heading: equals signs at both ends, as many as both have, six at most.</summary>
    public static bool Parse(ReadOnlySpan<byte> line, out int level, out ReadOnlySpan<byte> title)
    {
        line = line.TrimEnd(" \t"u8);
        var leading = line.IndexOfAnyExcept((byte)'=');
        var trailing = line.Length - 1 - line.LastIndexOfAnyExcept((byte)'=');
        level = leading < 0 ? 0 : Math.Min(Math.Min(leading, trailing), Levels);
        title = level > 0 ? line[level..^level].Trim(" \t"u8) : default;
        return level > 0;
    }
}
