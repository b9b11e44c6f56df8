namespace Streaming.Streams.TokenizerTraining;

/// <summary>
/// Keeps an even draw of at most so many sentences of a text of any length: each sentence's number is hashed with the seed,
/// and those with the smallest hashes stay, in the order of the text. So the draw depends on the seed and the text alone.
/// Memory: a quarter more sentences than are kept. Not thread-safe.
/// </summary>
/// <param name="capacity">Sentences that are kept; 0 keeps all.</param>
/// <param name="seed">Another seed draws other sentences.</param>
internal sealed class SentenceReservoir(int capacity, long seed)
{
    private const int ChunkLength = 1 << 20;

    private readonly record struct Entry(ulong Hash, int Chunk, int Start, int Length);

    private readonly ulong _seed = Mix((ulong)seed + 0x9E3779B97F4A7C15);
    private List<Entry> _entries = [];
    private List<char[]> _chunks = [];
    private int _used;
    private ulong _limit = ulong.MaxValue; // what hashes above it could not stay

    /// <summary>Sentences offered so far.</summary>
    public long Offered { get; private set; }

    /// <summary>Sentences that are kept.</summary>
    public int Count => _entries.Count;

    public ReadOnlySpan<char> this[int index]
    {
        get
        {
            var entry = _entries[index];
            return _chunks[entry.Chunk].AsSpan(entry.Start, entry.Length);
        }
    }

    /// <summary>Whether the next sentence would stay: others need not be made.</summary>
    public bool Wants() => capacity == 0 || NextHash() <= _limit;

    /// <summary>Offers the next sentence.</summary>
    public void Offer(ReadOnlySpan<char> sentence)
    {
        var hash = NextHash();
        Offered++;
        if (capacity != 0 && hash > _limit)
            return;
        Store(hash, sentence);
        if (capacity != 0 && _entries.Count >= capacity + (long)capacity / 4 + 16)
            Shrink();
    }

    /// <summary>Passes over the next sentence, which was not wanted.</summary>
    public void Skip() => Offered++;

    /// <summary>Drops what the draw holds above its capacity; to be called once, before the sentences are read.</summary>
    public void Complete()
    {
        if (capacity != 0 && _entries.Count > capacity)
            Shrink();
    }

    private ulong NextHash() => Mix(_seed + (ulong)Offered);

    private void Shrink()
    {
        var hashes = _entries.Select(entry => entry.Hash).ToArray();
        Array.Sort(hashes);
        _limit = hashes[capacity - 1];
        var (entries, chunks) = (_entries, _chunks);
        (_entries, _chunks, _used) = (new List<Entry>(capacity), [], 0);
        var freed = 0;
        foreach (var entry in entries)
        {
            while (freed < entry.Chunk)
                chunks[freed++] = [];
            if (entry.Hash <= _limit)
                Store(entry.Hash, chunks[entry.Chunk].AsSpan(entry.Start, entry.Length));
        }
    }

    private void Store(ulong hash, ReadOnlySpan<char> sentence)
    {
        if (_chunks.Count == 0 || _chunks[^1].Length - _used < sentence.Length)
        {
            _chunks.Add(new char[Math.Max(ChunkLength, sentence.Length)]);
            _used = 0;
        }
        sentence.CopyTo(_chunks[^1].AsSpan(_used));
        _entries.Add(new Entry(hash, _chunks.Count - 1, _used, sentence.Length));
        _used += sentence.Length;
    }

    // The finaliser of SplitMix64 (Steele et al., 2014): a bijection, so no two sentences share a hash.
    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
