using System.Collections.Frozen;

namespace Streaming.Streams.Wikipedia;

/// <summary>Words that steer how a page is shown: <c>__NOTOC__</c>, <c>__目次非表示__</c>.</summary>
internal static class MagicWords
{
    private const int LongestWord = 64; // UTF-8 bytes

    private static readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> Known = FrozenSet.ToFrozenSet(
        [
            "ARCHIVEDTALK", "DISAMBIG", "END", "EXPECTED_UNCONNECTED_PAGE", "EXPECTUNUSEDCATEGORY", "EXPECTUNUSEDTEMPLATE",
            "FORCETOC", "HIDDENCAT", "INDEX", "NEWSECTIONLINK", "NOCC", "NOCONTENTCONVERT", "NOEDITSECTION", "NOGALLERY",
            "NOGLOBAL", "NOINDEX", "NONEWSECTIONLINK", "NOTALK", "NOTC", "NOTITLECONVERT", "NOTOC", "START", "STATICREDIRECT", "TOC",
        ],
        StringComparer.OrdinalIgnoreCase).GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Bytes of the magic word at the start of a text; 0 where there is none.</summary>
    /// <remarks>The words of other languages are known by their letters: none of ASCII, all between double underscores.</remarks>
    public static int Length(ReadOnlySpan<byte> text)
    {
        if (!text.StartsWith("__"u8))
            return 0;
        var word = text[2..Math.Min(text.Length, 2 + LongestWord)];
        var end = word.IndexOf("__"u8);
        if (end <= 0)
            return 0;
        word = word[..end];
        if (word.IndexOfAnyInRange((byte)0, (byte)0x7F) < 0)
            return end + 4;
        Span<char> characters = stackalloc char[LongestWord];
        for (var index = 0; index < word.Length; index++)
            characters[index] = (char)word[index];
        return Known.Contains(characters[..word.Length]) ? end + 4 : 0;
    }
}
