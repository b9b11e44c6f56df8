using System.Text;
using Streaming.Streams.Text;

namespace Streaming.Streams.Tokenization.BytePairs;

/// <summary>
/// Segments by byte pairs. The text is cut where no merge can reach over; each part, most often a few characters, is merged
/// by itself. Scratch is reused; not thread-safe.
/// </summary>
internal sealed class BytePairSegmenter : Segmenter
{
    private readonly BytePairModel _model;
    private readonly PairMerger _merger;
    private readonly PartCache? _cache;
    private readonly Dictionary<int, (int Left, int Right)> _origins = []; // of unused symbols in this text

    private TokenBuffer _ids = null!;
    private TokenBuffer? _ends;
    private bool _afterUnknown;

    public BytePairSegmenter(BytePairModel model)
    {
        _model = model;
        _cache = model.Unused is null ? new PartCache() : null;
        _merger = new PairMerger(model.Merges) { Seen = model.Unused is null ? null : NoteOrigin };
    }

    /// <inheritdoc/>
    public override void Segment(ReadOnlySpan<char> text, TokenBuffer ids, TokenBuffer? ends)
    {
        (_ids, _ends, _afterUnknown) = (ids, ends, false);
        _origins.Clear();
        if (_model.Direct is { } direct && direct.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(text, out var piece))
        {
            Emit(piece, text.Length);
            return;
        }
        var isWhole = _model.NeedsWhole(text);
        var start = 0;
        var place = 0;
        while (place < text.Length)
        {
            if (_model.Whole is { } whole && whole.LongestPrefix(text[place..]) is > 0 and var known)
            {
                SegmentPart(text, start, place);
                Emit(_model.Emitted[whole.Find(text.Slice(place, known))], place + known);
                start = place += known;
                continue;
            }
            if (place > start && !isWhole && !_model.Merges.MayJoin(text[place - 1], text[place]))
            {
                SegmentPart(text, start, place);
                start = place;
            }
            place += char.IsHighSurrogate(text[place]) ? 2 : 1;
        }
        SegmentPart(text, start, text.Length);
    }

    private void SegmentPart(ReadOnlySpan<char> text, int start, int end)
    {
        if (start == end)
            return;
        var part = text[start..end];
        var symbol = _model.SymbolAt(part, out var length);
        if (length == part.Length)
        {
            EmitSymbol(symbol, text, start, end);
            return;
        }
        if (_cache is not null && _ends is null && _cache.TryGet(part, out var known))
        {
            known.CopyTo(_ids.GetSpan(known.Length));
            _ids.Advance(known.Length);
            _afterUnknown = false; // what is kept holds nothing unknown
            return;
        }
        _merger.Clear();
        for (var at = 0; at < part.Length; at += length)
        {
            var next = _model.SymbolAt(part[at..], out length);
            if (next >= 0 || _model.UnknownId >= 0 || _model.ByteIds.Length > 0)
                _merger.Add(next, at + length);
        }
        _merger.Merge();
        var (before, from, isKnown) = (_ids.Count, start, true);
        for (var i = 0; i < _merger.Count; i++)
        {
            var to = start + _merger.Ends[i];
            isKnown &= EmitSymbol(_merger.Ids[i], text, from, to);
            from = to;
        }
        if (isKnown)
            _cache?.Put(part, _ids.Span[before..]);
    }

    // False where the symbol is no piece.
    private bool EmitSymbol(int symbol, ReadOnlySpan<char> text, int start, int end)
    {
        if (symbol >= 0 && _model.Unused?[symbol] == true && _origins.TryGetValue(symbol, out var origin))
        {
            var middle = start + _model.Texts[origin.Left].Length;
            EmitSymbol(origin.Left, text, start, middle);
            EmitSymbol(origin.Right, text, middle, end);
            return true;
        }
        var id = symbol >= 0 ? _model.Emitted[symbol] : -1;
        if (id >= 0 && id != _model.UnknownId)
        {
            Emit(id, end);
            return true;
        }
        EmitUnknown(text, start, end);
        return false;
    }

    private void EmitUnknown(ReadOnlySpan<char> text, int start, int end)
    {
        Span<byte> utf8 = stackalloc byte[4];
        if (_model.ByteIds.Length > 0 && end - start <= 2 && Encoding.UTF8.TryGetBytes(text[start..end], utf8, out var count) && AreThere(utf8[..count]))
        {
            for (var i = 0; i < count; i++)
                Emit(_model.ByteIds[utf8[i]], i == count - 1 ? end : start);
            return;
        }
        if (_model.UnknownId < 0)
            return;
        if (!_afterUnknown || !_model.JoinsUnknown)
            Emit(_model.UnknownId, end);
        else if (_ends is not null)
            _ends.ReplaceLast(end);
        _afterUnknown = true;
    }

    private bool AreThere(ReadOnlySpan<byte> utf8)
    {
        foreach (var value in utf8)
        {
            if (_model.ByteIds[value] < 0)
                return false;
        }
        return true;
    }

    private void Emit(int id, int end)
    {
        _ids.Add(id);
        _ends?.Add(end);
        _afterUnknown = false;
    }

    // What the two parts of an unused symbol are, as the reference last saw it put together.
    private void NoteOrigin(int left, int right, int merged)
    {
        if (_model.Unused![merged])
            _origins[merged] = (left, right);
    }
}
