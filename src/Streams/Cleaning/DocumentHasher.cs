using Streaming.Streams.Normalization;
using Streaming.Streams.Text;

namespace Streaming.Streams.Cleaning;

/// <summary>
/// What the search for duplicates needs to know of a document, computed where documents are worked on in parallel. Text is
/// compared by its letters and digits alone, half-width and in lower case. Not thread-safe: one a worker.
/// </summary>
public sealed class DocumentHasher(DuplicateOptions options)
{
    /// <summary>Keeps keys of bands, documents and lines apart in one index.</summary>
    private const ulong DocumentSeed = 0x9FB21C651E98DF25;
    private const ulong LineSeed = 0xD6E8FEB86659FD93;

    private static readonly char[] _folded = BuildFolding();

    private readonly MinHash? _minHash = options.NearDocuments ? MinHash.For(options.Similarity, options.Bands) : null;
    private char[] _text = new char[4096];
    private int[] _lineEnds = new int[64];

    /// <summary>Appends a document's fingerprints: see <see cref="DocumentFingerprints"/> for what they are.</summary>
    /// <param name="lines">Text in which the document stands.</param>
    /// <param name="firstLine">Its first line.</param>
    /// <param name="endLine">The line after its last.</param>
    /// <param name="destination">Receives one document.</param>
    public void Hash(TextBatch lines, int firstLine, int endLine, DocumentFingerprints destination)
    {
        var text = Fold(lines, firstLine, endLine);
        var bands = _minHash is not null && !text.IsEmpty ? _minHash.Bands : 0;
        var words = destination.Add(bands, options.Lines ? endLine - firstLine : 0);
        // No text has nothing that could be the same; 0 is never looked up.
        words[0] = options.Documents && !text.IsEmpty ? Fingerprint.OfText(text, DocumentSeed) : 0;
        if (bands > 0)
            _minHash!.Hash(text, words.Slice(1, bands));
        if (!options.Lines)
            return;
        var start = 0;
        for (var line = 0; line < endLine - firstLine; line++)
        {
            var end = _lineEnds[line];
            words[1 + bands + line] = end - start >= options.LineCharacters ? Fingerprint.OfText(text[start..end], LineSeed) : 0;
            start = end;
        }
    }

    private ReadOnlySpan<char> Fold(TextBatch lines, int firstLine, int endLine)
    {
        if (_lineEnds.Length < endLine - firstLine)
            _lineEnds = new int[Math.Max(endLine - firstLine, _lineEnds.Length * 2)];
        var folded = _folded;
        var length = 0;
        for (var line = firstLine; line < endLine; line++)
        {
            var source = lines[line];
            if (_text.Length - length < source.Length)
                Array.Resize(ref _text, Math.Max(length + source.Length, _text.Length * 2));
            var text = _text.AsSpan(length, source.Length);
            var written = 0;
            foreach (var unit in source)
            {
                var letter = folded[unit];
                text[written] = letter;
                written += letter == '\0' ? 0 : 1;
            }
            length += written;
            _lineEnds[line - firstLine] = length;
        }
        return _text.AsSpan(0, length);
    }

    /// <summary>What each UTF-16 unit is compared as; NUL where it does not count.</summary>
    private static char[] BuildFolding()
    {
        var table = new char[char.MaxValue + 1];
        for (var unit = 0; unit < table.Length; unit++)
        {
            var folded = CharacterTable.Replacements[(char)unit];
            var isLowSurrogate = char.IsLowSurrogate((char)unit);
            var counts = isLowSurrogate || CharacterClasses.Of(folded) is not (CharacterClass.Punctuation or CharacterClass.Symbol or CharacterClass.Blank);
            table[unit] = counts ? char.ToLowerInvariant(folded) : '\0';
        }
        return table;
    }
}
