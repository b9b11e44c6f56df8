using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Streaming.Streams.Normalization;

namespace Streaming.Streams.Cleaning;

/// <summary>
/// Finds the longest known phrase at a place of a folded text. A bit map over the first two characters turns most places, and
/// most lines before they are folded, away without a look-up. Thread-safe, allocates nothing.
/// </summary>
internal sealed class PhraseTable
{
    private const int BitMapWordsLog2 = 13;

    private readonly ulong[] _startBits = new ulong[1 << BitMapWordsLog2];
    private readonly Dictionary<uint, Entry[]> _byStart;

    /// <param name="phrases">Folded phrases of two characters and more, each with what it means.</param>
    public PhraseTable(IEnumerable<(string Text, CleaningReason Reason)> phrases)
    {
        _byStart = phrases
            .DistinctBy(phrase => phrase.Text)
            .GroupBy(phrase => Start(phrase.Text[0], phrase.Text[1]))
            .ToDictionary(group => group.Key, group => group.OrderByDescending(phrase => phrase.Text.Length).Select(phrase => new Entry(phrase.Text, phrase.Reason)).ToArray());
        var unfolded = Enumerable.Range(0, char.MaxValue + 1).ToLookup(unit => Fold((char)unit), unit => (char)unit);
        foreach (var start in _byStart.Keys)
        {
            foreach (var first in unfolded[(char)(start >> 16)])
            {
                foreach (var second in unfolded[(char)start])
                {
                    var mixed = Mix(Start(first, second));
                    _startBits[Word(mixed)] |= 1UL << (int)mixed;
                }
            }
        }
    }

    /// <summary>The table of all boilerplate phrases.</summary>
    public static PhraseTable Boilerplate { get; } = new(
        from reason in CleaningReasons.All
        from phrase in BoilerplatePhrases.Of(reason)
        where phrase.Length > 1
        select (phrase, reason));

    /// <summary>The form in which phrases are compared: half-width, Latin letters in lower case.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static char Fold(char unit)
    {
        var folded = CharacterTable.Replacements[unit];
        return char.IsAsciiLetterUpper(folded) ? (char)(folded | 0x20) : folded;
    }

    /// <summary>False where no phrase can begin in the text, folded or not.</summary>
    public bool MayHoldPhrase(ReadOnlySpan<char> text)
    {
        ref var bits = ref MemoryMarshal.GetArrayDataReference(_startBits);
        for (var index = 1; index < text.Length; index++)
        {
            var mixed = Mix(Start(text[index - 1], text[index]));
            if ((Unsafe.Add(ref bits, (nint)Word(mixed)) >> (int)mixed & 1) != 0)
                return true;
        }
        return false;
    }

    /// <summary>The length of the longest phrase that begins at <paramref name="index"/>, or 0. Latin phrases match whole words only.</summary>
    public int Match(ReadOnlySpan<char> text, int index, out CleaningReason reason)
    {
        reason = CleaningReason.None;
        if (index + 1 >= text.Length)
            return 0;
        var start = Start(text[index], text[index + 1]);
        var mixed = Mix(start);
        return (_startBits[Word(mixed)] >> (int)mixed & 1) == 0 ? 0 : MatchLongest(text, index, start, out reason);
    }

    private int MatchLongest(ReadOnlySpan<char> text, int index, uint start, out CleaningReason reason)
    {
        reason = CleaningReason.None;
        if (!_byStart.TryGetValue(start, out var entries))
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

    /// <summary>The low six bits choose a bit, the others a word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Mix(uint start) => (start * 0x9E3779B1) >> (32 - BitMapWordsLog2 - 6);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Word(uint mixed) => mixed >> 6;

    private readonly record struct Entry(string Text, CleaningReason Reason);
}
