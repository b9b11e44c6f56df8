namespace Streaming.Streams.Cleaning;

/// <summary>
/// The fingerprints of a batch of documents, one after the other: the whole text's, one for each band (none or all), one for
/// each line (none or all). 0 stands for "not looked up". Not thread-safe; reused, it allocates nothing once it has grown.
/// </summary>
public sealed class DocumentFingerprints
{
    private ulong[] _words = new ulong[256];
    private (int Start, int Bands, int Lines)[] _documents = new (int, int, int)[16];
    private int _used;

    public int Count { get; private set; }

    /// <summary>Of the whole text.</summary>
    public ulong Whole(int document) => _words[_documents[document].Start];

    public ReadOnlySpan<ulong> Bands(int document) => _words.AsSpan(_documents[document].Start + 1, _documents[document].Bands);

    public ReadOnlySpan<ulong> Lines(int document) => _words.AsSpan(_documents[document].Start + 1 + _documents[document].Bands, _documents[document].Lines);

    /// <summary>Whole text and bands: what a document that is kept leaves behind.</summary>
    public ReadOnlySpan<ulong> Document(int document) => _words.AsSpan(_documents[document].Start, 1 + _documents[document].Bands);

    /// <summary>All of the batch.</summary>
    public ReadOnlySpan<ulong> All => _words.AsSpan(0, _used);

    /// <summary>A document that is not looked up.</summary>
    public void AddNone() => Add(0, 0)[0] = 0;

    public void Clear() => (_used, Count) = (0, 0);

    /// <summary>Room for one more document's: the whole, the bands, the lines.</summary>
    internal Span<ulong> Add(int bands, int lines)
    {
        var words = 1 + bands + lines;
        if (_words.Length - _used < words)
            Array.Resize(ref _words, Math.Max(_used + words, _words.Length * 2));
        if (Count == _documents.Length)
            Array.Resize(ref _documents, Count * 2);
        _documents[Count++] = (_used, bands, lines);
        _used += words;
        return _words.AsSpan(_used - words, words);
    }
}
