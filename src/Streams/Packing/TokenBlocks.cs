using System.Collections.Concurrent;
using Streaming.Streams.Batches;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Packing;

/// <summary>Some blocks of one source, one after the other, and where the source stands after each.</summary>
/// <param name="blockSize">Tokens a block.</param>
/// <param name="recordsDocuments">Notes which documents the tokens are of.</param>
/// <param name="marksAnswers">Notes which tokens are to be predicted: not all are.</param>
internal sealed class TokenBlocks(int blockSize, bool recordsDocuments = false, bool marksAnswers = false)
{
    /// <summary>Tokens that are enough for one element to cost little beside them.</summary>
    private const int EnoughTokens = 1 << 14;

    private readonly int[] _tokens = new int[Capacity(blockSize) * blockSize];
    private readonly SourcePlace[] _places = new SourcePlace[Capacity(blockSize)];
    private readonly List<(int Token, int Count, SourcePosition Position)> _documents = [];
    private readonly bool[]? _counted = marksAnswers ? new bool[Capacity(blockSize) * blockSize] : null;

    /// <summary>The first block that is to be used.</summary>
    public int First { get; private set; }

    /// <summary>Complete blocks.</summary>
    public int Count { get; private set; }

    /// <summary>Tokens of the block that is not complete.</summary>
    public int Pending { get; private set; }

    public bool IsFull => Count == _places.Length;

    /// <summary>Room for the rest of the block that is not complete.</summary>
    public Span<int> Room => _tokens.AsSpan(Count * blockSize + Pending, blockSize - Pending);

    /// <summary>Indices of tokens, ascending, at which a document begins; the start of a block that goes on with one is none.</summary>
    public TokenBuffer DocumentStarts { get; } = new(64);

    public ReadOnlySpan<int> this[int block] => _tokens.AsSpan(block * blockSize, blockSize);

    /// <summary>For each token of a block whether it is to be predicted; empty where all are.</summary>
    public ReadOnlySpan<bool> CountedIn(int block) => _counted is null ? [] : _counted.AsSpan(block * blockSize, blockSize);

    /// <summary>Where the source stands after a block.</summary>
    public SourcePlace PlaceAfter(int block) => _places[block];

    /// <summary>Those of <see cref="DocumentStarts"/> that fall into a block.</summary>
    public ReadOnlySpan<int> StartsIn(int block)
    {
        var starts = DocumentStarts.Span;
        return starts[IndexFrom(starts, block * blockSize)..IndexFrom(starts, (block + 1) * blockSize)];

        static int IndexFrom(ReadOnlySpan<int> starts, int token)
        {
            var index = starts.BinarySearch(token);
            return index < 0 ? ~index : index;
        }
    }

    /// <summary>The pieces of documents in a block: where they begin in it, their tokens, where the document begins in the text.</summary>
    public IEnumerable<(int Start, int Count, SourcePosition Position)> DocumentsIn(int block) =>
        _documents.Where(document => document.Token / blockSize == block).Select(document => (document.Token % blockSize, document.Count, document.Position));

    /// <summary>Notes, where that is wanted, of which document the tokens are that are counted next.</summary>
    public void Record(int count, in SourcePosition document)
    {
        if (recordsDocuments)
            _documents.Add((Count * blockSize + Pending, count, document));
    }

    /// <summary>Notes, where that is wanted, which of the tokens are to be predicted that are counted next.</summary>
    /// <param name="prompt">The first so many are not.</param>
    /// <param name="count">All of them.</param>
    public void MarkAnswer(int prompt, int count)
    {
        if (_counted is null)
            return;
        var marks = _counted.AsSpan(Count * blockSize + Pending, count);
        marks[..prompt].Clear();
        marks[prompt..].Fill(true);
    }

    /// <summary>Completes the block that is not, with a document of padding that is not to be predicted.</summary>
    /// <param name="padding">The token.</param>
    /// <param name="place">Where the source stands.</param>
    /// <returns>Tokens of padding.</returns>
    public int FillUp(int padding, SourcePlace place)
    {
        var room = Room;
        BeginDocument();
        room.Fill(padding);
        MarkAnswer(room.Length, room.Length);
        Advance(room.Length, place);
        return room.Length;
    }

    /// <summary>Notes that a document begins with a token that is still to come.</summary>
    /// <param name="ahead">So many tokens before it.</param>
    public void BeginDocument(int ahead = 0) => DocumentStarts.Add(Count * blockSize + Pending + ahead);

    /// <summary>The first so many blocks have been used before.</summary>
    public void Skip(int blocks) => First = blocks;

    /// <summary>Counts tokens written into <see cref="Room"/>.</summary>
    /// <param name="count">So many.</param>
    /// <param name="place">Where the source stands after them.</param>
    public void Advance(int count, SourcePlace place)
    {
        Pending += count;
        if (Pending < blockSize)
            return;
        _places[Count++] = place;
        Pending = 0;
    }

    /// <summary>Moves the block that is not complete to the beginning of an empty element.</summary>
    public void MovePendingTo(TokenBlocks next)
    {
        var start = Count * blockSize;
        _tokens.AsSpan(start, Pending).CopyTo(next._tokens);
        _counted?.AsSpan(start, Pending).CopyTo(next._counted);
        next.Pending = Pending;
        var starts = DocumentStarts.Span;
        var kept = starts.Length;
        for (; kept > 0 && starts[kept - 1] >= start; kept--) { }
        foreach (var moved in starts[kept..])
            next.DocumentStarts.Add(moved - start);
        DocumentStarts.Truncate(kept);
        next._documents.AddRange(_documents.Where(document => document.Token >= start).Select(document => document with { Token = document.Token - start }));
        _documents.RemoveAll(document => document.Token >= start);
        Pending = 0;
    }

    public void Clear()
    {
        First = Count = Pending = 0;
        DocumentStarts.Clear();
        _documents.Clear();
    }

    private static int Capacity(int blockSize) => Math.Max(1, EnoughTokens / blockSize);
}

/// <summary>Keeps elements for reuse. Thread-safe.</summary>
internal sealed class TokenBlocksPool(int blockSize, bool recordsDocuments = false, bool marksAnswers = false)
{
    private readonly ConcurrentBag<TokenBlocks> _elements = [];

    public TokenBlocks Rent() => _elements.TryTake(out var element) ? element : new TokenBlocks(blockSize, recordsDocuments, marksAnswers);

    public void Return(TokenBlocks element)
    {
        element.Clear();
        _elements.Add(element);
    }
}
