using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Streaming.Streams.Text;

namespace Streaming.Streams.Tokenization;

/// <summary>
/// Finds the most probable segmentation of normalised text under a unigram model, to the bit as SentencePiece's
/// <c>EncodeOptimized</c> does: scores add up in float32 from the start of the text, a candidate is compared before it is
/// rounded, and of equals the one found first (with the earlier start) stays. Scratch is reused; not thread-safe.
/// </summary>
internal sealed class ViterbiSegmenter : Segmenter
{
    // Where no piece reaches over a place, everything before it is settled; so what long lines need stays in the cache.
    private const int SettleAfter = 1024;

    // Endings kept for the next text; a text without settled places may need one for each of its characters.
    private const int MostKept = 1 << 20;

    /// <summary>How the best segmentation that ends at a place ends.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Ending
    {
        public double Score; // a float32 value
        public int Start;    // of the last piece; negative where nothing ends here
        public int Id;
    }

    private readonly Vocabulary _vocabulary;
    private readonly PieceTrie _trie;
    private readonly int _longestPiece;
    private readonly int _mergedId; // the unknown piece where runs of it become one token, which must not be cut
    private Ending[] _endings;

    public ViterbiSegmenter(Vocabulary vocabulary)
    {
        _vocabulary = vocabulary;
        _trie = vocabulary.Trie;
        _longestPiece = Math.Max(2, _trie.LongestKey); // an unknown character takes up to two UTF-16 units
        _mergedId = vocabulary.HasByteFallback ? -1 : vocabulary.UnknownId;
        _endings = NewEndings();
    }

    /// <inheritdoc/>
    public override void Segment(ReadOnlySpan<char> text, TokenBuffer ids, TokenBuffer? ends)
    {
        _endings[0].Score = 0; // the others were cleared when they were read
        for (var settled = 0; settled < text.Length;)
        {
            var end = Advance(text, settled);
            Append(text, settled, end, ids, ends);
            var score = _endings[end - settled].Score;
            _endings.AsSpan(0, end - settled + 1).Fill(new Ending { Start = -1 });
            _endings[0].Score = score;
            settled = end;
        }
        if (_endings.Length > MostKept)
            _endings = NewEndings();
    }

    private Ending[] NewEndings()
    {
        var endings = new Ending[2 * SettleAfter + _longestPiece + 1];
        endings.AsSpan().Fill(new Ending { Start = -1 });
        return endings;
    }

    // Fills the endings from a settled place on, up to the next one, which it returns. _endings[i] is that at origin + i.
    private int Advance(ReadOnlySpan<char> text, int origin)
    {
        ref var units = ref MemoryMarshal.GetReference(text);
        ref var codes = ref MemoryMarshal.GetReference(_trie.Codes);
        ref var nodes = ref MemoryMarshal.GetReference(_trie.Nodes);
        double unknownScore = _vocabulary.UnknownScore;
        var unknownId = _vocabulary.UnknownId;
        var reach = origin;
        var start = origin;
        while (start < text.Length)
        {
            if (start - origin >= SettleAfter && reach <= start && _endings[start - origin].Id != _mergedId)
                return start;
            if (start - origin + _longestPiece >= _endings.Length)
                Grow();
            ref var here = ref _endings[start - origin];
            var scoreHere = here.Score;
            var width = char.IsHighSurrogate(Unsafe.Add(ref units, start)) ? 2 : 1;
            var coversOne = false;
            var (parent, children) = (0, 0);
            for (var place = start; place < text.Length;)
            {
                // No range checks: any base plus any code lies inside the nodes.
                var index = children + Unsafe.Add(ref codes, Unsafe.Add(ref units, place));
                ref var node = ref Unsafe.Add(ref nodes, index);
                if (node.Parent != parent)
                    break;
                (parent, children) = (index, node.Base);
                place++;
                var id = node.Value;
                double score = node.Score;
                if (id < 0)
                {
                    if (id > Vocabulary.FirstUserDefined)
                        continue; // no piece, or an unused one
                    id = Vocabulary.UserDefinedId(id);
                    score = UserDefinedScore(text[start..place], _vocabulary.HighestScore);
                }
                ref var ending = ref Unsafe.Add(ref here, place - start);
                var candidate = score + scoreHere;
                if (ending.Start < 0 || candidate > ending.Score)
                    ending = new Ending { Score = (float)candidate, Start = start, Id = id };
                coversOne |= place - start == width;
                reach = Math.Max(reach, place);
            }
            if (!coversOne)
            {
                ref var ending = ref Unsafe.Add(ref here, width);
                var candidate = (float)(unknownScore + scoreHere);
                if (ending.Start < 0 || candidate > ending.Score)
                    ending = new Ending { Score = candidate, Start = start, Id = unknownId };
                reach = Math.Max(reach, start + width);
            }
            start += width;
        }
        return text.Length;
    }

    /// <summary>What a user-defined piece weighs. The reference multiplies in float32 and subtracts in float64.</summary>
    public static double UserDefinedScore(ReadOnlySpan<char> piece, float highestScore) => Encoding.UTF8.GetByteCount(piece) * highestScore - 0.1;

    private void Grow()
    {
        var old = _endings.Length;
        Array.Resize(ref _endings, old * 2);
        _endings.AsSpan(old).Fill(new Ending { Start = -1 });
    }

    // Walks back from end to origin, so writes from the back of a room that is large enough.
    private void Append(ReadOnlySpan<char> text, int origin, int end, TokenBuffer ids, TokenBuffer? ends)
    {
        const int MostIdsAUnit = 3; // UTF-8 bytes
        var most = (end - origin) * MostIdsAUnit;
        var idRoom = ids.GetSpan(most)[..most];
        var endRoom = ends is null ? default : ends.GetSpan(most)[..most];
        Span<byte> utf8 = stackalloc byte[4];
        var first = most;
        for (var place = end; place > origin;)
        {
            var (start, id) = (_endings[place - origin].Start, _endings[place - origin].Id);
            if (id != _vocabulary.UnknownId || !_vocabulary.HasByteFallback)
            {
                if (id == _vocabulary.UnknownId) // a run of unknown characters is one token
                {
                    while (start > origin && _endings[start - origin].Id == id)
                        start = _endings[start - origin].Start;
                }
                idRoom[--first] = id;
                if (ends is not null)
                    endRoom[first] = place;
            }
            else
            {
                var length = Encoding.UTF8.GetBytes(text[start..place], utf8);
                for (var i = length - 1; i >= 0; i--)
                {
                    idRoom[--first] = _vocabulary.ByteIds[utf8[i]];
                    if (ends is not null)
                        endRoom[first] = i == length - 1 ? place : start;
                }
            }
            place = start;
        }
        Commit(ids, idRoom, first);
        if (ends is not null)
            Commit(ends, endRoom, first);
    }

    private static void Commit(TokenBuffer buffer, Span<int> room, int first)
    {
        room[first..].CopyTo(room);
        buffer.Advance(room.Length - first);
    }
}
