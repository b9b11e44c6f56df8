using System.Runtime.InteropServices;

namespace Streaming.Streams.Cleaning;

/// <summary>
/// A stored state of a <see cref="FingerprintIndex"/>: 64-bit words, little-endian as every machine is that the program runs on. A mark of the format, the number of entries
/// ever, the position of the first one stored, the epoch, the entries, and a check of all words before it. Each step of the
/// check can be undone, so a single changed word always shows and any other change with 1 - 2^-64.
/// </summary>
internal static class FingerprintIndexFile
{
    private const ulong Mark = 0x3158_4449_5055_4453; // "SDUPIDX1"
    private const int WordsAtOnce = 8192;

    /// <summary>What stands before the entries.</summary>
    /// <param name="Count">Entries ever.</param>
    /// <param name="First">Position of the first one stored; from it to <paramref name="Count"/> all are.</param>
    /// <param name="Epoch">The epoch that they are of; -1 where none had begun.</param>
    internal readonly record struct Header(long Count, long First, long Epoch);

    /// <param name="destination">Receives the state.</param>
    /// <param name="header">What it is.</param>
    /// <param name="read">Gives the entries from a position on; asked in order.</param>
    public static void Write(Stream destination, Header header, Action<long, ulong[]> read)
    {
        ulong[] head = [Mark, (ulong)header.Count, (ulong)header.First, (ulong)header.Epoch];
        var check = Write(destination, head, 0);
        var entries = new ulong[WordsAtOnce];
        for (var position = header.First; position < header.Count; position += entries.Length)
        {
            if (header.Count - position < entries.Length)
                entries = new ulong[header.Count - position];
            read(position, entries);
            check = Write(destination, entries, check);
        }
        Write(destination, [check], 0);
    }

    /// <param name="source">A state.</param>
    /// <param name="count">The entries that it must have had.</param>
    /// <param name="add">Takes entries and the position of the first; called in order, before the check is known.</param>
    /// <exception cref="InvalidDataException">It is something else, damaged, or of another count.</exception>
    public static Header Read(Stream source, long count, Action<long, ulong[]> add)
    {
        var head = new ulong[4];
        var check = Read(source, head, 0);
        var header = new Header((long)head[1], (long)head[2], (long)head[3]);
        if (head[0] != Mark)
            throw new InvalidDataException("the duplicate index is no such file; start from another checkpoint.");
        if (header.Count != count)
            throw new InvalidDataException($"the duplicate index has {header.Count} entries, the cursor {count}; start from another checkpoint.");
        if (header.First < 0 || header.First > header.Count || header.Count > long.MaxValue / 2 || header.Epoch < -1 || header.Count - header.First > DuplicateOptions.MostMemoryBytes / sizeof(ulong))
            throw Damaged();
        var entries = new ulong[WordsAtOnce];
        for (var position = header.First; position < header.Count; position += entries.Length)
        {
            if (header.Count - position < entries.Length)
                entries = new ulong[header.Count - position];
            check = Read(source, entries, check);
            if (entries.AsSpan().Contains(0UL))
                throw Damaged();
            add(position, entries);
        }
        var stored = new ulong[1];
        Read(source, stored, 0);
        if (stored[0] != check || source.ReadByte() >= 0)
            throw Damaged();
        return header;
    }

    private static ulong Write(Stream destination, ReadOnlySpan<ulong> words, ulong check)
    {
        destination.Write(MemoryMarshal.AsBytes(words));
        return Extend(check, words);
    }

    private static ulong Read(Stream source, Span<ulong> words, ulong check)
    {
        var bytes = MemoryMarshal.AsBytes(words);
        if (source.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length)
            throw Damaged();
        return Extend(check, words);
    }

    private static ulong Extend(ulong check, ReadOnlySpan<ulong> words)
    {
        foreach (var word in words)
            check = ulong.RotateLeft((check ^ word) * 0x9E3779B97F4A7C15, 31);
        return check;
    }

    private static InvalidDataException Damaged() => new("the duplicate index is damaged; start from another checkpoint.");
}
