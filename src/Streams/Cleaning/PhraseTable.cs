using System.Runtime.CompilerServices;

namespace Streaming.Streams.Cleaning;

/// <summary>
/// Finds the longest known phrase at a place of a folded text. A bit map over the first two characters turns most places
/// away without a look-up. Thread-safe, allocates nothing.
/// </summary>
internal sealed class PhraseTable
{
    private const int BitMapWords = 1 << 10;

    private readonly ulong[] _startBits = new ulong[BitMapWords];
    private readonly Dictionary<uint, Entry[]> _byStart;

    /// <param name="phrases">Phrases of two characters and more, each with what it means.</param>
    public PhraseTable(IEnumerable<(string Text, CleaningReason Reason)> phrases)
    {
        _byStart = phrases
            .DistinctBy(phrase => phrase.Text)
            .GroupBy(phrase => Start(phrase.Text[0], phrase.Text.Length > 1 ? phrase.Text[1] : '\0'))
            .ToDictionary(group => group.Key, group => group.OrderByDescending(phrase => phrase.Text.Length).Select(phrase => new Entry(phrase.Text, phrase.Reason)).ToArray());
        foreach (var start in _byStart.Keys)
            _startBits[Word(start)] |= 1UL << (int)(Mix(start) & 63);
    }

    /// <summary>The table of all boilerplate phrases.</summary>
    public static PhraseTable Boilerplate { get; } = new(
        from reason in CleaningReasons.All
        from phrase in BoilerplatePhrases.Of(reason)
        where phrase.Length > 1
        select (phrase, reason));

    /// <summary>The length of the longest phrase that begins at <paramref name="index"/>, or 0. Latin phrases match whole words only.</summary>
    public int Match(ReadOnlySpan<char> text, int index, out CleaningReason reason)
    {
        reason = CleaningReason.None;
        if (index + 1 >= text.Length)
            return 0;
        var start = Start(text[index], text[index + 1]);
        if ((_startBits[Word(start)] >> (int)(Mix(start) & 63) & 1) == 0 || !_byStart.TryGetValue(start, out var entries))
            return 0;
        foreach (var entry in entries)
        {
            var end = index + entry.Text.Length;
            if (end > text.Length || !text.Slice(index, entry.Text.Length).SequenceEqual(entry.Text))
                continue;
            if (char.IsAsciiLetter(text[index]) && index > 0 && char.IsAsciiLetter(text[index - 1]))
                continue;
            if (char.IsAsciiLetter(text[end - 1]) && end < text.Length && char.IsAsciiLetter(text[end]))
                continue;
            reason = entry.Reason;
            return entry.Text.Length;
        }
        return 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Start(char first, char second) => (uint)first << 16 | second;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Mix(uint start) => (start * 0x9E3779B1) >> 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Word(uint start) => (int)(Mix(start) >> 6);

    private readonly record struct Entry(string Text, CleaningReason Reason);
}
