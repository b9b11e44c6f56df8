using Streaming.Streams.Batches;
using Streaming.Streams.Text;

namespace Streaming.Streams.Shuffling;

/// <summary>
/// So many documents, taken in the order of the text and given out in another, which follows from the seed and the place of
/// the window's first document. It is filled, closed, emptied and used again.
/// </summary>
internal sealed class ShuffleWindow(ShuffleOptions options)
{
    private readonly TokenBuffer _tokens = new();
    private readonly List<DocumentMark> _documents = [];
    private int[] _order = [];
    private int _given;
    private SourcePlace _place;

    /// <summary>Whether it has been offered text.</summary>
    public bool HasBegun { get; private set; }

    /// <summary>Whether documents may not be added any more.</summary>
    public bool IsClosed { get; private set; }

    /// <summary>Whether all documents have been given out.</summary>
    public bool IsEmpty => _given == _documents.Count;

    /// <summary>Takes documents of a batch from an index on.</summary>
    /// <param name="batch">Of the epoch of the documents before, or else nothing is taken and the window closes.</param>
    /// <param name="next">The first document that is not taken yet; moved on.</param>
    /// <returns>Whether the batch is used up. Where it is not, the window has closed.</returns>
    public bool Take(LineBatch batch, ref int next)
    {
        if (!HasBegun)
            (_place, HasBegun) = (new SourcePlace(batch.Position, 0, 0), true);
        else if (batch.Position.Epoch != _place.Position.Epoch)
            Close();
        var documents = batch.Documents;
        for (; next < documents.Length && !IsClosed; next++)
        {
            ref var document = ref documents[next];
            var begin = next == 0 ? 0 : documents[next - 1].TokenEnd;
            var count = document.TokenEnd - begin;
            if (count == 0)
                continue;
            if (_documents.Count == options.Documents || (_documents.Count > 0 && (_tokens.Count + (long)count) * sizeof(int) > options.Bytes))
            {
                Close();
                break;
            }
            if (_documents.Count == 0)
                _place = new SourcePlace(document.Position, 0, document.DuplicateEntries);
            batch.Tokens.Span.Slice(begin, count).CopyTo(_tokens.GetSpan(count));
            _tokens.Advance(count);
            _documents.Add(document with { TokenEnd = _tokens.Count });
        }
        return next == documents.Length && batch.Position.Epoch == _place.Position.Epoch;
    }

    /// <summary>Ends the filling and draws the order.</summary>
    public void Close()
    {
        IsClosed = true;
        if (_order.Length < _documents.Count)
            _order = new int[_documents.Count];
        for (var index = 0; index < _documents.Count; index++)
            _order[index] = index;
        var at = _place.Position;
        SeededRandom.From(options.Seed, at.Epoch, at.File, at.Offset, at.Record, at.Part).Permute(_order.AsSpan(0, _documents.Count));
    }

    /// <summary>Gives documents out into an empty batch, until it has so many tokens.</summary>
    public void GiveInto(LineBatch batch, int tokens)
    {
        (batch.Position, batch.Window) = (_place.Position, _place);
        for (; _given < _documents.Count && batch.Tokens.Count < tokens; _given++)
        {
            var index = _order[_given];
            var begin = index == 0 ? 0 : _documents[index - 1].TokenEnd;
            batch.AddTokens(_documents[index], _tokens.Span[begin.._documents[index].TokenEnd]);
        }
        _place = _place with { TokensTaken = _place.TokensTaken + batch.Tokens.Count };
    }

    /// <summary>Makes an empty, open window of it.</summary>
    public void Clear()
    {
        _tokens.Clear();
        _documents.Clear();
        _given = 0;
        IsClosed = HasBegun = false;
    }
}
