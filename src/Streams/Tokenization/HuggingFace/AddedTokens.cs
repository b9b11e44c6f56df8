using System.Buffers;
using System.Globalization;
using System.Text;

namespace Streaming.Streams.Tokenization.HuggingFace;

/// <summary>A token that is found in the text as it stands, before the model sees it.</summary>
internal sealed record AddedToken(int Id, string Content, bool SingleWord, bool LeftStrip, bool RightStrip, bool Normalized, bool Special);

/// <summary>Finds added tokens in a text: at each place the longest, the leftmost first. Immutable.</summary>
internal sealed class AddedTokens
{
    private readonly List<AddedToken> _tokens;
    private readonly PieceTrie? _trie;
    private readonly SearchValues<char> _beginnings;

    /// <param name="tokens">Each with the text that is looked for.</param>
    public AddedTokens(IEnumerable<(AddedToken Token, string Text)> tokens)
    {
        _tokens = [];
        var builder = new PieceTrieBuilder(expectedNodes: 256);
        var first = new HashSet<char>();
        foreach (var (token, text) in tokens)
        {
            if (text.Length == 0 || !builder.TryAdd(text, _tokens.Count, 0))
                continue;
            _tokens.Add(token);
            first.Add(text[0]);
        }
        _trie = builder.IsEmpty ? null : builder.Build();
        _beginnings = SearchValues.Create([.. first]);
    }

    /// <summary>The next token in <paramref name="text"/> from a place on; false where there is none.</summary>
    public bool TryFind(ReadOnlySpan<char> text, int from, out int start, out int end, out AddedToken token)
    {
        (start, end, token) = (0, 0, null!);
        if (_trie is null)
            return false;
        for (var place = from; place < text.Length; place++)
        {
            var next = text[place..].IndexOfAny(_beginnings);
            if (next < 0)
                return false;
            place += next;
            var length = _trie.LongestPrefix(text[place..]);
            if (length == 0)
                continue;
            token = _tokens[_trie.Find(text.Slice(place, length))];
            (start, end) = (place, place + length);
            if (token.SingleWord && ((start > 0 && IsWord(LastOf(text[..start]))) || (end < text.Length && IsWord(FirstOf(text[end..])))))
            {
                place = end - 1;
                continue;
            }
            if (token.LeftStrip)
                start = from + text[from..start].TrimEnd().Length;
            if (token.RightStrip)
                end += text.Length - end - text[end..].TrimStart().Length;
            return true;
        }
        return false;
    }

    private static Rune FirstOf(ReadOnlySpan<char> text)
    {
        Rune.DecodeFromUtf16(text, out var character, out _);
        return character;
    }

    private static Rune LastOf(ReadOnlySpan<char> text)
    {
        Rune.DecodeLastFromUtf16(text, out var character, out _);
        return character;
    }

    private static bool IsWord(Rune character) =>
        Rune.IsLetter(character) || Rune.GetUnicodeCategory(character) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark
            or UnicodeCategory.EnclosingMark or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation;
}
