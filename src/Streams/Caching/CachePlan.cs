namespace Streaming.Streams.Caching;

/// <summary>How a source's blocks come from its text and its cache.</summary>
/// <param name="cache">What there is.</param>
/// <param name="epochs">Passes over the source; 0 for ever.</param>
/// <param name="shuffleSeed">Gives later epochs another order; null keeps that of the text.</param>
/// <param name="blocksTaken">Blocks handed out before.</param>
/// <param name="mayGoOn">Whether all is there that the text needs to go on from the cursor.</param>
internal sealed class CachePlan(TokenCache cache, int epochs, long? shuffleSeed, long blocksTaken, bool mayGoOn)
{
    private BlockPermutation? _order;
    private long _orderEpoch = -1;

    public TokenCache Cache => cache;

    public long BlocksTaken => blocksTaken;

    /// <summary>Whether the epoch is not whole in the cache, so that text is read.</summary>
    public bool ReadsText { get; } = !cache.IsWhole;

    /// <summary>Whether the text goes on from the cursor, the cache having what came before; otherwise it begins at its beginning.</summary>
    public bool GoesOn { get; } = cache.Count >= blocksTaken && mayGoOn;

    /// <summary>The block with which the text goes on.</summary>
    public long FirstWritten => GoesOn ? blocksTaken : 0;

    /// <summary>Which block comes as the n-th of all epochs, once the cache is whole; null at the end.</summary>
    public (long Block, long Epoch)? At(long number)
    {
        if (cache.Count == 0 || (epochs > 0 && number >= epochs * cache.Count))
            return null;
        var (epoch, place) = Math.DivRem(number, cache.Count);
        if (epoch == 0 || shuffleSeed is not { } seed)
            return (place, epoch);
        if (_orderEpoch != epoch)
            (_order, _orderEpoch) = (new BlockPermutation(cache.Count, seed, epoch), epoch);
        return (_order![place], epoch);
    }
}
