using Streaming.Streams.Batches;
using Streaming.Streams.Records;
using Streaming.Streams.Sources;

namespace Streaming.Streams.Text;

/// <summary>
/// What travels through the text path: whole documents, together some 64 KB, which every stage turns into the next form in
/// place. It goes back to its pool at the end of the path.
/// </summary>
/// <remarks>
/// A stage that changes the lines walks the documents in order, appends each one's new lines to <see cref="Next"/>, sets its
/// <see cref="DocumentMark.LineEnd"/> to <c>Next.Count</c>, passes over dropped ones, and ends with <see cref="Replace"/>.
/// </remarks>
internal sealed class LineBatch
{
    private DocumentMark[] _documents = new DocumentMark[64];
    private int _documentCount;

    /// <summary>The lines as the last stage left them. A record that is not extracted yet is one line, which may hold line feeds.</summary>
    public TextBatch Lines { get; private set; } = new();

    /// <summary>An empty batch for the next form of the lines; <see cref="Replace"/> makes it <see cref="Lines"/>.</summary>
    public TextBatch Next { get; private set; } = new();

    /// <summary>The documents, in order: their lines, and later their tokens, lie one after the other.</summary>
    public Span<DocumentMark> Documents => _documents.AsSpan(0, _documentCount);

    /// <summary>The lines' tokens, once they have been encoded.</summary>
    public TokenBuffer Tokens { get; } = new();

    /// <summary>Where the batch begins in the source.</summary>
    public SourcePosition Position { get; set; }

    /// <summary>How the records become lines.</summary>
    public IRecordFormat Format { get; set; } = LineFormat.Instance;

    /// <summary>UTF-8 bytes of the source that the batch stands for, line ends and markup included.</summary>
    public long SourceBytes { get; set; }

    /// <summary>When the last stage let go of it, as <see cref="System.Diagnostics.Stopwatch"/> counts.</summary>
    public long HandedOver { get; set; }

    /// <summary>In a shuffled text: the place of the window that the documents are from, with its tokens before theirs. Null elsewhere.</summary>
    public SourcePlace? Window { get; set; }

    /// <summary>What cleaning found out about the documents for the stage after it; stays with the batch, to be used again.</summary>
    public object? Findings { get; set; }

    /// <summary>Closes a document: the lines since the last one are its own.</summary>
    /// <param name="position">Where it begins; in a later part of a document with the hash of its first line.</param>
    public void EndDocument(SourcePosition position) =>
        Add(new DocumentMark { Position = position, Hash = position.Hash, LineEnd = Lines.Count });

    /// <summary>Adds a document with its tokens, from another batch.</summary>
    public void AddTokens(DocumentMark document, ReadOnlySpan<int> tokens)
    {
        tokens.CopyTo(Tokens.GetSpan(tokens.Length));
        Tokens.Advance(tokens.Length);
        Add(document with { LineEnd = 0, TokenEnd = Tokens.Count });
    }

    /// <summary>Makes <see cref="Next"/> the lines.</summary>
    public void Replace()
    {
        (Lines, Next) = (Next, Lines);
        Next.Clear();
    }

    public void Clear()
    {
        Lines.Clear();
        Next.Clear();
        Tokens.Clear();
        _documentCount = 0;
        SourceBytes = 0;
        Window = null;
    }

    private void Add(DocumentMark document)
    {
        if (_documentCount == _documents.Length)
            Array.Resize(ref _documents, _documents.Length * 2);
        _documents[_documentCount++] = document;
    }
}
