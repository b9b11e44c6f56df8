namespace Streaming.Streams.Shuffling;

/// <summary>Numbers that follow from a seed, on every machine and version alike: SplitMix64 (Steele, Lea and Flood 2014).</summary>
internal struct SeededRandom(ulong seed)
{
    private ulong _state = seed;

    /// <summary>A seed from several numbers, each of which changes all of it.</summary>
    public static SeededRandom From(params ReadOnlySpan<long> numbers)
    {
        var seed = 0UL;
        foreach (var number in numbers)
            seed = new SeededRandom(seed ^ (ulong)number).Next();
        return new SeededRandom(seed);
    }

    public ulong Next()
    {
        _state += 0x9E3779B97F4A7C15;
        var mixed = (_state ^ (_state >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return mixed ^ (mixed >> 31);
    }

    /// <summary>0 up to (not including) the limit; the bias is less than one in 2^32.</summary>
    public int Below(int limit) => (int)(((Next() >> 32) * (ulong)limit) >> 32);

    /// <summary>Puts the items in another order, each as likely as any (Fisher and Yates).</summary>
    public void Permute(Span<int> items)
    {
        for (var left = items.Length; left > 1; left--)
        {
            var drawn = Below(left);
            (items[drawn], items[left - 1]) = (items[left - 1], items[drawn]);
        }
    }
}
