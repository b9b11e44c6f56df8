using System.Collections.Concurrent;
using Streaming.Streams.Batches;
using Streaming.Streams.Text;

namespace Streaming.Streams.Packing;

/// <summary>Some blocks of one source, one after the other, and where the source stands after each.</summary>
internal sealed class TokenBlocks(int blockSize)
{
    /// <summary>Tokens that are enough for one element to cost little beside them.</summary>
    private const int EnoughTokens = 1 << 14;

    private readonly int[] _tokens = new int[Capacity(blockSize) * blockSize];
    private readonly SourcePlace[] _places = new SourcePlace[Capacity(blockSize)];

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
        next.Pending = Pending;
        var starts = DocumentStarts.Span;
        var kept = starts.Length;
        for (; kept > 0 && starts[kept - 1] >= start; kept--) { }
        foreach (var moved in starts[kept..])
            next.DocumentStarts.Add(moved - start);
        DocumentStarts.Truncate(kept);
        Pending = 0;
    }

    public void Clear()
    {
        First = Count = Pending = 0;
        DocumentStarts.Clear();
    }

    private static int Capacity(int blockSize) => Math.Max(1, EnoughTokens / blockSize);
}

/// <summary>Keeps elements for reuse. Thread-safe.</summary>
internal sealed class TokenBlocksPool(int blockSize)
{
    private readonly ConcurrentBag<TokenBlocks> _elements = [];

    public TokenBlocks Rent() => _elements.TryTake(out var element) ? element : new TokenBlocks(blockSize);

    public void Return(TokenBlocks element)
    {
        element.Clear();
        _elements.Add(element);
    }
}
