using System.Numerics;
using Streaming.Streams.Shuffling;

namespace Streaming.Streams.Caching;

/// <summary>
/// An order of so many blocks that needs no memory: a Feistel network of six rounds over the next even power of two, walked on
/// until it falls among the blocks (Black and Rogaway, Ciphers with arbitrary finite domains, 2002).
/// </summary>
internal sealed class BlockPermutation
{
    private const int Rounds = 6;

    private readonly long _count;
    private readonly int _halfBits;
    private readonly ulong[] _keys = new ulong[Rounds];

    /// <param name="count">Blocks.</param>
    /// <param name="seed">Another seed or epoch, another order.</param>
    /// <param name="epoch">Of the source.</param>
    public BlockPermutation(long count, long seed, long epoch)
    {
        _count = count;
        _halfBits = Math.Max(1, (65 - BitOperations.LeadingZeroCount((ulong)Math.Max(0, count - 1))) / 2);
        var random = SeededRandom.From(seed, epoch, count);
        for (var round = 0; round < Rounds; round++)
            _keys[round] = random.Next();
    }

    /// <summary>The block that comes at a place.</summary>
    public long this[long place]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((ulong)place, (ulong)_count, nameof(place));
            do
                place = Encipher(place);
            while (place >= _count);
            return place;
        }
    }

    private long Encipher(long value)
    {
        var mask = (1UL << _halfBits) - 1;
        var (left, right) = ((ulong)value >> _halfBits, (ulong)value & mask);
        foreach (var key in _keys)
            (left, right) = (right, left ^ (new SeededRandom(right ^ key).Next() & mask));
        return (long)((left << _halfBits) | right);
    }
}
