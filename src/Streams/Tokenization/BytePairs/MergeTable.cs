using System.Numerics;
using System.Runtime.CompilerServices;

namespace Streaming.Streams.Tokenization.BytePairs;

/// <summary>A rule of a byte-pair model: two neighbouring symbols become one.</summary>
/// <param name="Rank">Lower goes first; of equal ranks, the leftmost pair.</param>
internal readonly record struct Merge(int Left, int Right, int Rank, int Merged);

/// <summary>
/// The merges of a byte-pair model by their pair. It also knows between which two characters any merge may reach: a text
/// falls apart elsewhere, and its parts are segmented by themselves with the same result. Immutable.
/// </summary>
internal sealed class MergeTable
{
    // Two multipliers of a multiplicative hash (odd, with well mixed bits).
    private const ulong PairMultiplier = 0x9E37_79B9_7F4A_7C15, JunctionMultiplier = 0xC2B2_AE3D_27D4_EB4F;

    // A million bits are 128 KiB, which the second-level cache holds; of 100,000 junctions one in ten others looks like one,
    // and only makes a part of the text longer.
    private const int JunctionBits_log2 = 20;

    private readonly ulong[] _pairs; // 1 + (left, right); 0 where the place is empty
    private readonly (int Rank, int Merged)[] _merges;
    private readonly int _shift;
    private readonly ulong[] _junctions = new ulong[1 << (JunctionBits_log2 - 6)];

    /// <param name="merges">Of a pair that is there twice, the last counts.</param>
    /// <param name="text">What a symbol stands for; never empty.</param>
    public MergeTable(IReadOnlyCollection<Merge> merges, Func<int, string> text)
    {
        var size_log2 = Math.Max(4, BitOperations.Log2((uint)merges.Count + 1) + 2); // a quarter to a half is used
        (_pairs, _merges, _shift) = (new ulong[1 << size_log2], new (int, int)[1 << size_log2], 64 - size_log2);
        foreach (var (left, right, rank, merged) in merges)
        {
            var place = Place(left, right);
            _pairs[place] = Key(left, right);
            _merges[place] = (rank, merged);
            var junction = Junction(text(left)[^1], text(right)[0]);
            _junctions[junction >> 6] |= 1UL << (int)(junction & 63);
        }
    }

    /// <summary>The rank of a pair and what it becomes; false where the two stay apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryFind(int left, int right, out int rank, out int merged)
    {
        if ((left | right) >= 0)
        {
            var place = Place(left, right);
            if (_pairs[place] != 0)
            {
                (rank, merged) = _merges[place];
                return true;
            }
        }
        (rank, merged) = (int.MaxValue, -1);
        return false;
    }

    /// <summary>False where no merge joins what ends with one UTF-16 unit and what begins with the other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool MayJoin(char before, char after)
    {
        var junction = Junction(before, after);
        return (_junctions[junction >> 6] & (1UL << (int)(junction & 63))) != 0;
    }

    // Where the pair is, or the empty place where it would be.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Place(int left, int right)
    {
        var key = Key(left, right);
        var place = (int)(key * PairMultiplier >> _shift);
        while (_pairs[place] != key && _pairs[place] != 0)
            place = (place + 1) & (_pairs.Length - 1);
        return place;
    }

    private static ulong Key(int left, int right) => (((ulong)(uint)left << 32) | (uint)right) + 1;

    private static uint Junction(char before, char after) =>
        (uint)((((ulong)before << 16) | after) * JunctionMultiplier >> (64 - JunctionBits_log2));
}
