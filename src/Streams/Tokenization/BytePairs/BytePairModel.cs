using System.Text;

namespace Streaming.Streams.Tokenization.BytePairs;

/// <summary>
/// A byte-pair model, of SentencePiece or of the tokenizers library, in the form that <see cref="BytePairSegmenter"/> works
/// with. Symbols are numbered as the vocabulary; above it come the characters of which pieces are made that are none themselves.
/// Immutable.
/// </summary>
internal sealed class BytePairModel
{
    private const int NoSymbol = -1;

    private readonly int[] _ofUnit = new int[1 << 16];
    private readonly Dictionary<int, int> _ofRune = [];

    /// <param name="characters">The symbol of each character that is one.</param>
    public BytePairModel(IEnumerable<(Rune Character, int Symbol)> characters, MergeTable merges, int[] emitted)
    {
        _ofUnit.AsSpan().Fill(NoSymbol);
        (Merges, Emitted) = (merges, emitted);
        foreach (var (character, symbol) in characters)
        {
            if (character.IsBmp)
                _ofUnit[character.Value] = symbol;
            else
                _ofRune[character.Value] = symbol;
        }
    }

    public MergeTable Merges { get; }

    /// <summary>Symbol → id that stands for it in the output; negative where the symbol is no piece.</summary>
    public int[] Emitted { get; }

    /// <summary>What stands for a character that is no piece; negative where such a character is left out.</summary>
    public required int UnknownId { get; init; }

    /// <summary>Neighbouring unknown characters are one token.</summary>
    public required bool JoinsUnknown { get; init; }

    /// <summary>Ids of the 256 byte pieces, negative for one that is missing; empty where unknown characters stay unknown.</summary>
    public int[] ByteIds { get; init; } = [];

    /// <summary>Symbols that must not come out, and fall apart again into what made them; null for none.</summary>
    public bool[]? Unused { get; init; }

    /// <summary>The text of each symbol; only where some are <see cref="Unused"/>.</summary>
    public string[] Texts { get; init; } = [];

    /// <summary>Symbols that no merge touches, found in the text first; null for none.</summary>
    public PieceTrie? Whole { get; init; }

    /// <summary>A text that is a piece becomes that piece, whatever the merges say: its text → id; null where merges decide.</summary>
    public Dictionary<string, int>? Direct { get; init; }

    /// <summary>
    /// Whether a text has to be segmented as a whole: unused symbols remember what made them last, and a character that is left
    /// out makes neighbours of those around it.
    /// </summary>
    public bool NeedsWhole(ReadOnlySpan<char> text)
    {
        if (Unused is not null)
            return true;
        for (var at = 0; UnknownId < 0 && at < text.Length;)
        {
            if (SymbolAt(text[at..], out var length) < 0)
                return true;
            at += length;
        }
        return false;
    }

    /// <summary>The symbol of the character that a text begins with, negative where it is none; and its length in UTF-16 units.</summary>
    public int SymbolAt(ReadOnlySpan<char> text, out int length)
    {
        length = 1;
        if (!char.IsHighSurrogate(text[0]))
            return _ofUnit[text[0]];
        length = 2;
        return _ofRune.Count > 0 && _ofRune.TryGetValue(char.ConvertToUtf32(text[0], text[1]), out var symbol) ? symbol : NoSymbol;
    }
}
